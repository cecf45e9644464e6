"""Settings change in the laboratory while a call runs: what the owner left as it was goes on, frame by frame.

Real daemon, real calls process, real kernel and provider; the changes come as trials, as an owner makes them.
"""

import itertools
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import messages as m
from gateway.changes import DropTrial, GetSettings, KeepTrial, SettingsNow, TrialNow, TrialView, TrySettings
from tests.lab import plan
from tests.lab.box import Box, settings_text
from tests.lab.farend import FarCall
from tests.lab.lab import Lab

pytestmark = pytest.mark.root

USUAL = settings_text(phones=2, failback_after_s=1.0)
HEAD, *_UPLINKS = re.split(r"(?=\[\[uplinks\]\])", USUAL.partition("[lan]")[0])
MAIN, BACKUP1, BACKUP2 = _UPLINKS
TAIL = "[lan]" + USUAL.partition("[lan]")[2]


def text(*uplinks: str, tail: str = TAIL) -> str:
    return "".join((HEAD, *uplinks, tail))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    logs: Path = tmp_path_factory.mktemp("changes")
    with Lab(logs) as lab:
        yield lab


@pytest.fixture
def box(lab: Lab) -> Iterator[Box]:
    """A gateway that has just started, with all channels up."""
    yield from started(lab, USUAL, *plan.UPLINKS)


def started(lab: Lab, settings: str, *uplinks: plan.Uplink) -> Iterator[Box]:
    with Box(lab, settings) as box:
        box.confirm_in_advance()
        box.start()
        box.await_ready(*uplinks)
        yield box
        for call in box.status().calls:
            box.request(m.HangUp(phone=call.phone))
    for uplink in plan.UPLINKS:
        lab.heal(uplink)
        lab.restore_carrier(uplink)
        lab.site.ip(f"addr flush dev {uplink.device} scope global", "box")


def change(box: Box, settings: str, *, keep: bool = True) -> TrialView:
    """Put settings in force as a trial, and keep them unless told otherwise."""
    now = box.request(GetSettings())
    assert isinstance(now, SettingsNow)
    answer = box.request(TrySettings(text=settings, base=now.revision, who="test"), 30.0)
    assert isinstance(answer, TrialNow) and answer.trial is not None, answer
    if keep:
        box.ask(KeepTrial(trial=answer.trial.trial))
    return answer.trial


def dial(box: Box, number: str = plan.ANSWERS, phone: str = "desk") -> FarCall:
    known = {call.index for call in box.lab.far.calls()}
    box.ask(m.Dial(phone=phone, digits=number))
    call = box.lab.far.await_call(lambda c: c.index not in known and c.answered_s is not None)
    box.await_status(lambda s: [c.state for c in s.calls if c.phone == phone] == ["up"], "the call to be up")
    return call


