"""What the history room writes at a time, and the shelf that it is written to."""

from dataclasses import dataclass
from typing import Protocol

from gateway.messages import CallEnded, Event
from gateway.records import CallRecord, EventRecord, GetCalls, GetEvents, Sample


@dataclass(slots=True)
class Batch:
    """What is written together; minutes with the name of their uplink."""

    calls: list[CallEnded]
    events: list[Event]
    minutes: list[tuple[str, Sample]]

    def __bool__(self) -> bool:
        return bool(self.calls or self.events or self.minutes)


class Shelf(Protocol):
    """Calls block, one at a time; they raise DoorError. `trouble`: what had to go aside, in a sentence."""

    trouble: str

    def write(self, batch: Batch) -> None:
        """All of it, or nothing."""

    def prune(self, now: float) -> None:
        """Forget what is too old or too much. `now`: Unix seconds."""

    def calls(self, asked: GetCalls) -> tuple[list[CallRecord], bool]:
        """One page, newest first, and whether there are older ones."""

    def events(self, asked: GetEvents) -> tuple[list[EventRecord], bool]:
        """One page, newest first, and whether there are older ones."""

    def minutes(self, uplink: str, since: float, until: float) -> list[Sample]:
        """Every minute of this time, oldest first."""

    def merged(self, uplink: str, since: float, until: float, step_s: float) -> list[Sample]:
        """The same time in stretches of `step_s`."""

    def close(self) -> None:
        """Let go of the file."""
