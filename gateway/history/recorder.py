"""The loop of the history room: gathers what happens, writes it in batches, answers questions about the past.

Law: it never holds anybody up. The disk is touched in a thread, one after another, and the watchdog does not
count it; what cannot be written is kept, as far as memory allows, and tried again.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Never, TypeVar

from gateway.errors import GatewayError
from gateway.history.model import Batch, Shelf
from gateway.history.series import MINUTE_S, Minutes, thinned
from gateway.inbox import Inbox
from gateway.messages import AnyMessage, CallEnded, Event, Refused
from gateway.records import (
    CallsThen,
    EventsThen,
    GetCalls,
    GetEvents,
    GetSeries,
    RecordVerb,
    Sample,
    SeriesThen,
)
from gateway.status import Status

SOON_S: Final = 5.0
"""A call or an event is on the disk after so long at most."""
MINUTES_S: Final = 600.0
"""Minutes of uplinks wait for so long: a card is not written to every minute."""
LOOK_S: Final = 5.0
AGAIN_S: Final = 60.0
PRUNE_S: Final = 86400.0
MOST_KEPT: Final = 5000
TURN_S: Final = 1.0

Reply = Callable[[AnyMessage], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Asked:
    verb: RecordVerb
    reply: Reply


class Recorder:
    """The room. Build it on the running loop; `publish` tells the timeline of troubles."""

    def __init__(
        self,
        store: Shelf,
        publish: Callable[[Event], None],
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._publish, self._wall = store, publish, wall
        self._inbox = Inbox[Event | CallEnded | Status | _Asked]()
        self._clock = asyncio.get_running_loop().time
        self._disk = ThreadPoolExecutor(1, "history")
        self._minutes = Minutes()
        self._waiting = Batch([], [], [])
        self._flush_at = self._prune_at = self._minutes_at = self._look_at = self._clock()
        self._said = ""

    def happened(self, what: Event | CallEnded) -> None:
        """One more line of the timeline or of the call log."""
        self._inbox.post(what)

    def look(self, status: Status) -> None:
        """The appliance as it is now; most looks are passed over."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._inbox.post(status)

    def ask(self, verb: RecordVerb, reply: Reply) -> None:
        """A question about the past; `reply` is called exactly once, on the loop."""
        self._inbox.post(_Asked(verb, reply))

    async def run(self) -> Never:
        """Until cancelled; what waits is written at the end."""
        self._minutes_at = self._clock() + MINUTES_S
        try:
            while True:
                event = await self._inbox.next(until=self._due())
                match event:
                    case _Asked(verb, reply):
                        await self._flush()  # what is asked for may be waiting
                        reply(await self._answer(verb))
                    case Event():
                        self._wait_for_disk(SOON_S)
                        self._waiting.events.append(event)
                    case CallEnded():
                        self._wait_for_disk(SOON_S)
                        self._waiting.calls.append(event)
                    case Status():
                        self._waiting.minutes += self._minutes.look(event.uplinks, self._wall())
                    case None:
                        pass
                now = self._clock()
                if (
                    self._flush_at <= now and (self._waiting.events or self._waiting.calls)
                ) or self._minutes_at <= now:
                    await self._flush()
                if self._prune_at <= now:
                    self._prune_at = now + PRUNE_S
                    await self._try(lambda: self._store.prune(self._wall()))
        finally:
            # One thread: what it is at when the end comes is done before the rest is written and all closed.
            await self._flush()
            await self._on_disk(self._store.close)
            self._disk.shutdown(wait=False)

    def _due(self) -> float:
        now = self._clock()
        waiting = [self._flush_at] if self._waiting.events or self._waiting.calls else []
        return min([now + TURN_S, self._minutes_at, *waiting])

    def _wait_for_disk(self, seconds: float) -> None:
        if not self._waiting.events and not self._waiting.calls:
            self._flush_at = max(self._flush_at, self._clock() + seconds)

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting, Batch([], [], [])
        self._minutes_at = self._clock() + MINUTES_S
        if not batch or await self._try(lambda: self._store.write(batch)):
            return
        self._flush_at = self._minutes_at = self._clock() + AGAIN_S
        self._waiting = Batch(batch.calls[-MOST_KEPT:], batch.events[-MOST_KEPT:], batch.minutes[-MOST_KEPT:])

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def _try(self, work: Callable[[], None]) -> bool:
        try:
            await self._on_disk(work)
        except GatewayError as error:
            if str(error) != self._said:  # once for each trouble
                self._said = str(error)
                self._publish(Event(at=self._wall(), kind="system", text=self._said))
            return False
        if self._store.trouble:
            self._publish(Event(at=self._wall(), kind="system", text=self._store.trouble))
            self._store.trouble = ""
        self._said = ""
        return True

    def _series(self, verb: GetSeries) -> tuple[Sample, ...]:
        points = max(1, min(verb.points, 1000))
        step_s = (verb.until - verb.since) / points
        if step_s > MINUTE_S:
            return tuple(self._store.merged(verb.uplink, verb.since, verb.until, step_s))
        minutes = self._store.minutes(verb.uplink, verb.since, verb.until)
        return thinned(minutes, verb.since, verb.until, points)

    async def _answer(self, verb: RecordVerb) -> AnyMessage:
        try:
            match verb:
                case GetCalls():
                    calls, more = await self._on_disk(lambda: self._store.calls(verb))
                    return CallsThen(calls=tuple(calls), more=more)
                case GetEvents():
                    events, more = await self._on_disk(lambda: self._store.events(verb))
                    return EventsThen(events=tuple(events), more=more)
                case GetSeries():
                    return SeriesThen(
                        uplink=verb.uplink, samples=await self._on_disk(lambda: self._series(verb))
                    )
        except GatewayError as error:
            return Refused(what=error.what, where=error.where, remedy=error.remedy)
