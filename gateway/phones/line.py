"""Law: a handset that is put down leaves nothing behind: no tone, no sound, no call that nobody knows of.

    state    what it is                                  lifted, or off the hook   put down
    gone     no hardware                                 nothing                   nothing
    idle     on the hook                                 dial                      nothing
    ringing  on the hook; a call waits, or a held one    talking                   nothing
             calls its user back
    dial     dial tone, or digits come in                nothing                   idle; a held call rings
    pin      the digits of a PIN come in                 nothing                   as dial
    placing  a call of ours, not answered yet            nothing                   ended, or handed over
    talking  a call that is up; one may be held, or      nothing                   ended, or handed over;
             wait                                                                  what waits or is held rings
    menu     talking, and R was pressed: one key         nothing                   as talking
    three    both calls hear each other and us           nothing                   ended, or handed over
    told     the call is over: words, busy tone          nothing                   as dial
    howling  off the hook for too long: warning          nothing                   as dial
    parked   and silence after it                        nothing                   as dial

A call is held beside the one that is heard, or waits beside it, never both. A flash (R) holds, and comes
back; with two calls it joins them, or opens a menu of one key (0 refuse, 1 end and take, 2 swap, 3 join,
4 connect). Who puts the handset down with two calls, one of them inside the house, connects them. A call for
help is dialled as soon as its digits are there, also under busy tone, and no flash ends it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from gateway.phones import callside as c
from gateway.phones import model as h
from gateway.phones.digits import Code, DialPlan, Go, More, No, Verdict
from gateway.phones.ear import Ear

State = Literal[
    "gone",
    "idle",
    "ringing",
    "dial",
    "pin",
    "placing",
    "talking",
    "menu",
    "three",
    "told",
    "howling",
    "parked",
]
Action = c.LineAction | h.Action
Event = h.Event | c.CallEvent
Timer = Literal["digits", "hotline", "menu", "told", "howl", "recall", "unmute", "noise"]

SILENT_REASONS: Final = frozenset({"busy", "declined", "cancelled", "hung_up", "far_hung_up"})
"""Everybody knows the busy tone; all else is spoken."""
TOLD_S: Final = 30.0
HOWL_S: Final = 60.0
RECALL_S: Final = 45.0
MENU_S: Final = 3.0
PAUSE_S: Final = 10.0
"""Between digits that are no number yet: whoever reads a number off a card may look up."""
DTMF_S: Final = 0.15
"""A key's tones go out as RFC 4733 alone: the handset is deaf while they sound."""
NOISE_S: Final = 0.3
NOBODY: Final = h.Caller("", absent="unavailable")


@dataclass(frozen=True, slots=True)
class Options:
    """What the owner wants of a line. `flash`: with two calls R joins them (plain), or opens the menu."""

    first_digit_s: float = 20.0
    next_digit_s: float = 4.0
    hotline: str = ""
    hotline_after_s: float = 0.0
    call_waiting: bool = True
    may_refuse: bool = True
    flash: Literal["plain", "menu"] = "menu"


@dataclass(slots=True)
class Party:
    """One call of this line. `up`: it was answered; `sound`: its audio is joined."""

    call: int
    caller: h.Caller
    inside: bool = False
    emergency: bool = False
    ours: bool = False
    up: bool = False
    sound: bool = False
    on_hold: bool = False


@dataclass(slots=True)
class Memory:
    """What a line keeps beyond a call."""

    last_dialled: str = ""
    last_caller: str = ""
    dnd: bool = False
    forward: str = ""