def heard_until_now(box: Box, call: FarCall, at_s: float) -> None:
    """Wait until the far end has heard something that was sent after this moment."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if any(frame.at_s > at_s + 0.2 for frame in box.lab.far.heard(call)):
            return
        time.sleep(0.05)
    raise AssertionError("the far end hears nothing")


def assert_unbroken(box: Box, call: FarCall, since_s: float) -> None:
    """Each packet of one and the same stream has come since then."""
    heard_until_now(box, call, time.time())
    frames = [frame for frame in box.lab.far.heard(call) if frame.at_s > since_s]
    assert len({(frame.source, frame.port, frame.ssrc) for frame in frames}) == 1
    steps = {(b.sequence - a.sequence) % 65536 for a, b in itertools.pairwise(frames)}
    assert steps == {1}, "packets are missing"


def calls(box: Box) -> list[tuple[str, str]]:
    return [(call.uplink, call.state) for call in box.status().calls]


def state(box: Box, uplink: str) -> str:
    return next((u.state for u in box.status().uplinks if u.name == uplink), "")


def rules(box: Box) -> str:
    return box.lab.box_exec(["ip", "-4", "rule"])


UNRELATED = {
    "a CallerID rule": text(MAIN, BACKUP1, BACKUP2).replace(plan.LONDON_CALLER_ID, plan.DEFAULT_CALLER_ID),
    "backup2 goes": text(MAIN, BACKUP1),
    "backup1 gets another address": text(
        MAIN, BACKUP1.replace("192.168.20.2/24", "192.168.20.77/24"), BACKUP2
    ),
    "backup1 comes first": text(BACKUP1, MAIN, BACKUP2),
    "watching is slower": USUAL.replace("[watching]", "[watching]\nstandby_interval_ms = 5000"),
    "a phone comes": USUAL.replace("[watching]", '[[phones]]\nname = "attic"\nkind = "virtual"\n[watching]'),
    "other ports": USUAL + "[ports]\nsip = 5070\nrtp_first = 20000\nrtp_last = 20999\n",
    "other codecs": USUAL.replace("[trunk]", '[trunk]\ncodecs = ["PCMU", "PCMA"]\nsession_expires_s = 900'),
    "another server": USUAL.replace(f'"{plan.PROVIDER_DOMAIN}"', f'"{plan.PROVIDER_SERVER2}"'),
    "another transport": USUAL.replace("[trunk]", '[trunk]\ntransport = "tcp"'),
    "no login": re.sub(r"\[incoming\.registration\]\n(?:.+\n)*", "", USUAL),
    "no office": USUAL.replace(f'devices = ["{plan.LAN_DEVICE}"]', "devices = []"),
    "main has another name": USUAL.replace('"main"', '"fibre"'),
}


def test_running_call_loses_nothing_by_changes_that_are_not_about_it(box: Box) -> None:
    call = dial(box)
    since_s = time.time()
    for what, settings in UNRELATED.items():
        trial = change(box, settings)
        assert not any("move" in said or "end" in said.split() for said in trial.touches), (
            what,
            trial.touches,
        )
        trial = change(box, USUAL)
    assert_unbroken(box, call, since_s)
    assert calls(box) == [("main", "up")]
    assert [e.text for e in box.events if e.kind == "moved"] == []


def test_backup_that_is_added_live_takes_the_call_when_main_dies(lab: Lab) -> None:
    for box in started(lab, text(MAIN, BACKUP2), plan.MAIN, plan.BACKUP2):
        call = dial(box)
        since_s = time.time()
        change(box, text(MAIN, BACKUP1, BACKUP2))
        box.await_status(lambda s: [u.state for u in s.uplinks] == ["up"] * 3, "the new channel to be up")
        assert_unbroken(box, call, since_s)
        box.lab.cut_carrier("main")
        box.await_event(lambda e: e.kind == "moved", "a move", since_s=since_s)
        assert calls(box) == [("backup1", "up")]
        heard_until_now(box, call, time.time())


def test_bad_address_moves_the_call_and_is_taken_back_with_the_trial(box: Box) -> None:
    call = dial(box)
    bad = MAIN.replace("203.0.113.2/30", "203.0.113.5/29")
    trial = change(box, text(bad, BACKUP1, BACKUP2), keep=False)
    assert [said.endswith("will move from main to backup1.") for said in trial.touches] == [True]
    assert calls(box) == [("backup1", "up")]
    heard_until_now(box, call, time.time())
    addresses = box.lab.box_exec(["ip", "-4", "-o", "address", "show", "dev", "wan0"])
    assert "203.0.113.5/29" in addresses and "203.0.113.2" not in addresses
    since_s = time.time()
    box.ask(DropTrial(trial=trial.trial), 30.0)
    box.await_status(lambda s: s.uplinks[0].state == "up", "main to be as before")
    assert_unbroken(box, call, since_s)
    assert calls(box) == [("backup1", "up")], "a call that runs stays where it is"
    box.ask(m.HangUp(phone="desk"))
    box.await_ready()


def test_channel_that_is_switched_off_lets_its_call_go_first(box: Box) -> None:
    call = dial(box)
    since_s = time.time()
    trial = change(box, text(MAIN + "enabled = false\n", BACKUP1, BACKUP2))
    assert [said.endswith("will move from main to backup1.") for said in trial.touches] == [True]
    moved = box.await_event(lambda e: e.kind == "moved", "a move", since_s=since_s)
    assert moved.uplink == "backup1"
    assert (calls(box), state(box, "main")) == ([("backup1", "up")], "disabled")
    heard_until_now(box, call, time.time())
    assert box.lab.box_exec(["ip", "-4", "-o", "address", "show", "dev", "wan0"]) == ""
    change(box, USUAL)
    box.await_status(lambda s: s.uplinks[0].state == "up", "main to be back")


def test_order_changes_in_peace_and_a_restart_finds_everything_as_it_stands(box: Box) -> None:
    call = dial(box)
    since_s, before = time.time(), rules(box)
    change(box, text(BACKUP1, MAIN, BACKUP2))
    assert (rules(box), calls(box)) == (before, [("main", "up")])
    box.kill("daemon")
    box.await_status(lambda s: s.calls_process == "running" and bool(s.active_uplink), "the next daemon")
    box.await_status(lambda s: [u.state for u in s.uplinks] == ["up"] * 3, "all channels to be up")
    assert_unbroken(box, call, since_s)
    assert (rules(box), calls(box)) == (before, [("main", "up")]), "nobody was renumbered"
    assert [u.name for u in box.status().uplinks] == ["backup1", "main", "backup2"]
    box.ask(m.HangUp(phone="desk"))
    box.await_status(lambda s: s.active_uplink == "backup1", "calls by the first in the new order")


def test_next_call_shows_the_new_caller_id(box: Box) -> None:
    first = dial(box)
    change(box, USUAL.replace('pattern = "_4420XXXXXXXX"', 'pattern = "_4421XXXXXXXX"'))
    second = dial(box, phone="desk2")
    assert (first.caller, second.caller) == (plan.LONDON_CALLER_ID, plan.DEFAULT_CALLER_ID)


def test_calls_to_come_use_the_new_ports_while_the_old_call_keeps_its_own(box: Box) -> None:
    first = dial(box)
    since_s = time.time()
    change(box, USUAL + "[ports]\nsip = 5070\nrtp_first = 20000\nrtp_last = 20999\n")
    with box.lab.capture("box", expression="udp") as wires:
        second = dial(box, phone="desk2")
        heard_until_now(box, second, time.time())
    sent = [p for p in wires.packets() if p.outgoing and p.device == "wan0"]
    invites = [p for p in sent if p.sip.startswith("INVITE") and p.call_id == second.call_id]
    assert {p.source_port for p in invites} == {5070}
    media = {p.source_port for p in sent if plan.MEDIA_PORT_MIN <= p.destination_port <= plan.MEDIA_PORT_MAX}
    assert any(20000 <= port <= 20999 for port in media) and any(port < 20000 for port in media)
    assert_unbroken(box, first, since_s)
    box.lab.far.hang_up(first.call_id)
    box.await_status(lambda s: [c.phone for c in s.calls] == ["desk2"], "the far end's BYE at the old port")


def test_calls_to_come_take_the_new_transport_while_the_old_call_keeps_its_own(box: Box) -> None:
    first = dial(box)
    since_s = time.time()
    change(box, USUAL.replace("[trunk]", '[trunk]\ntransport = "tcp"'))
    with box.lab.capture("box", expression=f"tcp port {plan.SIP_PORT}") as wires:
        second = dial(box, phone="desk2")
    assert [p for p in wires.packets() if p.outgoing and p.device == "wan0"], "the INVITE goes by TCP"
    heard_until_now(box, second, time.time())
    assert_unbroken(box, first, since_s)
    box.lab.cut_carrier("main")
    box.await_status(
        lambda s: sorted((c.uplink, c.state) for c in s.calls) == [("backup1", "up")] * 2, "both on backup1"
    )
    heard_until_now(box, first, time.time())
    box.lab.far.hang_up(first.call_id)
    box.await_status(lambda s: [c.phone for c in s.calls] == ["desk2"], "the far end's BYE by UDP")


def test_phone_that_is_taken_away_ends_its_call_with_a_reason(box: Box) -> None:
    dial(box)
    other = dial(box, phone="desk2")
    since_s = time.time()
    without = re.sub(r'\[\[phones\]\]\nname = "desk"\n(?:.+\n)*', "", USUAL)
    trial = change(box, without.replace('phones = ["desk"]', 'phones = ["desk2"]'))
    assert any("will end: desk is taken out" in said for said in trial.touches)
    ended = box.await_event(lambda e: e.kind == "call", "the end of the call", since_s=since_s)
    assert "The phone was taken out of the settings." in ended.text
    assert [call.phone for call in box.status().calls] == ["desk2"]
    assert_unbroken(box, other, since_s)


def test_channel_with_another_name_is_the_same_channel(box: Box) -> None:
    call = dial(box)
    since_s = time.time()
    change(box, USUAL.replace('"main"', '"fibre"'))
    assert (calls(box), state(box, "fibre")) == ([("fibre", "up")], "up")
    assert_unbroken(box, call, since_s)
    box.lab.cut_carrier("main")
    moved = box.await_event(lambda e: e.kind == "moved", "a move", since_s=since_s)
    assert "from fibre to backup1" in moved.text
    heard_until_now(box, call, time.time())
