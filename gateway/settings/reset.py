"""Law: a reset is written down before anything is wiped, each step can be done twice, and the note is taken
away last: a power cut at any moment ends in the same place. A reset leaves the vault; only decommissioning
does not.

The table of resets. The first gives back the newest snapshot; a second within ten minutes the settings before
those, for who resets again has wrong settings; a third leaves the box empty. Pure.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

AGAIN_S = 600.0
"""A reset so soon after another means: not these settings."""
EMPTY_AT = 3
"""The reset in a row that leaves the box empty."""

Kind = Literal["", "reset", "decommission"]


class Moment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time on a box that may have no clock: which boot, seconds since it, Unix seconds, and whether anybody
    set that clock."""

    boot: str
    up_s: float
    wall_s: float
    trusted: bool


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is remembered of resets, beside the vault. `pending`: what is being done; `count`: resets in a
    row; `marker`: the marker file that was obeyed last."""

    pending: Kind = ""
    who: str = ""
    count: int = 0
    at: Moment | None = None
    marker: str = ""


# --- events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody wants this."""

    kind: Literal["reset", "decommission"]
    who: str


@dataclass(frozen=True, slots=True)
class Started:
    """The box starts; nothing is open yet. `marker` identifies the marker file (empty: there is none)."""

    marker: str = ""


# --- actions --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Write:
    """Have this record on the disk before going on."""

    record: Record


@dataclass(frozen=True, slots=True)
class Restart:
    """End the process; it comes back with an empty mind."""


@dataclass(frozen=True, slots=True)
class Wipe:
    """Overwrite and take away settings, state and recordings."""


@dataclass(frozen=True, slots=True)
class Restore:
    """Put back what the vault holds, `back` settings before the newest."""

    back: int


@dataclass(frozen=True, slots=True)
class Destroy:
    """Overwrite and take away the key of the vault, then the vault."""


@dataclass(frozen=True, slots=True)
class Blank:
    """Write over what is free on the disk, where editors and cuts may have left something."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Take the record away."""


ResetAction = Write | Restart | Wipe | Restore | Destroy | Blank | Forget


class Reset:
    """The table, around the record that stands on the disk."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def next_is_empty(self, now: Moment) -> bool:
        """Whether a reset now would leave the box without settings."""
        return self._count(now) == EMPTY_AT

    def receive(self, event: Wanted | Started, now: Moment) -> list[ResetAction]:
        """Take in `event`; the actions are to be done in order, each to its end."""
        match event:
            case Wanted():
                if self.record.pending:
                    return [Restart()]
                return [self._write(self._asked(event, now)), Restart()]
            case Started(marker):
                return self._begin(marker, now)

    def _begin(self, marker: str, now: Moment) -> list[ResetAction]:
        actions: list[ResetAction] = []
        if not self.record.pending and marker and marker != self.record.marker:
            asked = self._asked(Wanted("reset", "the marker file"), now)
            actions.append(self._write(msgspec.structs.replace(asked, marker=marker)))
        record = self.record
        if record.pending == "reset":
            actions.append(Wipe())
            if record.count < EMPTY_AT:
                actions.append(Restore(record.count - 1))
            # A marker on a partition that cannot be written stays; it is known by its face.
            actions.append(self._write(msgspec.structs.replace(record, pending="", marker=marker)))
        elif record.pending == "decommission":
            self.record = Record()
            actions += [Destroy(), Wipe(), Blank(), Forget()]
            if marker:
                actions.append(self._write(Record(marker=marker)))
        elif not marker and record.marker:
            actions.append(self._write(msgspec.structs.replace(record, marker="")))
        return actions

    def _asked(self, wanted: Wanted, now: Moment) -> Record:
        if wanted.kind == "decommission":
            return msgspec.structs.replace(self.record, pending="decommission", who=wanted.who, at=now)
        count = self._count(now)
        return msgspec.structs.replace(self.record, pending="reset", who=wanted.who, count=count, at=now)

    def _count(self, now: Moment) -> int:
        last = self.record
        if last.at is None or not soon(last.at, now):
            return 1
        return last.count % EMPTY_AT + 1

    def _write(self, record: Record) -> Write:
        self.record = record
        return Write(record)


def soon(before: Moment, now: Moment) -> bool:
    """Whether `now` is within AGAIN_S of `before`. Within one boot the clock that counts from it knows.
    Across boots a clock that was set knows; without one, whoever resets twice with a power cut between is at
    it."""
    if before.boot == now.boot:
        return now.up_s - before.up_s <= AGAIN_S
    if now.up_s > AGAIN_S:
        return False
    if before.trusted and now.trusted and now.wall_s >= before.wall_s:
        return now.wall_s - before.wall_s <= AGAIN_S
    return True
