"""The loop of the phones room: hardware, lines, the house's own calls and the calls room, joined.

It keeps no rule of its own: what a handset does is decided by its line (line.py), what becomes of a call
between two phones by inside.py, of one over the trunk by the calls room. Events that these cause in one
another wait in a queue, so that no line is told anything while its last actions are still being done.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gateway import messages as m
from gateway.errors import RefusedError
from gateway.phones import callside as c
from gateway.phones import model as h
from gateway.phones.digits import CODES, CodeName, DialPlan
from gateway.phones.hands import Hands
from gateway.phones.inside import Effect, InsideCalls, Join, ToPhone
from gateway.phones.line import Event, Line, Options
from gateway.phones.spoken import box_state
from gateway.phones.station import Audio, Calls, Hardware, Kept, Sounds, Station
from gateway.status import PhoneView

RECALL_S = 45.0
"""A call that was handed to a phone which nobody lifts comes back after so long."""


@dataclass(slots=True)
class Given:
    """A call that was handed over by `giver` and rings at a phone; it comes back at `due`."""

    giver: str
    due: float
    caller: h.Caller


@dataclass(slots=True)
class _Books:
    offers: dict[int, set[str]] = field(default_factory=dict)
    given: dict[int, Given] = field(default_factory=dict)


class Desk:
    """All phones of the box. Not thread-safe: every method runs on one loop.

    `addresses` gives those of network devices; `present` is called when somebody has dialled the digits of a
    page; `clock` gives monotonic seconds, `wall` Unix seconds.
    """

    def __init__(
        self,
        audio: Audio,
        sounds: Sounds,
        addresses: Callable[[Iterable[str]], tuple[str, ...]] = lambda devices: (),
        present: Callable[[str], None] = lambda digits: None,
        kept: Kept | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._audio = audio
        self._addresses = addresses
        self._channel: int | None = None
        self._hold = ""
        self._sounds = sounds
        self._changed: Callable[[], None] = lambda: None
        self._present = present
        self._kept = kept
        self._clock = clock
        self._wall = wall
        self._calls: Calls | None = None
        self._stations: dict[str, Station] = {}
        self._hands = Hands(self._stations, audio, self._say, clock)
        self._inside = InsideCalls()
        self._books = _Books()
        self._dialling = m.DiallingPlan()
        self._queue: deque[tuple[str, Event | None]] = deque()
        self._working = False

    # --- what there is ----------------------------------------------------------------------------

    def connect(self, calls: Calls, changed: Callable[[], None]) -> None:
        """The calls room is there; `changed` is to be called when others may see something new of a phone."""
        self._calls, self._changed = calls, changed

    @property
    def calls(self) -> Calls:
        """Raises AssertionError before `connect`."""
        assert self._calls is not None
        return self._calls

    def replan(self, phones: Iterable[m.PhonePlan], dialling: m.DiallingPlan, sounds: Sounds) -> None:
        """New settings. A phone that is gone from them is put down; the others go on as they are."""
        plans = {plan.name: plan for plan in phones}
        self._dialling, self._sounds = dialling, sounds
        hold, _ = sounds.tone("hold")
        if hold != self._hold:
            self._hold = hold
            self._audio.hold_with(hold)
        for name in [name for name in self._stations if name not in plans]:
            self._tell(name, h.Unplugged("taken out of the settings", self._clock()))
            self._work()
            self._audio.close(name)
            del self._stations[name]
        extensions = frozenset(plan.extension for plan in plans.values() if plan.extension)
        names = {str(name): name for name in CODES.values()}
        codes: dict[str, CodeName] = {code: names[name] for code, name in dialling.codes if name in names}
        read = DialPlan(self.calls.weigh, extensions, codes or CODES)
        for plan in plans.values():
            station = self._stations.get(plan.name)
            if station is None:
                station = Station(plan, Line(read, self.calls.new_call))
                self._stations[plan.name] = station
                if self._kept is not None:
                    station.line.memory.dnd = self._kept.get(plan.name, "dnd") == "on"
                    station.line.memory.forward = self._kept.get(plan.name, "forward")
                if plan.kind == "virtual":
                    self._tell(plan.name, h.Plugged(h.AudioDevice("", ""), self._clock()))
            station.plan, station.line.plan = plan, read
            station.line.memory.dnd &= plan.may_refuse
            station.line.options = Options(
                first_digit_s=dialling.first_digit_s,
                next_digit_s=dialling.next_digit_s,
                hotline=plan.hotline,
                hotline_after_s=plan.hotline_after_s,
                may_refuse=plan.may_refuse,
            )
        self.channel(self._channel)
        self._work()

    def attach(self, phone: str, hardware: Hardware) -> None:
        """The door of a phone; its events come by `heard`."""
        if phone in self._stations:
            self._stations[phone].hardware = hardware

    def channel(self, place: int | None) -> None:
        """Calls leave by this channel, counted from 0 in the owner's order; None: by none."""
        self._channel = place
        notice = self._dialling.stutter_on_backup and bool(place)
        for station in self._stations.values():
            station.line.notice = notice

    def views(self) -> tuple[PhoneView, ...]:
        """As anybody may see them."""
        return tuple(
            PhoneView(
                name=name,
                kind=station.plan.kind,
                state=station.line.shown,
                hears=station.hears,
                remote=station.remote if station.line.calls else "",
            )
            for name, station in self._stations.items()
        )

    # --- from the hardware, the engine and the clock ----------------------------------------------

    def heard(self, said: h.FromPhone) -> None:
        """An event of a phone's door."""
        station = self._stations.get(said.phone)
        if station is None:
            return
        match said.event:
            case h.Plugged(audio):
                station.device = audio
                if audio.capture or audio.playback:
                    self._audio.open_device(said.phone, audio.capture, audio.playback)
            case h.OffHook() | h.OnHook():
                station.by_word = False
            case _:
                pass
        self._tell(said.phone, said.event)
        self._work()
        if isinstance(said.event, h.Unplugged):
            station.device = None
            self._audio.close(said.phone)

    def spoken(self, end: str) -> None:
        """The words that were played into a phone are over."""
        if end in self._stations:
            self._stations[end].hears = ""
            self._tell(end, c.Spoken())
            self._work()

    @property
    def due(self) -> float | None:
        """When `tick` is wanted, monotonic seconds."""
        dues = [station.line.due for station in self._stations.values()]
        dues += [given.due for given in self._books.given.values()]
        return min((due for due in dues if due is not None), default=None)

    def tick(self) -> None:
        """Time has passed."""
        now = self._clock()
        for name, station in self._stations.items():
            if station.line.due is not None and station.line.due <= now:
                self._tell(name, None)
        for call, given in list(self._books.given.items()):
            if given.due <= now:
                self._come_back(call, given)
        self._work()

    # --- from the calls room ----------------------------------------------------------------------

    def free(self, names: Iterable[str], *, waiting: bool) -> tuple[str, ...]:
        """Those that can be offered a call now, each once; with `waiting` also where it would wait beside
        another. A phone that forwards stands for its target."""
        found = [name for name in dict.fromkeys(map(self._forwarded, names)) if name in self._stations]
        lines = {name: self._stations[name].line for name in found}
        return tuple(n for n, line in lines.items() if line.free and (waiting or line.state == "idle"))

    def _forwarded(self, name: str) -> str:
        station = self._stations.get(name)
        wanted = station.line.memory.forward if station else ""
        target = self._by_extension(wanted)
        return target if target is not None else name

    def offer(self, call: int, names: Iterable[str], number: str, name: str = "") -> None:
        """A call comes in for these phones, which were free a moment ago."""
        names = tuple(names)
        self._books.offers[call] = set(names)
        hidden = not number or not number.lstrip("+").isdigit()
        absent = "private" if number == "anonymous" else "unavailable" if hidden else ""
        now = time.localtime(self._wall())
        moment = (now.tm_mon, now.tm_mday, now.tm_hour, now.tm_min)
        caller = h.Caller("" if hidden else number, name, absent, moment)  # type: ignore[arg-type]
        for phone in names:
            self._tell(phone, c.Offered(call, caller))
        self._work()

    def withdraw(self, call: int) -> None:
        """These phones ring no more for a call that is not over: others do."""
        for name in self._books.offers.pop(call, set()):
            self._tell(name, c.Over(call, 487, "cancelled"))
        self._work()

    def ringback(self, call: int, on: bool) -> None:
        """The far end rings, and we are to be heard to say so."""
        self._tell_call(call, c.Ringback(call, on))

    def sound(self, call: int) -> None:
        """The call's audio is joined to its phone."""
        self._tell_call(call, c.Sound(call))

    def answered(self, call: int) -> None:
        """The call is up."""
        self._tell_call(call, c.Answered(call))

    def told(self, call: int, reason: str) -> None:
        """Words on the way."""
        self._tell_call(call, c.Told(call, reason))

    def over(self, call: int, code: int, reason: str) -> None:
        """The call is no more."""
        self._books.offers.pop(call, None)
        self._books.given.pop(call, None)
        self._tell_call(call, c.Over(call, code, reason))

    def _tell_call(self, call: int, event: Event) -> None:
        for name, station in self._stations.items():
            if call in station.line.calls:
                self._tell(name, event)
        self._work()

    def verb(self, verb: m.Verb) -> m.Done:
        """Do what a person asked of a phone. Raises RefusedError in words; then nothing was done."""
        return self._hands.verb(verb)

    def _say(self, phone: str, event: Event) -> None:
        self._tell(phone, event)
        self._work()

    # --- the lines --------------------------------------------------------------------------------

    def _tell(self, phone: str, event: Event | None) -> None:
        self._queue.append((phone, event))

    def _work(self) -> None:
        """Let every line take what waits for it, and do what it asks for."""
        if self._working:
            return
        self._working = True
        try:
            while self._queue:
                name, event = self._queue.popleft()
                station = self._stations.get(name)
                if station is None:
                    continue
                for action in station.line.receive(event, self._clock()):
                    self._perform(name, station, action)
                if station.by_word and station.line.state in ("told", "howling"):
                    self._tell(name, h.OnHook(self._clock()))
                if not station.line.ear.open and station.line.state == "idle":
                    station.by_word = False
        finally:
            self._working = False
        self._changed()

    def _perform(self, name: str, station: Station, action: c.LineAction | h.Action) -> None:
        audio = self._audio
        match action:
            case c.Place():
                self._place(name, station, action)
            case c.Take(call):
                self._take(name, station, call)
            case c.Drop(call, code):
                self._drop(name, call, code)
            case c.Hold(call, on) if call in self._inside:
                self._effects(self._inside.hold(call, name, on))
            case c.Hold(call, on):
                self.calls.hold(call, on)
            case c.HandOver():
                self._hand_over(name, action)
            case c.SendDigit(call, key):
                if call not in self._inside:
                    self.calls.send(call, key)
            case c.Mix(on):
                audio.mix(name, on)
            case c.PlayTone(tone):
                path, loop = self._sounds.tone(tone, station.plan.country)
                station.hears = tone
                audio.play_into(name, (path,), loop)
            case c.Speak(prompts):
                station.hears = " ".join(prompts)
                audio.play_into(name, self._sounds.prompts(prompts), False)
            case c.SayState():
                words = box_state(self._addresses(self._dialling.devices), self._channel)
                station.hears = " ".join(words)
                audio.play_into(name, self._sounds.prompts(words), False)
            case c.Hush():
                station.hears = ""
                audio.hush(name)
            case c.Deafen(on):
                audio.mute(name, on)
            case c.Listen(on):
                self._listen(name, station, on)
            case c.RingWith(ring, caller):
                self._ring(name, station, ring, caller)
            case c.PickUp():
                self._pick_up(name)
            case c.Present(digits):
                self._present(digits)
            case c.Remember(what, value):
                if self._kept is not None:
                    self._kept.put(name, what, value)
            case _:
                if station.hardware is not None:
                    station.hardware.do(action)

    def _listen(self, name: str, station: Station, on: bool) -> None:
        if station.device is not None and station.plan.kind != "virtual":
            return  # hardware's audio is open as long as it is plugged in
        if on:
            record = station.plan.record
            station.recorded = "{call}" not in record
            self._audio.open_files(name, station.plan.play, record if station.recorded else "")
        else:
            self._audio.close(name)

    def _record(self, name: str, station: Station, call: int) -> None:
        if not station.recorded and station.plan.record:
            station.recorded = True
            self._audio.record(name, station.plan.record.replace("{call}", str(call)))

    def _ring(self, name: str, station: Station, ring: c.RingName, caller: h.Caller) -> None:
        station.remote = caller.number or caller.absent
        if station.hardware is not None:
            station.hardware.do(h.Ring(self._sounds.cadence(ring, station.plan.country), caller))
        if station.plan.auto_answer:
            station.by_word = True
            self._tell(name, h.OffHook(self._clock()))

    # --- calls ------------------------------------------------------------------------------------

    def _place(self, name: str, station: Station, place: c.Place) -> None:
        self._record(name, station, place.call)
        station.remote = place.digits
        if place.kind == "inside":
            target = self._by_extension(place.digits)
            to = self._stations.get(target) if target is not None else None
            station.answer = m.Done(text=f"Calling {target}.", data={"call": place.call})
            if target is None or to is None or target == name:
                self._tell(name, c.Over(place.call, 404, "unknown_number"))
            elif not to.line.free:
                self._tell(name, c.Over(place.call, 486, "busy"))
            else:
                shown = h.Caller(station.plan.extension, station.plan.label or name)
                self._effects(self._inside.place(place.call, name, target, shown))
            return
        try:
            station.answer = self.calls.place(
                place.call, name, place.digits, hidden=place.hidden, pin=place.pin
            )
        except RefusedError as refusal:
            station.answer = refusal
            self._tell(name, c.Over(place.call, 0, refusal.reason or "invalid_number"))

    def _by_extension(self, extension: str) -> str | None:
        if not extension:
            return None
        return next((n for n, s in self._stations.items() if s.plan.extension == extension), None)

    def _take(self, name: str, station: Station, call: int) -> None:
        self._record(name, station, call)
        for other in self._books.offers.pop(call, set()) - {name}:
            self._tell(other, c.Over(call, 487, "cancelled"))
        if call in self._inside:
            self._effects(self._inside.take(call))
        elif self._books.given.pop(call, None):
            self.calls.give(call, name)
            self.calls.hold(call, False)
            self._tell(name, c.Answered(call))
        else:
            self.calls.take(call, name)

    def _drop(self, name: str, call: int, code: int) -> None:
        if call in self._inside:
            self._effects(self._inside.drop(call, name))
        elif given := self._books.given.get(call):
            self._come_back(call, given)
        elif call in self._books.offers:
            self._books.offers[call].discard(name)
            if not self._books.offers[call]:
                del self._books.offers[call]
                self.calls.drop(call, code)
        else:
            self.calls.drop(call, code)

    def _hand_over(self, name: str, order: c.HandOver) -> None:
        if order.inside not in self._inside:
            self._drop(name, order.call, 486)
            return
        link = self._inside.get(order.inside)
        to, up = link.other(name), link.up
        if order.call in self._inside and self._inside.get(order.call).other(name) == to:
            self._drop(name, order.call, 486)  # two calls between the same two: nobody is left to connect
            self._drop(name, order.inside, 486)
            return
        held = self._stations[to].line.holds(order.inside) if to in self._stations else False
        self._effects(self._inside.leave(order.inside, name))
        self._tell(to, c.Became(order.inside, order.call, order.caller, order.call in self._inside))
        if order.call in self._inside:
            self._effects(self._inside.hand_over(order.call, name, to, held, up))
        elif up:
            self.calls.give(order.call, to)
            self.calls.hold(order.call, held)
        else:
            self._books.given[order.call] = Given(name, self._clock() + RECALL_S, order.caller)
            self.calls.give(order.call, to)
            self.calls.hold(order.call, True)

    def _come_back(self, call: int, given: Given) -> None:
        """Nobody took what was handed over: back to who gave it, or it ends."""
        del self._books.given[call]
        for name, station in self._stations.items():
            if call in station.line.calls:
                self._tell(name, c.Over(call, 480, "cancelled"))
        giver = self._stations.get(given.giver)
        if giver is None or not giver.line.free:
            self.calls.drop(call, 480)
            return
        self.calls.give(call, given.giver)
        self._books.given[call] = Given("", self._clock() + RECALL_S, given.caller)
        self._tell(given.giver, c.Offered(call, given.caller))

    def _pick_up(self, name: str) -> None:
        for other, station in self._stations.items():
            waiting = station.line.waiting
            if station.line.state == "ringing" and waiting and other != name:
                if waiting.call in self._inside:
                    self._effects(self._inside.redirect(waiting.call, name))
                else:
                    self._books.offers.setdefault(waiting.call, {other}).add(name)
                self._tell(other, c.Over(waiting.call, 487, "cancelled"))
                self._tell(name, c.PickedUp(waiting.call, waiting.caller, waiting.inside))
                return
        self._tell(name, c.PickedUp(0, h.Caller("")))

    def _effects(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case ToPhone(phone, event):
                    self._tell(phone, event)
                case Join(phone, other, on):
                    self._audio.link(phone, other, on)
