"""Where a call of a phone is let out, or not: the calling rules (fraud.py) with what they need to know of the
number, the phone and the time of day; and their book, kept over a restart."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway import messages as m
from gateway.calls import fraud, numbers
from gateway.errors import RefusedError


class Book(Protocol):
    """Where the count of calls outlives this process."""

    def load(self) -> tuple[fraud.Kept, ...]: ...
    def save(self, kept: Iterable[fraud.Kept]) -> None: ...


class Gate:
    """`clock` gives monotonic seconds, `wall` Unix seconds; `blocked` hears what the owner should hear of."""

    def __init__(
        self,
        plan: m.TrunkPlan,
        book: Book | None,
        blocked: Callable[[m.CallBlocked], None],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._plan = plan
        self._book = book
        self._changed = False
        self._blocked = blocked
        self._clock, self._wall = clock, wall
        self._rules = fraud.Rules(plan.calling, plan.country)
        if book is not None:
            self._rules.recall(book.load(), clock(), wall())

    def replan(self, plan: m.TrunkPlan) -> None:
        """Other rules, for calls from now on."""
        self._plan = plan
        self._rules.replan(plan.calling, plan.country)

    def objection(self, dialled: numbers.Dialled) -> str:
        """What the rules have against a number, as a sentence; empty when nothing."""
        if dialled.kind in ("emergency", "invalid") or dialled.digits == self._plan.confirm_number:
            return ""
        region, kinds = numbers.kinds(dialled, self._plan.country)
        why = self._rules.objection(fraud.Asked(0, "", region, kinds), self._clock(), self._local())
        pin = " without the PIN" if self._plan.calling.pin else ""
        return f"It is not allowed{pin}: {why}." if why else ""

    def let_out(
        self, call: int, phone: str, dialled: numbers.Dialled, pin: str, *, room: bool
    ) -> float | None:
        """How many seconds the call may last, None: as long as they like. `room`: the engine has some left.
        Raises RefusedError with the key of the words for a handset."""
        region, kinds = numbers.kinds(dialled, self._plan.country)
        if dialled.digits == self._plan.confirm_number:
            kinds = (*kinds, *self._plan.calling.types)
        plan = next((p for p in self._plan.phones if p.name == phone), None)
        asked = fraud.Asked(call, phone, region, kinds, plan.may_call if plan else "rules", pin)
        answer = self._rules.ask(asked, self._clock(), self._local())
        if isinstance(answer, fraud.Allowed):
            if room:
                return answer.longest_s
            answer = fraud.Blocked("too_many_calls", "the box has no room for another call", alarm=True)
        if answer.alarm:
            self._blocked(m.CallBlocked(phone=phone, number=dialled.shown, why=answer.words, call=call))
        remedy = "Change the calling rules if it is to be allowed"
        raise RefusedError(
            f"{dialled.shown} was not called: {answer.words}",
            where=phone,
            remedy="Give the PIN at the phone" if answer.reason == "pin_wanted" else remedy,
            reason=answer.reason,
        )

    def began(self, call: int) -> None:
        """A call that was let out is made."""
        self._rules.began(call, self._clock(), self._local())
        self._changed = True

    def answered(self, call: int) -> None:
        """The far end has taken it, if it is one that began here."""
        self._rules.answered(call, self._clock(), self._local())

    def ended(self, call: int) -> None:
        """It is over, if it is one that began here."""
        self._rules.ended(call, self._clock())
        self._changed = True

    def keep(self) -> None:
        """Write the book, if something in it is new; after the INVITE, which does not wait for a disk."""
        if self._book is not None and self._changed:
            self._changed = False
            self._book.save(self._rules.keep(self._clock(), self._wall()))

    def _local(self) -> datetime:
        """The time at the box."""
        at, zone = self._wall(), self._plan.time_zone
        try:
            return datetime.fromtimestamp(at, ZoneInfo(zone) if zone else None)
        except (ZoneInfoNotFoundError, ValueError):
            return datetime.fromtimestamp(at)
