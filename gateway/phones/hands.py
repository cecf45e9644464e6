"""What people may ask of a phone by word: the page, gatewayctl, a headset without keys.

A handset that was lifted by word is put down by itself when its call is over; one that was lifted as by a
hand (Lift) behaves as any other. Each verb is done, or refused in words with nothing done.
"""

from collections.abc import Callable, Mapping

from gateway import messages as m
from gateway.errors import RefusedError
from gateway.phones import callside as c
from gateway.phones import model as h
from gateway.phones.line import Event
from gateway.phones.station import Audio, Station


class Hands:
    """Verbs of phones. `say` gives an event to a line and lets everything that follows from it happen."""

    def __init__(
        self,
        stations: Mapping[str, Station],
        audio: Audio,
        say: Callable[[str, Event], None],
        clock: Callable[[], float],
    ) -> None:
        self._stations = stations
        self._audio = audio
        self._say = say
        self._clock = clock

    def verb(self, verb: m.Verb) -> m.Done:
        """Do what a person asked of a phone. Raises RefusedError in words; then nothing was done."""
        match verb:
            case m.Dial(phone=phone, digits=digits):
                return self._dial(phone, digits)
            case m.Lift(phone=phone):
                return self._lift(phone)
            case m.Press(phone=phone, keys=keys):
                return self._press(phone, keys)
            case m.Flash(phone=phone):
                self._in_hand(phone)
                self._say(phone, h.Flash(self._clock()))
                return self._done(phone, f"{phone} pressed R")
            case m.Answer(phone=phone):
                return self._answer(phone)
            case m.HangUp(phone=phone):
                return self._hang_up(phone)
            case m.Hold(phone=phone, on=on):
                self._in_call(phone)
                self._say(phone, c.HoldKey(on))
                return m.Done(text=f"The call of {phone} is {'on hold' if on else 'taken back'}.")
            case m.SendDigits(phone=phone, digits=digits):
                self._in_call(phone)
                for key in digits:
                    self._say(phone, h.Digit(key, "keypad", self._clock()))
                return m.Done(text=f"Sent {digits}.")
            case m.PlayFile(phone=phone, path=path):
                self._in_call(phone)
                self._audio.play(phone, path)
                return m.Done(text=f"{phone} speaks {path.rpartition('/')[2]}.")
            case _:
                raise RefusedError(
                    f"{type(verb).__name__} is not for phones", where="phones", remedy="Ask the daemon"
                )

    def _dial(self, phone: str, digits: str) -> m.Done:
        station = self._by_hand(phone)
        if station.line.calls:
            raise RefusedError(
                f"{phone} is in a call", where=phone, remedy="Hang up first, or use another phone"
            )
        if station.line.state not in ("idle", "gone"):
            self._say(phone, h.OnHook(self._clock()))
        station.by_word, station.answer = True, None
        self._say(phone, c.DialAll(digits))
        return self._done(phone, f"{phone} dialled {digits}")

    def _lift(self, phone: str) -> m.Done:
        self._by_hand(phone)
        self._say(phone, h.OffHook(self._clock()))
        return self._done(phone, f"{phone} is lifted")

    def _press(self, phone: str, keys: str) -> m.Done:
        if not keys or any(key not in h.KEYS for key in keys):
            raise RefusedError(f"{keys} are no keys", where=phone, remedy=f"Press keys of {h.KEYS}")
        station = self._in_hand(phone)
        station.answer = None
        for key in keys:
            self._say(phone, h.Digit(key, "keypad", self._clock()))
        return self._done(phone, f"{phone} pressed {keys}")

    def _answer(self, phone: str) -> m.Done:
        station = self._by_hand(phone)
        line = station.line
        if line.waiting is None and line.state != "ringing":
            raise RefusedError(f"{phone} does not ring", where=phone, remedy="Wait for a call, or dial")
        call, remote = line.calls[-1], station.remote
        if line.state == "ringing":
            station.by_word = True
            self._say(phone, h.OffHook(self._clock()))
        else:
            self._say(phone, h.Flash(self._clock()))
            if line.state == "menu":
                self._say(phone, h.Digit("2", "keypad", self._clock()))
        return m.Done(text=f"{phone} took the call from {remote}.", data={"call": call})

    def _hang_up(self, phone: str) -> m.Done:
        line = self._station(phone).line
        if not line.ear.open and not line.calls:
            raise RefusedError(f"{phone} is in no call", where=phone, remedy="Dial or answer first")
        event: Event = h.OnHook(self._clock()) if line.ear.open else c.Refuse()
        self._say(phone, event)
        return m.Done(text=f"{phone} hung up.")

    def _done(self, phone: str, text: str) -> m.Done:
        station = self._stations[phone]
        answer, station.answer = station.answer, None
        if isinstance(answer, RefusedError) and not station.line.ear.open:
            raise answer
        if isinstance(answer, m.Done):
            return answer
        hears = f"; it hears {station.hears}" if station.hears else ""
        return m.Done(text=f"{text}{hears}.", data={"state": station.line.shown, "hears": station.hears})

    def _station(self, phone: str) -> Station:
        if phone not in self._stations:
            known = ", ".join(sorted(self._stations)) or "none"
            raise RefusedError(f"there is no phone {phone}", where="phones", remedy=f"Phones here: {known}")
        return self._stations[phone]

    def _by_hand(self, phone: str) -> Station:
        """A phone whose handset may be lifted from here: an analog one has a hand of its own."""
        station = self._station(phone)
        if station.plan.kind == "analog":
            raise RefusedError(
                f"{phone} has a handset of its own",
                where=phone,
                remedy="Lift it by hand, or use another phone",
            )
        if station.line.state == "gone":
            raise RefusedError(f"{phone} is not plugged in", where=phone, remedy="Plug it in")
        return station

    def _in_hand(self, phone: str) -> Station:
        station = self._station(phone)
        if not station.line.ear.open:
            raise RefusedError(f"{phone} is on the hook", where=phone, remedy=f"gatewayctl lift {phone}")
        return station

    def _in_call(self, phone: str) -> Station:
        station = self._station(phone)
        if station.line.active is None:
            raise RefusedError(f"{phone} is in no call", where=phone, remedy="Dial or answer first")
        return station
