"""The whole gateway in the laboratory: running calls meet every kind of far end while their uplink dies.

Real kernel, real provider (Kamailio, rtpengine), real far ends; nothing is faked but the weather.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway import messages as m
from gateway.status import CallView
from tests.lab import plan
from tests.lab.box import Box, settings_text
from tests.lab.farend import FarCall
from tests.lab.lab import Lab

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    logs: Path = tmp_path_factory.mktemp("moves")
    with Lab(logs) as lab:
        yield lab


@pytest.fixture
def box(lab: Lab) -> Iterator[Box]:
    """A gateway that has just started, with all channels up: no earlier trouble damps a channel."""
    with Box(lab, settings_text(failback_after_s=1.0)) as box:
        box.confirm_in_advance()
        box.start()
        box.await_ready()
        yield box
        for call in box.status().calls:
            box.request(m.HangUp(phone=call.phone))
    lab.provider.mode(strict_in_dialog=False)
    for uplink in plan.UPLINKS:
        lab.heal(uplink)
        lab.restore_carrier(uplink)


def only(box: Box) -> CallView:
    return box.status().calls[0]


def dial(box: Box, number: str, state: str = "up") -> None:
    """Dial, and wait until the call is in `state`."""
    box.ask(m.Dial(phone="desk", digits=number))
    box.await_status(lambda s: [c.state for c in s.calls] == [state], f"the call to be {state}")


def moved(box: Box, act: Callable[[], object], uplink: str = "backup1") -> m.Event:
    """What the timeline says of the move that `act` brings about."""
    since_s = time.time()
    act()
    event = box.await_event(lambda e: e.kind == "moved", f"a move to {uplink}", since_s=since_s)
    assert event.uplink == uplink
    return event


def heard_after(box: Box, number: str, at_s: float) -> None:
    """Wait until the far end hears the phone's audio again."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        calls = box.lab.far.calls(number=number)
        if calls and any(frame.at_s > at_s for frame in box.lab.far.heard(calls[-1])):
            return
        time.sleep(0.05)
    raise AssertionError(f"{number} heard nothing after the move")


def last(box: Box, number: str) -> FarCall:
    return box.lab.far.calls(number=number)[-1]


@pytest.mark.parametrize("trouble", ["carrier", "blackhole", "one way", "the owner's order"])
def test_running_call_goes_on_by_the_other_channel(box: Box, trouble: str) -> None:
    dial(box, plan.ANSWERS)
    call_id = last(box, plan.ANSWERS).call_id
    event = moved(
        box,
        {
            "carrier": lambda: box.lab.cut_carrier("main"),
            "blackhole": lambda: box.lab.blackhole("main"),
            "one way": lambda: box.lab.blackhole("main", "down"),
            "the owner's order": lambda: box.ask(m.UseUplink(uplink="backup1")),
        }[trouble],
    )
    heard_after(box, plan.ANSWERS, event.at)
    far = last(box, plan.ANSWERS)
    assert far.call_id == call_id, "it is the same dialog"
    contacts = [e.detail["contact"] for e in far.events if e.detail.get("method") == "INVITE"]
    assert plan.BACKUP1.public in contacts[-1]


def test_held_call_moves_and_is_taken_back(box: Box) -> None:
    dial(box, plan.ANSWERS)
    box.ask(m.Hold(phone="desk", on=True))
    moved(box, lambda: box.lab.cut_carrier("main"))
    assert only(box).state == "held"
    box.ask(m.Hold(phone="desk", on=False))
    heard_after(box, plan.ANSWERS, time.time())


def test_hold_that_hangs_on_the_dead_channel_does_not_keep_the_call_there(box: Box) -> None:
    dial(box, plan.ANSWERS)
    box.lab.blackhole("main")
    box.ask(m.Hold(phone="desk", on=True))
    moved(box, lambda: box.lab.cut_carrier("main"))
    box.ask(m.Hold(phone="desk", on=False))
    heard_after(box, plan.ANSWERS, time.time())


@pytest.mark.parametrize("number", [plan.REFUSES_REINVITE, plan.IGNORES_REINVITE])
def test_far_end_that_will_not_be_moved_gets_a_call_that_replaces_the_old(box: Box, number: str) -> None:
    dial(box, number)
    event = moved(box, lambda: box.lab.cut_carrier("main"))
    assert "replaced" in event.text
    assert last(box, number).replaces
    heard_after(box, number, event.at)


def test_provider_that_refuses_another_address_in_the_dialog_is_called_anew(box: Box) -> None:
    box.lab.provider.mode(strict_in_dialog=True)
    dial(box, plan.ANSWERS)
    event = moved(box, lambda: box.lab.cut_carrier("main"))
    heard_after(box, plan.ANSWERS, event.at)


@pytest.mark.parametrize(
    ("number", "state"), [(plan.EARLY_MEDIA, "early"), (plan.RINGS_THEN_ANSWERS, "early")]
)
def test_call_that_still_rings_is_placed_again_at_once(box: Box, number: str, state: str) -> None:
    dial(box, number, state)
    since_s = time.time()
    box.lab.cut_carrier("main")
    box.await_status(lambda s: [c.state for c in s.calls] == ["up"], "the second call to be answered")
    first, second = box.lab.far.calls(number=number)[-2:]
    assert second.at_s - since_s < 3.0
    assert first.ended_s is not None, "the first call does not ring on"
    assert (first.answered_s, second.source.split(":")[0]) == (None, plan.BACKUP1.public)


def test_incoming_call_moves_and_the_far_ends_late_bye_is_heard(box: Box) -> None:
    call_id = box.lab.far.call(plan.CONNECTED_NUMBERS[0])
    box.await_status(lambda s: [c.state for c in s.calls] == ["up"], "desk to answer")
    carrier = only(box).uplink  # where the registration stands: it may not have followed the switch yet
    moved(box, lambda: box.lab.cut_carrier(carrier), "backup1" if carrier == "main" else "main")
    box.lab.far.hang_up(call_id)
    box.await_status(lambda s: not s.calls, "the far end's BYE to end the call")


def test_call_waits_for_a_channel_when_all_are_down_and_goes_on_by_the_first(box: Box) -> None:
    dial(box, plan.ANSWERS)
    for uplink in plan.UPLINKS:
        box.lab.cut_carrier(uplink)
    box.await_status(lambda s: s.active_uplink == "", "no channel to be left")
    assert only(box).state in ("moving", "up")
    event = moved(box, lambda: box.lab.restore_carrier("backup1"))
    heard_after(box, plan.ANSWERS, event.at)


def test_return_of_the_main_channel_leaves_running_calls_where_they_are(box: Box) -> None:
    dial(box, plan.ANSWERS)
    moved(box, lambda: box.lab.cut_carrier("main"))
    box.lab.restore_carrier("main")
    box.await_status(
        lambda s: next(u for u in s.uplinks if u.name == "main").state == "up", "main to be up again"
    )
    time.sleep(2.0)  # longer than failback_after_s: there is nothing to wait for but nothing
    assert (only(box).uplink, box.status().active_uplink) == ("backup1", "backup1")
    box.ask(m.HangUp(phone="desk"))
    box.await_ready()


def test_far_end_that_pauses_its_audio_moves_nothing(box: Box) -> None:
    dial(box, plan.PAUSES)
    since_s = time.time()
    time.sleep(6.0)  # three seconds of speech, then the pause, which is what this is about
    assert only(box).uplink == "main"
    assert [e.text for e in box.events if e.kind in ("moved", "switch") and e.at > since_s] == []
