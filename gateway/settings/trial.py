"""Law 17: a change is a trial. It is in force for a while, and kept only when the client that made it is
heard again; else what was before returns by itself. One trial at a time; whoever edited an older state is
told so.

The table of the trial. It knows names and revisions, no texts: the keeper has those and performs the actions.
"""

from dataclasses import dataclass
from typing import Literal

SHORTEST_S = 5
LONGEST_S = 900

Phase = Literal["idle", "applying", "trying", "keeping", "returning"]


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was proposed. `trial`: its name, which a client has to know to keep it; `base`: the
    revision that it was made from; `seconds`: how long it waits to be kept."""

    trial: str
    who: str
    base: int
    seconds: float


# --- events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposed:
    """Somebody wants `change`; its text was checked and is sound."""

    change: Change
    only_look: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """What Apply asked for is in force."""


@dataclass(frozen=True, slots=True)
class NotApplied:
    """It could not be put in force whole."""


@dataclass(frozen=True, slots=True)
class Keep:
    """A client wants the trial of this name to stay."""

    trial: str


@dataclass(frozen=True, slots=True)
class Drop:
    """A client wants what was before."""

    trial: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What Store asked for is on the disk, under this revision."""

    revision: int


@dataclass(frozen=True, slots=True)
class NotStored:
    """The disk refused."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What was before is in force again."""


TrialEvent = Proposed | Applied | NotApplied | Keep | Drop | Stored | NotStored | Returned

# --- actions --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell who asked that it is not done, in words."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Show:
    """Tell who asked what the change would do."""

    change: Change


@dataclass(frozen=True, slots=True)
class Apply:
    """Put the change in force; then Applied or NotApplied."""

    change: Change


@dataclass(frozen=True, slots=True)
class Store:
    """Put the change on the disk as the newest revision; then Stored or NotStored."""

    change: Change


@dataclass(frozen=True, slots=True)
class Return:
    """Put what was before in force again; then Returned."""

    change: Change
    why: Literal["refused", "dropped", "time"]


@dataclass(frozen=True, slots=True)
class Kept:
    """Tell everybody that the change stays."""

    change: Change
    revision: int


TrialAction = Refuse | Show | Apply | Store | Return | Kept


class Trial:
    """The table. `revision` and `by`: what is confirmed, and who made it; `due`: when the trial is over."""

    def __init__(self, revision: int, by: str) -> None:
        self.revision = revision
        self.by = by
        self.phase: Phase = "idle"
        self.change: Change | None = None
        self.due: float | None = None

    def left_s(self, now: float) -> float:
        """Until the trial is over; 0 without one."""
        return max(0.0, self.due - now) if self.due is not None else 0.0

    def receive(self, event: TrialEvent | None, now: float) -> list[TrialAction]:
        """Take in `event` (None: look whether something is due). Events that fit no phase change nothing."""
        match event, self.phase, self.change:
            case None, "trying", Change() as change if self.due is not None and self.due <= now:
                return self._return(change, "time")
            case None, _, _:
                return []
            case Proposed(change, only_look), _, _:
                return self._propose(change, only_look)
            case Applied(), "applying", Change() as change:
                self.phase, self.due = "trying", now + change.seconds
            case NotApplied(), "applying", Change() as change:
                return self._return(change, "refused")
            case Keep(name), "trying", Change() as change if name == change.trial:
                self.phase = "keeping"
                return [Store(change)]
            case Drop(name), "trying", Change() as change if name == change.trial:
                return self._return(change, "dropped")
            case Keep() | Drop(), _, _:
                return [self._unknown()]
            case Stored(revision), "keeping", Change() as change:
                self.revision, self.by = revision, change.who
                self._rest()
                return [Kept(change, revision)]
            case NotStored(), "keeping", Change():
                self.phase = "trying"
            case Returned(), "returning", _:
                self._rest()
            case _:
                pass
        return []

    def _propose(self, change: Change, only_look: bool) -> list[TrialAction]:
        if change.base != self.revision:
            return [
                Refuse(
                    f"the settings are at revision {self.revision} now ({self.by}); "
                    f"yours were made from revision {change.base}",
                    "Read them again and repeat your change",
                )
            ]
        if only_look:
            return [Show(change)]
        if self.change is not None:
            return [
                Refuse(
                    f"a change of {self.change.who} is on trial",
                    "Wait until it is kept or dropped, or drop it",
                )
            ]
        if not SHORTEST_S <= change.seconds <= LONGEST_S:
            return [
                Refuse(f"a trial cannot last {change.seconds:g} s", f"Give it {SHORTEST_S} to {LONGEST_S} s")
            ]
        self.phase, self.change = "applying", change
        return [Apply(change)]

    def _return(self, change: Change, why: Literal["refused", "dropped", "time"]) -> list[TrialAction]:
        self.phase, self.due = "returning", None
        return [Return(change, why)]

    def _unknown(self) -> Refuse:
        if self.change is None:
            return Refuse(
                "no change is on trial", "It was kept, dropped, or its time was over: see the history"
            )
        return Refuse(f"another change is on trial, of {self.change.who}", "Look at the trial again")

    def _rest(self) -> None:
        self.phase, self.change, self.due = "idle", None, None
