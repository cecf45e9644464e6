"""Law: a line has one call that is heard, and beside it one that is held or one that waits, never more.

The lowest layer of a line: what it has in hand, and how calls change places. Keys (keys.py) and the hook
(line.py) stand upon it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from gateway.phones import callside as c
from gateway.phones import model as h
from gateway.phones.digits import DialPlan
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
Timer = Literal["digits", "hotline", "menu", "told", "howl", "recall", "unmute", "noise"]


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


class Parties:
    """The calls of one line, its ear and its clock. `new_call` gives numbers that no other call has."""

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
        self._no_waiting = False
        self._timers: dict[Timer, float] = {}

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

    def _parties(self) -> Iterator[Party]:
        yield from (party for party in (self.active, self.held, self.waiting) if party)

    def _calm(self) -> None:
        """No timer, and no key's tones are being kept from the far end."""
        self._timers.clear()
        self.ear.deafen(self.ear.muted)

    def _ring(self, party: Party, ring: c.RingName) -> None:
        self.ear.emit(c.RingWith(ring, party.caller))

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

    def _connect(self, active: Party, held: Party) -> None:
        """Hand one over to the phone at the other end of the other."""
        given, inside = (held, active) if active.inside else (active, held)
        self.ear.emit(c.HandOver(given.call, inside.call, given.caller))

    def _hold_key(self, on: bool) -> None:
        if self.state in ("talking", "placing") and self.active and self.active.on_hold != on:
            self.active.on_hold = on
            self.ear.emit(c.Hold(self.active.call, on), h.Light("hold", on))
