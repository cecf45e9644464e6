"""Nothing that was told is lost, a page is a page, a damaged file goes aside, the disk holds nobody up."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DoorError
from gateway.history.model import Batch
from gateway.history.recorder import Recorder
from gateway.history.series import MINUTE_S, Minutes, thinned
from gateway.history.store import FILE, KEEP_DAYS, Store
from gateway.messages import AnyMessage, CallEnded, Event
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
from gateway.status import Status, UplinkState, UplinkStatus

AnswerT = TypeVar("AnswerT", bound=AnyMessage)


def call(number: int, remote: str = "442079460001") -> CallEnded:
    return CallEnded(
        call=number,
        direction="out",
        phone="desk",
        remote=remote,
        caller_id="442037691880",
        uplink="main",
        started_at=1000.0 + number,
        answered_at=1001.0 + number,
        ended_at=1010.0 + number,
        sip_code=200,
        reason="ended here",
        moves=1,
        attempts=("main 192.0.2.10: 200",),
        mos=4.1,
    )


def event(text: str, kind: str = "uplink", uplink: str = "") -> Event:
    return Event(at=1.0, kind=kind, text=text, uplink=uplink)  # type: ignore[arg-type]


def uplink(name: str = "main", state: UplinkState = "up", rtt_ms: float | None = 20.0) -> UplinkStatus:
    return UplinkStatus(
        name=name, role="main", device="eth0", state=state, sentence="", rtt_ms=rtt_ms, carries_trunk=True
    )


def status(*uplinks: UplinkStatus) -> Status:
    return Status(
        verdict="",
        active_uplink="main",
        internet_uplink="main",
        calls_process="running",
        guard="standing",
        uplinks=uplinks,
    )


def test_pages_go_back_without_gap_or_double(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(Batch([call(n) for n in range(25)], [event(str(n)) for n in range(25)], []))
    seen: list[float] = []
    before, more = 0, True
    while more:
        page, more = store.calls(GetCalls(before=before, limit=10))
        seen += [c.started_at for c in page]
        before = page[-1].record
    assert seen == [1000.0 + n for n in reversed(range(25))]
    assert page[-1].attempts == ("main 192.0.2.10: 200",) and page[-1].mos == 4.1
    events, more = store.events(GetEvents(limit=30))
    assert [e.text for e in events] == [str(n) for n in reversed(range(25))] and not more
    store.close()


def test_words_and_kinds_choose(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(Batch([call(1, "4930123"), call(2, "33123")], [event("a", "switch"), event("b")], []))
    assert [c.remote for c in store.calls(GetCalls(words="4930"))[0]] == ["4930123"]
    assert [c.remote for c in store.calls(GetCalls(words="' or 1=1 --"))[0]] == []
    assert [e.text for e in store.events(GetEvents(kinds=("switch",)))[0]] == ["a"]
    store.close()


def test_a_damaged_file_goes_aside_and_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be read as one" * 100)
    store = Store(tmp_path)
    store.write(Batch([call(1)], [], []))
    assert "begun anew" in store.trouble and list(tmp_path.glob("*.damaged"))
    assert len(store.calls(GetCalls())[0]) == 1
    store.close()


def test_a_disk_that_refuses_loses_nothing(tmp_path: Path) -> None:
    """The first writes fail; what waited is written when the disk is back, and the trouble is said once."""

    class Stubborn(Store):
        refusals = 2

        def write(self, batch: Batch) -> None:
            if self.refusals:
                self.refusals -= 1
                raise DoorError("the history cannot be used", where=FILE, remedy="Check the disk")
            super().write(batch)

    told: list[Event] = []

    async def main() -> None:
        recorder = Recorder(Stubborn(tmp_path), told.append)
        running = asyncio.create_task(recorder.run())
        for n in range(3):
            recorder.happened(call(n))
            await ask(recorder, GetCalls(), CallsThen)
        assert len((await ask(recorder, GetCalls(), CallsThen)).calls) == 3
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    assert len(told) == 1 and "cannot be used" in told[0].text


async def ask(recorder: Recorder, verb: RecordVerb, wanted: type[AnswerT]) -> AnswerT:
    done: asyncio.Future[AnyMessage] = asyncio.get_running_loop().create_future()
    recorder.ask(verb, done.set_result)
    answer = await asyncio.wait_for(done, 10)
    assert isinstance(answer, wanted)
    return answer


def test_what_is_asked_for_is_there_at_once_and_after_the_end(tmp_path: Path) -> None:
    async def main(work: Callable[[Recorder], object]) -> None:
        recorder = Recorder(Store(tmp_path), lambda event: None)
        running = asyncio.create_task(recorder.run())
        await work(recorder)  # type: ignore[misc]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def tell(recorder: Recorder) -> None:
        recorder.happened(event("first", uplink="main"))
        assert [e.text for e in (await ask(recorder, GetEvents(), EventsThen)).events] == ["first"]
        recorder.happened(event("second"))
        await asyncio.sleep(0)

    async def look(recorder: Recorder) -> None:
        found = await ask(recorder, GetEvents(), EventsThen)
        assert [e.text for e in found.events] == ["second", "first"]
        assert (await ask(recorder, GetSeries(uplink="none", since=0, until=9e9), SeriesThen)).samples == ()

    asyncio.run(main(tell))
    asyncio.run(main(look))


def test_old_minutes_go_and_new_ones_stay(tmp_path: Path) -> None:
    store = Store(tmp_path)
    now = 1_800_000_000.0
    old, new = now - KEEP_DAYS * 86400 - 60, now - 60
    samples = [
        ("main", Sample(at=at, seconds=60.0, state="up", usable=1.0, carried=1.0)) for at in (old, new)
    ]
    store.write(Batch([], [], samples))
    store.prune(now)
    assert [s.at for s in store.minutes("main", 0, now)] == [new]
    store.close()


def test_a_read_only_file_is_said_with_a_remedy(tmp_path: Path) -> None:
    store = Store(tmp_path / "nowhere")
    with pytest.raises(DoorError, match="calls do not need it"):
        store.write(Batch([call(1)], [], []))


def test_a_minute_is_called_after_its_worst_moment() -> None:
    minutes = Minutes()
    assert minutes.look([uplink(rtt_ms=10.0), uplink("off", "disabled")], 600.0) == []
    assert minutes.look([uplink(state="no_carrier", rtt_ms=None)], 630.0) == []
    ((name, sample),) = minutes.look([uplink()], 660.0)
    assert (name, sample.at, sample.state) == ("main", 600.0, "no_carrier")
    assert sample.usable == 0.5 and sample.rtt_ms == 10.0 and sample.loss is None


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(["up", "down", "degraded"])), max_size=60),
    st.integers(1, 50),
)
def test_thinning_keeps_the_worst_and_the_share(looks: list[tuple[float, UplinkState]], points: int) -> None:
    minutes, samples = Minutes(), list[Sample]()
    for at, state in sorted(looks):
        samples += [sample for _, sample in minutes.look([uplink(state=state)], at)]
    thin = thinned(samples, 0.0, 1e6 + MINUTE_S, points)
    assert len(thin) <= points
    assert {s.state for s in thin} <= {s.state for s in samples}
    assert ("down" in {s.state for s in samples}) == ("down" in {s.state for s in thin})
    assert all(0 <= s.usable <= 1 for s in thin)


def test_the_file_is_strict(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(Batch([call(1)], [], []))
    store.close()
    with sqlite3.connect(tmp_path / FILE) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("insert into events (at, kind) values ('soon', 'x')")
    db.close()


def test_an_end_in_the_middle_of_writing_waits_for_the_disk(tmp_path: Path) -> None:
    """What is being written when the end comes is done first, then all is closed: never two at a time."""
    at_once, most, order = 0, 0, list[str]()

    class Slow(Store):
        def write(self, batch: Batch) -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            time.sleep(0.2)
            super().write(batch)
            order.append("wrote")
            at_once -= 1

        def close(self) -> None:
            order.append("closed")
            super().close()

    async def main() -> None:
        recorder = Recorder(Slow(tmp_path), lambda event: None)
        running = asyncio.create_task(recorder.run())
        recorder.happened(event("first"))
        recorder.ask(GetEvents(), lambda answer: None)  # has it written now
        await asyncio.sleep(0.05)
        recorder.happened(event("second"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    assert most == 1 and order[-1] == "closed"
    store = Store(tmp_path)
    assert "first" in [e.text for e in store.events(GetEvents())[0]]
    store.close()


def test_a_month_is_merged_in_the_file_as_it_would_be_outside(tmp_path: Path) -> None:
    store, random = Store(tmp_path), Random(7)
    states: list[UplinkState] = ["up", "down", "suspect", "no_carrier"]
    minutes = [
        Sample(
            at=60.0 * n,
            seconds=60.0,
            state=random.choice(states),
            usable=random.random(),
            carried=random.random(),
            rtt_ms=random.choice([None, 10.0, 31.5]),
            jitter_ms=random.choice([None, 1.0, 7.0]),
            loss=random.choice([None, 0.0, 0.25]),
            mos=random.choice([None, 3.0, 4.4]),
        )
        for n in range(500)
        if n % 50 > 20
    ]
    store.write(Batch([], [], [("main", minute) for minute in minutes]))
    since, until, points = 120.0, 28_000.0, 40
    outside = thinned(store.minutes("main", since, until), since, until, points)
    inside = store.merged("main", since, until, (until - since) / points)
    assert [(s.at, s.seconds, s.state) for s in inside] == [(s.at, s.seconds, s.state) for s in outside]
    for name in ("usable", "carried", "rtt_ms", "jitter_ms", "loss", "mos"):
        wanted = [getattr(s, name) for s in outside]
        assert [getattr(s, name) for s in inside] == [w if w is None else pytest.approx(w) for w in wanted]
    store.close()