class Line:
    """One phone's line. `new_call` gives numbers that no other call of the box has."""

    def __init__(self, plan: DialPlan, new_call: Callable[[], int], options: Options | None = None) -> None:
        self.plan = plan
        self.options = options or Options()
        self.memory = Memory()
        self.notice = False
        """Dial tone stutters: calls leave by a backup, or a message waits."""
        self.state: State = "gone"
        self.active: Party | None = None
        self.held: Party | None = None
        self.waiting: Party | None = None
        self.ear: Final = Ear()
        self._new_call = new_call
        self._keyed = ""
        self._placed = Go("", "outside")
        self._no_waiting = False
        self._dial_after = False
        self._timers: dict[Timer, float] = {}
        self._last_s = 0.0

    @property
    def due(self) -> float | None:
        """When to call `receive(None, now)` at the latest."""
        return min(self._timers.values(), default=None)

    @property
    def calls(self) -> tuple[int, ...]:
        """All that this line has to do with."""
        return tuple(party.call for party in self._parties())

    @property
    def free(self) -> bool:
        """A call may be offered: it would ring, or wait."""
        if self.memory.dnd or self.state not in ("idle", "talking"):
            return False
        if self.state == "idle":
            return True
        alone = self.active is not None and self.active.up and not self.waiting and not self.held
        return alone and self.options.call_waiting and not self._no_waiting

    def holds(self, call: int) -> bool:
        """True when this call of ours is on hold."""
        return any(party.call == call and party.on_hold for party in self._parties())

    @property
    def shown(self) -> str:
        """As PhoneView has it: idle, dialling, ringing, talking, gone."""
        names = {"gone": "gone", "idle": "idle", "ringing": "ringing"}
        in_call = self.state in ("talking", "menu", "three")
        return names.get(self.state, "talking" if in_call else "dialling")

    def receive(self, event: Event | None, now: float) -> list[Action]:
        """What is to be done about `event` (None: time has passed)."""
        now = self._last_s = max(now, self._last_s)
        if event is not None:
            self._take(event, now)
        while self.due is not None and self.due <= now:
            timer = min(self._timers, key=self._timers.__getitem__)
            del self._timers[timer]
            self._expire(timer, now)
        return self.ear.drain()

    def _take(self, event: Event, now: float) -> None:
        if self.state == "gone" and not isinstance(event, h.Plugged | c.Offered | c.PickedUp):
            return
        match event:
            case h.OffHook():
                self._lifted(now)
            case h.OnHook():
                self._laid_down(now)
            case h.Flash():
                self._flashed(now)
            case h.DigitBegan():
                self._digit_began(event, now)
            case h.Digit(key):
                self._digit(key, event.source, now)
            case h.Mute(on):
                if self.ear.open:
                    self._timers.pop("unmute", None)
                    self.ear.mute(not self.ear.muted if on is None else on)
            case h.Redial():
                self._dial_all(self.memory.last_dialled, now, "nothing_to_redial")
            case h.Plugged():
                if self.state == "gone":
                    self.state = "idle"
            case h.Unplugged():
                self._gone()
            case c.Refuse() if self.waiting:
                self.ear.emit(c.Drop(self.waiting.call))
                self.waiting = None
                self._offer_over()
            case c.Refuse() if self.held and self.state == "ringing":
                self.ear.emit(c.Drop(self.held.call))
                self.held = None
                self._stop_ringing()
            case c.DialAll(digits):
                if self.state == "idle":
                    self.ear.listen(True)
                    self.state = "dial"
                self._dial_all(digits, now, "incomplete_number")
            case c.HoldKey(on):
                self._hold_key(on)
            case c.Offered():
                self._offered(event)
            case c.PickedUp():
                self._picked_up(event, now)
            case c.Spoken() if self._dial_after and self.state == "told":
                self.ear.hush()
                self._dial(now)
            case c.Spoken():
                self.ear.spoken()
            case c.Became():
                self._became(event)
            case c.Over():
                self._over(event, now)
            case c.Ringback(call, on) if self.active and call == self.active.call:
                self.ear.play("ringback") if on else self.ear.hush(words=False)
            case c.Sound(call) if self.active and call == self.active.call:
                self.active.sound = True
                self.ear.hush(words=False)
            case c.Answered(call) if self.active and call == self.active.call:
                self._answered(self.active)
            case c.Told(call, reason) if self.active and call == self.active.call:
                self.ear.speak(c.Speak((reason,)))
            case _:
                pass

    # --- the hook ---------------------------------------------------------------------------------

    def _lifted(self, now: float) -> None:
        if self.state == "idle":
            self.ear.listen(True)
            self._dial(now)
        elif self.state == "ringing":
            self._calm()
            self.ear.emit(h.StopRing())
            self.ear.listen(True)
            if self.waiting:
                self._take_waiting()
            else:
                self._take_back()

    def _laid_down(self, now: float) -> None:
        if not self.ear.open:
            return
        self._calm()
        self.ear.hush()
        active, held = self.active, self.held
        self.active = None
        if self.state == "three":
            self.ear.emit(c.Mix(False))
        if active and held and (active.inside or (held.inside and active.up)):
            self._connect(active, held)
            self.held = None
        elif self.state == "three" and active and held:
            self.ear.emit(c.Drop(active.call), c.Drop(held.call))
            self.held = None
        elif active:
            self.ear.emit(c.Drop(active.call))
        self._no_waiting = False
        self.ear.listen(False)
        self.ear.emit(h.Reverse(False))
        self.state = "idle"
        if self.waiting:
            self.state = "ringing"
            self._ring(self.waiting, "inside" if self.waiting.inside else "outside")
        elif self.held:
            self.state = "ringing"
            self._timers["recall"] = now + RECALL_S
            self._ring(self.held, "recall")

    def _connect(self, active: Party, held: Party) -> None:
        """Hand one over to the phone at the other end of the other."""
        given, inside = (held, active) if active.inside else (active, held)
        self.ear.emit(c.HandOver(given.call, inside.call, given.caller))

    def _flashed(self, now: float) -> None:
        match self.state:
            case "dial" | "pin" | "told" | "howling" | "parked":
                self._calm()
                self.ear.hush()
                if self.waiting:
                    self._take_waiting()
                elif self.held:
                    self._take_back()
                else:
                    self._dial(now)
            case "placing" if self.active and not self.active.emergency:
                self.ear.hush()
                self.ear.emit(c.Drop(self.active.call))
                self.active = None
                if self.held:
                    self._take_back()
                else:
                    self._dial(now)
            case "talking" if self.active and not self.active.emergency:
                if self.waiting or self.held:
                    if self.options.flash == "menu":
                        self.state = "menu"
                        self._timers["menu"] = now + MENU_S
                    elif self.waiting:
                        self._swap()
                    else:
                        self._join()
                elif self.active.up:
                    self._set_aside()
                    self._dial(now)
            case "menu":
                self._choose("2", now)
            case "three" if self.active:
                self.ear.emit(c.Mix(False), c.Drop(self.active.call))
                self.active = None
                self._take_back(joined=True)
            case _:
                pass

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

    # --- two calls --------------------------------------------------------------------------------

    def _set_aside(self) -> None:
        """The call that is heard becomes the held one."""
        if self.active:
            if not self.active.on_hold:
                self.ear.emit(c.Hold(self.active.call, True))
            self.active.on_hold = True
        self.held, self.active = self.active, None

    def _take_back(self, *, joined: bool = False) -> None:
        """The held call becomes the one that is heard."""
        self.active, self.held = self.held, None
        self.state = "talking"
        if self.active and not joined:
            self.active.on_hold = False
            self.ear.emit(c.Hold(self.active.call, False))

    def _take_waiting(self) -> None:
        self.active, self.waiting = self.waiting, None
        self.state = "talking"
        self.ear.hush()
        if self.active:
            self.ear.emit(c.Take(self.active.call))

    def _swap(self) -> None:
        """To the call that waits or is held, and this one is held."""
        other, self.held = self.held, None
        self._set_aside()
        if self.waiting:
            self._take_waiting()
        elif other:
            self.active, other.on_hold = other, False
            self.ear.emit(c.Hold(other.call, False))

    def _join(self) -> None:
        if self.active and self.held and self.active.up:
            for party in (self.active, self.held):
                if party.on_hold:
                    party.on_hold = False
                    self.ear.emit(c.Hold(party.call, False))
            self.ear.emit(c.Mix(True))
            self.state = "three"

    def _hold_key(self, on: bool) -> None:
        if self.state in ("talking", "placing") and self.active and self.active.on_hold != on:
            self.active.on_hold = on
            self.ear.emit(c.Hold(self.active.call, on), h.Light("hold", on))

    # --- digits -----------------------------------------------------------------------------------

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

    def _calm(self) -> None:
        """No timer, and no key's tones are being kept from the far end."""
        self._timers.clear()
        self.ear.deafen(self.ear.muted)

    def _told(self, now: float) -> None:
        self._calm()
        self.state = "told"
        self._dial_after = False
        self._keyed = ""
        self._timers = {"told": now + TOLD_S}

    # --- calls ------------------------------------------------------------------------------------

    def _offered(self, offered: c.Offered) -> None:
        party = Party(offered.call, offered.caller, offered.inside)
        if offered.caller.number and not offered.inside:
            self.memory.last_caller = offered.caller.number
        if self.state == "idle" and not self.memory.dnd:
            self.state, self.waiting = "ringing", party
            self._ring(party, "inside" if party.inside else "outside")
        elif self.free:
            self.waiting = party
            self.ear.play("waiting")
            self.ear.emit(h.ShowCaller(party.caller))
        else:
            self.ear.emit(c.Drop(party.call, 486))

    def _ring(self, party: Party, ring: c.RingName) -> None:
        self.ear.emit(c.RingWith(ring, party.caller))

    def _picked_up(self, event: c.PickedUp, now: float) -> None:
        if self.state not in ("dial", "told") or self.active:
            if event.call:
                self.ear.emit(c.Drop(event.call, 480))
        elif event.call:
            self._calm()
            self.ear.hush()
            self.active = Party(event.call, event.caller, event.inside)
            self.state = "talking"
            self.ear.emit(c.Take(event.call))
        else:
            self._fail("nothing_rings", now)

    def _answered(self, active: Party) -> None:
        active.up = True
        if self.state == "placing":
            self.state = "talking"
            self.ear.hush(words=False)
        if active.ours and not active.inside:
            self.ear.emit(h.Reverse(True))

    def _became(self, event: c.Became) -> None:
        for party in self._parties():
            if party.call == event.call:
                party.call, party.caller, party.inside = event.new, event.caller, event.inside
                party.ours = False
        if self.state == "ringing" and self.waiting and self.waiting.call == event.new:
            self.ear.emit(h.StopRing())
            self._ring(self.waiting, "inside" if event.inside else "outside")

    def _over(self, over: c.Over, now: float) -> None:
        if self.waiting and over.call == self.waiting.call:
            self.waiting = None
            self._offer_over()
        elif self.held and over.call == self.held.call:
            self.held = None
            self._held_over()
        elif self.active and over.call == self.active.call:
            self._active_over(over, now)

    def _offer_over(self) -> None:
        if self.state == "ringing":
            self._stop_ringing()
        elif self.state in ("talking", "menu"):
            self.ear.hush(words=False)
            self.state = "talking"
            self._timers.pop("menu", None)

    def _held_over(self) -> None:
        if self.state == "ringing":
            self._stop_ringing()
        elif self.state == "three":
            self.ear.emit(c.Mix(False))
            self.state = "talking"
        elif self.state == "menu":
            self._timers.pop("menu", None)
            self.state = "talking"

    def _active_over(self, over: c.Over, now: float) -> None:
        self.active = None
        self.ear.emit(h.Reverse(False))
        if self.state == "three":
            self.ear.emit(c.Mix(False))
            self._take_back(joined=True)
        elif over.reason in ("pin_wanted", "pin_wrong") and self.state == "placing":
            self.state, self._keyed = "pin", ""
            self._timers = {"digits": now + self.options.first_digit_s}
            self.ear.speak(c.Speak((over.reason,)))
        else:
            self._fail(over.reason, now)

    def _stop_ringing(self) -> None:
        self._timers.pop("recall", None)
        self.state = "idle"
        self.ear.emit(h.StopRing())

    def _gone(self) -> None:
        if self.state == "ringing":
            self.ear.emit(h.StopRing())
        if self.state == "three":
            self.ear.emit(c.Mix(False))
        for party in self._parties():
            self.ear.emit(c.Drop(party.call, 480))
        self.active = self.held = self.waiting = None
        self._calm()
        self.ear.listen(False)
        self.state = "gone"

    def _parties(self) -> Iterator[Party]:
        yield from (party for party in (self.active, self.held, self.waiting) if party)

    # --- time -------------------------------------------------------------------------------------

    def _expire(self, timer: Timer, now: float) -> None:
        match timer:
            case "digits" if self.state == "pin":
                self._pin_given(now)
            case "digits" if self._keyed:
                self._judge(self.plan.end(self._keyed), now)
            case "digits" | "told" if self.held:
                self._calm()
                self.ear.hush()
                self._take_back()
            case "digits" | "told":
                self.state = "howling"
                self._keyed = ""
                self._timers = {"howl": now + HOWL_S}
                self.ear.speak(c.Speak(("hang_up",)), "howler")
            case "howl":
                self.state = "parked"
                self.ear.hush()
            case "hotline":
                self._dial_all(self.options.hotline, now, "incomplete_number")
            case "menu":
                self.state = "talking"
            case "recall" if self.held:
                self.ear.emit(c.Drop(self.held.call))
                self.held = None
                self._stop_ringing()
            case "unmute":
                self.ear.deafen(self.ear.muted)
            case "noise" if self.state == "dial":
                self.ear.play("second" if self.held else "stutter" if self.notice else "dial")
            case _:
                pass
