"""Law: a call between two phones of the house has two ends, or is over for both.

The house's own exchange, without SIP: it says what each phone is to be told and whose audio is joined, and
does neither. Both phones know the call by the same number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.phones import callside as c
from gateway.phones.model import Caller


@dataclass(frozen=True, slots=True)
class ToPhone:
    """Tell this phone's line."""

    phone: str
    event: c.CallEvent


@dataclass(frozen=True, slots=True)
class Join:
    """Two phones hear each other, or not any more."""

    phone: str
    other: str
    on: bool


Effect = ToPhone | Join


@dataclass(slots=True)
class Inside:
    """One call. `holders`: the phones that have put it on hold; `joined`: they hear each other."""

    caller: str
    callee: str
    up: bool = False
    holders: set[str] = field(default_factory=set)
    joined: bool = False

    def other(self, phone: str) -> str:
        """The phone at the other end."""
        return self.callee if phone == self.caller else self.caller


class InsideCalls:
    """All calls within the house."""

    def __init__(self) -> None:
        self._calls: dict[int, Inside] = {}

    def __contains__(self, call: int) -> bool:
        return call in self._calls

    def get(self, call: int) -> Inside:
        """Raises KeyError when there is none."""
        return self._calls[call]

    def place(self, call: int, phone: str, to: str, shown: Caller) -> Iterator[Effect]:
        """`phone` calls `to`, which is free and will be shown `shown`."""
        self._calls[call] = Inside(phone, to)
        yield ToPhone(to, c.Offered(call, shown, inside=True))
        yield ToPhone(phone, c.Ringback(call, True))

    def take(self, call: int) -> Iterator[Effect]:
        """The called phone is lifted."""
        inside = self._calls[call]
        inside.up = True
        yield ToPhone(inside.caller, c.Answered(call))
        yield ToPhone(inside.callee, c.Answered(call))
        yield from self._match(call)

    def drop(self, call: int, phone: str) -> Iterator[Effect]:
        """One end leaves, or refuses."""
        inside = self._calls.pop(call)
        yield from self._part(inside)
        if inside.up:
            over = c.Over(call, 0, "far_hung_up")
        elif phone == inside.callee:
            over = c.Over(call, 486, "busy")
        else:
            over = c.Over(call, 487, "cancelled")
        yield ToPhone(inside.other(phone), over)

    def hold(self, call: int, phone: str, on: bool) -> Iterator[Effect]:
        """One end holds it, or takes it back; both must want it to hear each other."""
        inside = self._calls[call]
        (inside.holders.add if on else inside.holders.discard)(phone)
        yield from self._match(call)

    def leave(self, call: int, phone: str) -> Iterator[Effect]:
        """`phone` has handed another call over by this one, which is no more; its other end is not told."""
        del phone
        yield from self._part(self._calls.pop(call))

    def hand_over(self, call: int, phone: str, to: str, held: bool, up: bool) -> Iterator[Effect]:
        """`phone` leaves its end of this call to `to`, which rings with it (`up` False) or has it already."""
        inside = self._calls[call]
        yield from self._part(inside)
        stays = inside.other(phone)
        holders = (inside.holders - {phone}) | ({to} if held else set())
        self._calls[call] = Inside(stays, to, up, holders)
        if not up:
            yield ToPhone(stays, c.Ringback(call, True))
        yield from self._match(call)

    def redirect(self, call: int, phone: str) -> Iterator[Effect]:
        """It rings at `phone` instead of where it rang."""
        self._calls[call].callee = phone
        yield from ()

    def _match(self, call: int) -> Iterator[Effect]:
        inside = self._calls[call]
        wanted = inside.up and not inside.holders
        if not wanted:
            yield from self._part(inside)
        elif not inside.joined:
            inside.joined = True
            if sum(self._joins(inside)) == 1:
                yield Join(inside.caller, inside.callee, True)
            yield ToPhone(inside.caller, c.Sound(call))
            yield ToPhone(inside.callee, c.Sound(call))

    def _part(self, inside: Inside) -> Iterator[Effect]:
        """Two phones may have two calls with each other: they part with the last that joins them."""
        if inside.joined:
            inside.joined = False
            if not any(self._joins(inside)):
                yield Join(inside.caller, inside.callee, False)

    def _joins(self, inside: Inside) -> Iterator[bool]:
        ends = {inside.caller, inside.callee}
        return (other.joined for other in self._calls.values() if {other.caller, other.callee} == ends)
