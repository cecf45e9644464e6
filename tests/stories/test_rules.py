"""The whole gateway in the laboratory: calls for help, calls that come in, and calls that are not allowed."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway import messages as m
from tests.bench import hostile
from tests.lab import plan
from tests.lab.box import Box, settings_text
from tests.lab.caller import Caller
from tests.lab.lab import Lab
from tests.lab.netns import LabError

pytestmark = pytest.mark.root

NUMBER = plan.CONNECTED_NUMBERS[0]
BRANCH = f'[[incoming.sources]]\nname = "branch"\nnetworks = ["{plan.STRANGER}/32"]\n\n'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    logs: Path = tmp_path_factory.mktemp("rules")
    with Lab(logs) as lab:
        yield lab


@pytest.fixture
def box(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Box]:
    """Confirmed on every channel; the parameter is put before the phones of its settings."""
    text = settings_text(failback_after_s=1.0)
    for before, after in getattr(request, "param", ()):
        assert before in text
        text = text.replace(before, after, 1)
    with Box(lab, text) as box:
        box.confirm_in_advance()
        box.start()
        box.await_ready()
        yield box
    lab.far.hang_up()
    lab.provider.start()
    lab.provider.route_inbound(NUMBER, plan.FREE_LOGIN)
    for uplink in plan.UPLINKS:
        lab.heal(uplink)
        lab.restore_carrier(uplink)


def await_up(box: Box, uplink: str) -> None:
    box.await_status(
        lambda s: [(c.state, c.uplink) for c in s.calls] == [("up", uplink)], f"a call by {uplink}"
    )


# --- calls for help -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "box",
    [[("[calling]\n", '[calling]\nhours = ["mon 03:00-03:01"]\ntypes = ["toll_free"]\npin = "2468"\n')]],
    indirect=True,
)
def test_help_comes_with_main_dead_and_the_first_server_silent_and_whatever_the_rules(box: Box) -> None:
    box.lab.provider.stop(plan.PROVIDER_SERVER)
    box.lab.cut_carrier("main")
    began_s = time.time()
    box.ask(m.Dial(phone="desk", digits="999"))
    call = box.lab.far.await_call(lambda c: c.number == "999" and c.answered_s is not None, timeout_s=20)
    assert call.source.rpartition(":")[0] in (plan.BACKUP1.public, plan.BACKUP2.public)
    event = box.await_event(lambda e: e.kind == "emergency", "the owner to be told", since_s=began_s)
    assert "desk calls 999 for help" in event.text


# --- calls that come in ---------------------------------------------------------------------------


def test_calls_to_the_free_login_follow_the_channel_in_use(box: Box) -> None:
    box.lab.far.call(NUMBER)
    await_up(box, "main")
    box.lab.far.hang_up()
    box.await_status(lambda s: not s.calls, "the call to end")
    box.lab.cut_carrier("main")
    box.await_status(lambda s: s.active_uplink == "backup1", "calls to use backup1")
    until = time.monotonic() + 5
    while not any(one.source == plan.BACKUP1.public for one in box.lab.provider.seen(method="REGISTER")):
        assert time.monotonic() < until, "it is not registered by the channel in use"
        time.sleep(0.02)
    time.sleep(0.2)
    box.lab.far.call(NUMBER)
    await_up(box, "backup1")


@pytest.mark.parametrize("uplink", plan.UPLINKS, ids=lambda up: up.name)
def test_calls_by_sip_uri_come_in_by_every_confirmed_address(box: Box, uplink: plan.Uplink) -> None:
    box.lab.provider.route_inbound(NUMBER, f"sip:{NUMBER}@{uplink.public}:5060")
    box.lab.far.call(NUMBER)
    await_up(box, uplink.name)
    ended = box.status().calls[0]
    assert (ended.direction, ended.remote) == ("in", "447700900123")


@pytest.mark.parametrize("box", [[("[calling]\n", BRANCH + "[calling]\n")]], indirect=True)
def test_others_may_call_when_they_are_named(box: Box) -> None:
    with Caller(box.lab, plan.STRANGER, name="stranger") as caller:
        caller.server = plan.MAIN.public
        until = time.monotonic() + 10
        while not box.status().calls:  # as timer A of a real caller would have it (RFC 3261 §17.1.1.2)
            assert time.monotonic() < until, "nothing rings"
            with suppress(TimeoutError):
                caller.invite(NUMBER, timeout_s=1.0)
        await_up(box, "main")


def test_others_hear_nothing(box: Box) -> None:
    with Caller(box.lab, plan.STRANGER, name="stranger") as caller:
        caller.server = plan.MAIN.public
        with pytest.raises(TimeoutError):
            caller.invite(NUMBER)
    assert box.status().calls == ()


def test_no_message_makes_the_box_dial_or_answer_a_stranger() -> None:
    """The short form of `python -m tests.bench hostile`."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    assert [figure.name for figure in hostile.run(quick=True) if not figure.met] == []


# --- calls that are not allowed -------------------------------------------------------------------


def test_what_is_not_allowed_is_said_and_told_and_not_dialled(box: Box) -> None:
    known = len(box.lab.far.calls())
    with pytest.raises(LabError, match="not allowed"):
        box.ask(m.Dial(phone="desk", digits="+882990000066"))
    event = box.await_event(lambda e: e.kind == "fraud", "the owner to be told")
    assert "desk" in event.text and "satellite" in event.text
    assert len(box.lab.far.calls()) == known


@pytest.mark.parametrize("box", [[("calls_per_hour = 10000", "calls_per_hour = 1")]], indirect=True)
def test_caps_are_not_lifted_by_killing_the_calls_process(box: Box) -> None:
    box.ask(m.Dial(phone="desk", digits=plan.ANSWERS))
    await_up(box, "main")
    starts = box.starts("calls")
    box.kill("calls")
    box.await_status(lambda s: box.starts("calls") > starts and s.calls_process == "running", "it to be back")
    with pytest.raises(LabError, match="within an hour"):
        box.ask(m.Dial(phone="desk", digits=plan.ANSWERS))


def test_call_log_has_quality_as_both_ends_heard_it(box: Box) -> None:
    """The provider sends its reports every five seconds (RFC 3550 §6.2)."""
    box.ask(m.Dial(phone="desk", digits=plan.ANSWERS))
    await_up(box, "main")
    box.await_status(lambda s: bool(s.calls and s.calls[0].mos), "a MOS")
    live = box.status().calls[0].mos
    assert live is not None and live > 4.0
    box.ask(m.HangUp(phone="desk"))
    box.await_event(lambda e: e.kind == "call", "its line of the log")
