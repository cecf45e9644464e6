"""A box that knows of no confirmed address yet: nobody can call, but whoever needs help can (law 12)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import messages as m
from tests.lab import plan
from tests.lab.box import Box
from tests.lab.lab import Lab

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """As after a reset: the provider knows the box's addresses, the box knows nothing."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    logs: Path = tmp_path_factory.mktemp("emergency")
    with Lab(logs) as lab, Box(lab) as box:
        for uplink in plan.UPLINKS:
            lab.provider.list_address(uplink.public, confirmed=True)
        box.start()
        box.await_status(
            lambda s: s.calls_process == "running" and s.uplinks[0].state == "up_unconfirmed", "main to be up"
        )
        yield box


def test_ordinary_call_is_not_let_out(box: Box) -> None:
    box.ask(m.Dial(phone="desk", digits=plan.ANSWERS))
    ended = box.await_event(lambda e: e.kind == "call", "the call to end")
    assert "All Internet channels are down" in ended.text
    assert box.lab.far.calls(number=plan.ANSWERS) == []


def test_call_for_help_gets_through_and_is_ended_properly(box: Box) -> None:
    box.ask(m.Dial(phone="desk", digits="999"))
    box.await_status(lambda s: [c.state for c in s.calls] == ["up"], "the call for help to be answered")
    box.ask(m.HangUp(phone="desk"))
    call = box.lab.far.await_call(lambda c: c.number == "999" and c.ended_s is not None)
    assert call.why == "bye received", "the guard closes only after the BYE"


def test_call_for_help_leaves_by_another_channel_when_the_first_is_dead(box: Box) -> None:
    box.lab.cut_carrier("main")
    box.await_status(lambda s: s.uplinks[0].state == "no_carrier", "main to be down")
    box.ask(m.Dial(phone="desk", digits="999"))
    box.await_status(lambda s: [c.state for c in s.calls] == ["up"], "the call for help to be answered")
    assert box.status().calls[0].uplink != "main"
