"""Law: keys become a number, a code, or tones to the far end; what is no number is said in words.

The middle layer of a line: dial tone, digits, star codes, the PIN, and what the user is told of them.
"""

from collections.abc import Callable
from typing import Final

from gateway.phones import callside as c
from gateway.phones import model as h
from gateway.phones.digits import Code, DialPlan, Go, More, No, Verdict
from gateway.phones.parties import Options, Parties, Party

SILENT_REASONS: Final = frozenset({"busy", "declined", "cancelled", "hung_up", "far_hung_up"})
"""Everybody knows the busy tone; all else is spoken."""
TOLD_S: Final = 30.0
PAUSE_S: Final = 10.0
"""Between digits that are no number yet: whoever reads a number off a card may look up."""
DTMF_S: Final = 0.15
"""A key's tones go out as RFC 4733 alone: the handset is deaf while they sound."""
NOISE_S: Final = 0.3


class Keys(Parties):
    """Digits of one line. What a key means is a matter of its state."""

    def __init__(self, plan: DialPlan, new_call: Callable[[], int], options: Options | None = None) -> None:
        super().__init__(plan, new_call, options)
        self._keyed = ""
        self._placed = Go("", "outside")
        self._dial_after = False

    def _choose(self, key: str, now: float) -> None:
        """One key of the menu; any other goes back to the call."""
        self._timers.pop("menu", None)
        self.state = "talking"
        active = self.active
        if active is None:
            return
        match key:
            case "0" if self.waiting:
                self.ear.emit(c.Drop(self.waiting.call))
                self.waiting = None
                self.ear.hush(words=False)
            case "0" if self.held:
                self.ear.emit(c.Drop(self.held.call))
                self.held = None
            case "1":
                self.ear.emit(c.Drop(active.call))
                self.active = None
                self._take_waiting() if self.waiting else self._take_back()
            case "2":
                self._swap()
            case "3" if self.held and active.up:
                self._join()
            case "4" if self.held and (active.inside or (self.held.inside and active.up)):
                held, self.active, self.held = self.held, None, None
                self._connect(active, held)
                self._say(c.Speak(("done",)), now)
            case _:
                pass

    def _dial(self, now: float) -> None:
        """Dial tone."""
        self.state = "dial"
        self._keyed = ""
        self._calm()
        options = self.options
        if options.hotline and not self.held:
            if options.hotline_after_s <= 0:
                self._dial_all(options.hotline, now, "incomplete_number")
                return
            self._timers["hotline"] = now + options.hotline_after_s
        self._timers["digits"] = now + options.first_digit_s
        self.ear.play("second" if self.held else "stutter" if self.notice else "dial")

    def _digit_began(self, event: h.DigitBegan, now: float) -> None:
        if self.state == "dial" and not self._keyed:
            self.ear.hush()
            self._timers["noise"] = now + NOISE_S
        elif event.source == "dtmf" and self.state in ("talking", "placing", "three"):
            self._timers["unmute"] = now + DTMF_S
            self.ear.deafen(True)

    def _digit(self, key: str, source: h.Source, now: float) -> None:
        if len(key) != 1 or key not in h.KEYS:
            return
        match self.state:
            case "dial":
                self._timers.pop("noise", None)
                self._timers.pop("hotline", None)
                self.ear.hush()
                self._keyed += key
                self._judge(self.plan.read(self._keyed), now)
            case "pin" if key == "#" and not self._keyed:
                pass  # it ended the number, which was whole at its last digit
            case "pin":
                self.ear.hush()
                self._keyed += key
                self._timers["digits"] = now + PAUSE_S
                if not self._helps(self._keyed, now) and key == "#":
                    self._pin_given(now)
            case "placing" | "talking" | "three":
                if source == "dtmf":
                    self._timers["unmute"] = now + DTMF_S
                    self.ear.deafen(True)
                for party in (self.active, self.held if self.state == "three" else None):
                    if party and (party.up or party.sound):
                        self.ear.emit(c.SendDigit(party.call, key))
            case "menu":
                self._choose(key, now)
            case "told" if self._dial_after:
                self.ear.hush()
                self._dial(now)
                self._digit(key, source, now)
            case "told" | "howling" | "parked":
                self._keyed = (self._keyed + key)[-8:]
                any(self._helps(self._keyed[n:], now) for n in range(len(self._keyed)))
            case _:
                pass

    def _helps(self, digits: str, now: float) -> bool:
        """Call for help if these are its digits."""
        if self.plan.weigh(digits) != "emergency":
            return False
        self._place(Go(digits, "emergency"), now)
        return True

    def _judge(self, verdict: Verdict, now: float) -> None:
        match verdict:
            case More(may, anew):
                pause_s = self.options.next_digit_s if may else max(PAUSE_S, self.options.next_digit_s)
                self._timers["digits"] = now + pause_s
                if anew:
                    self.ear.play("second")
            case Go():
                self._place(verdict, now)
            case Code():
                self._code(verdict, now)
            case No(reason):
                self._fail(reason, now)

    def _dial_all(self, digits: str, now: float, otherwise: str) -> None:
        if self.state not in ("dial", "told", "howling", "parked"):
            return
        self.ear.hush()
        self._calm()
        self._keyed = digits
        self._judge(self.plan.end(digits) if digits else No(otherwise), now)

    def _place(self, go: Go, now: float, pin: str = "") -> None:
        self._calm()
        self.ear.hush()
        self.state = "placing"
        self._placed = go
        self._no_waiting = "call_waiting_off" in go.before or go.kind == "emergency"
        if go.kind != "emergency":
            self.memory.last_dialled = self._keyed if not pin else self.memory.last_dialled
        call = self._new_call()
        caller = h.Caller(go.digits)
        self.active = Party(call, caller, go.kind == "inside", go.kind == "emergency", ours=True)
        hidden = "hide_number" in go.before and go.kind != "emergency"
        self.ear.emit(c.Place(call, go.digits, go.kind, hidden, pin))

    def _pin_given(self, now: float) -> None:
        pin = self._keyed.removesuffix("#")
        if pin:
            self._place(self._placed, now, pin)
        else:
            self._fail("pin_wrong", now)

    def _code(self, code: Code, now: float) -> None:
        memory = self.memory
        match code.name:
            case "status":
                self._say(c.SayState(), now)
            case "redial":
                self._dial_all(memory.last_dialled, now, "nothing_to_redial")
            case "last_caller":
                self._dial_all(memory.last_caller, now, "no_last_caller")
            case "do_not_disturb_on" if not self.options.may_refuse:
                self._fail("not_allowed", now)
            case "do_not_disturb_on" | "do_not_disturb_off":
                memory.dnd = code.name == "do_not_disturb_on"
                self.ear.emit(c.Remember("dnd", "on" if memory.dnd else "off"))
                self._say(c.Speak(("dnd_on" if memory.dnd else "dnd_off",)), now)
            case "forward" if code.digits not in self.plan.extensions:
                self._fail("forward_refused", now)  # law 10: what comes in never makes the box dial out
            case "forward" | "forward_off":
                memory.forward = code.digits
                self.ear.emit(c.Remember("forward", memory.forward))
                words = ("forward_on", *memory.forward) if memory.forward else ("forward_off",)
                self._say(c.Speak(words), now)
            case "pick_up":
                self.ear.emit(c.PickUp())
            case "presence":
                self.ear.emit(c.Present(code.digits))
                self._say(c.Speak(("done",)), now)
            case _:
                self._fail("invalid_number", now)

    # --- what the user is told --------------------------------------------------------------------

    def _say(self, words: c.Speak | c.SayState, now: float) -> None:
        """Words about what was done; then dial tone, or a key that comes before their end."""
        self._told(now)
        self._dial_after = True
        self.ear.speak(words)

    def _fail(self, reason: str, now: float) -> None:
        self.active = None
        self._told(now)
        if reason in SILENT_REASONS:
            self.ear.hush()
            self.ear.play("busy")
        else:
            self.ear.speak(c.Speak((reason,)), "congestion")

    def _told(self, now: float) -> None:
        self._calm()
        self.state = "told"
        self._dial_after = False
        self._keyed = ""
        self._timers = {"told": now + TOLD_S}
