"""The call log and the timeline on the command line: page after page, newest last."""

import json

from gateway.messages import AnyMessage
from gateway.records import CallRecord, CallsThen, EventRecord, EventsThen, GetCalls, GetEvents
from tests.ctl.fake import FakeDaemon
from tests.ctl.terminal import Run

CALLS = [
    CallRecord(
        record=n,
        direction="out",
        phone="desk",
        remote=f"44207946{n:04d}",
        caller_id="442037691880",
        uplink="main",
        started_at=1000.0 + n,
        answered_at=1001.0 + n if n % 2 else 0.0,
        ended_at=1031.0 + n,
        sip_code=0 if n % 2 else 486,
        reason="ended here" if n % 2 else "busy",
        moves=n % 3,
        attempts=(),
        mos=4.2 if n % 2 else None,
    )
    for n in range(1, 701)
]


def some_calls(asked: GetCalls) -> AnyMessage:
    older = [c for c in reversed(CALLS) if not asked.before or c.record < asked.before]
    older = [c for c in older if asked.words in c.remote]
    return CallsThen(calls=tuple(older[: asked.limit]), more=len(older) > asked.limit)


def some_events(asked: GetEvents) -> AnyMessage:
    events = tuple(EventRecord(record=n, at=1000.0 + n, kind="switch", text=f"No. {n}") for n in (3, 2, 1))
    return EventsThen(events=events if "switch" in asked.kinds or not asked.kinds else (), more=False)


def test_the_call_log_ends_with_the_newest(daemon: FakeDaemon, run: Run) -> None:
    daemon.says[GetCalls] = some_calls
    code, out, _ = run("calls", "log", "--lines", "600")
    lines = out.splitlines()
    assert code == 0 and len(lines) == 601, "more than one answer holds"
    assert "442079460700" in lines[-1] and "486 busy" in lines[-1]
    assert "30 s" in lines[-2] and "4.2" in lines[-2]
    assert [asked.limit for asked in daemon.asked if isinstance(asked, GetCalls)] == [500, 100]


def test_words_choose_and_programs_get_json(daemon: FakeDaemon, run: Run) -> None:
    daemon.says[GetCalls] = some_calls
    found = json.loads(run("calls", "log", "460007", "--json")[1])
    assert [call["remote"] for call in found] == ["442079460007"]
    assert run("calls", "log", "nobody")[1] == "No calls.\n"


def test_the_timeline_by_kind(daemon: FakeDaemon, run: Run) -> None:
    daemon.says[GetEvents] = some_events
    assert [line[-5:] for line in run("timeline")[1].splitlines()] == ["No. 1", "No. 2", "No. 3"]
    assert run("timeline", "--kind", "fraud")[1] == "Nothing yet.\n"
