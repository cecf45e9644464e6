"""What gatewayctl asks, what it prints, how it ends: the verbs that look, and those of the phones."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from gateway import wire
from gateway.changes import Seen
from gateway.client import Client, GoneError
from gateway.errors import WireError
from gateway.messages import (
    Answer,
    AnyMessage,
    ConfirmAddress,
    Dial,
    Done,
    Envelope,
    Event,
    ExplainNumber,
    Flash,
    Follow,
    GetStatus,
    HangUp,
    Hold,
    Identify,
    Lift,
    ObserveAddress,
    PlayFile,
    Press,
    Refused,
    SendDigits,
    StatusNow,
    UseUplink,
)
from gateway.status import SettingsStatus
from tests.ctl.fake import REFUSED, STATUS, FakeDaemon, Spoken
from tests.ctl.terminal import ROOT, Run, Terminal

VERBS: list[tuple[list[str], AnyMessage]] = [
    (["dial", "desk", "8888"], Dial(phone="desk", digits="8888")),
    (["answer", "desk"], Answer(phone="desk")),
    (["hangup", "desk"], HangUp(phone="desk")),
    (["lift", "desk"], Lift(phone="desk")),
    (["press", "desk", "*69"], Press(phone="desk", keys="*69")),
    (["flash", "desk"], Flash(phone="desk")),
    (["hold", "desk"], Hold(phone="desk", on=True)),
    (["resume", "desk"], Hold(phone="desk", on=False)),
    (["digits", "desk", "1#"], SendDigits(phone="desk", digits="1#")),
    (["play", "desk", "/a.wav"], PlayFile(phone="desk", path="/a.wav")),
    (["callerid", "test", "0161"], ExplainNumber(digits="0161")),
    (["uplinks", "use", "main"], UseUplink(uplink="main")),
    (["uplinks", "use", "auto"], UseUplink(uplink="")),
    (["trunk", "confirm", "main"], ConfirmAddress(uplink="main")),
    (["identify"], Identify()),
    (["seen"], Seen()),
]


@pytest.mark.parametrize(("words", "message"), VERBS)
def test_verbs(daemon: FakeDaemon, run: Run, words: list[str], message: AnyMessage) -> None:
    assert run(*words) == (0, "Done.\n", "")
    daemon.says[type(message)] = lambda message: REFUSED
    assert run(*words) == (1, "", "gatewayctl: phones: there is no such phone. Name another\n")
    code, out, _ = run(*words, "--json")
    answer = json.loads(out)
    assert code == 1 and (answer[0] if isinstance(answer, list) else answer)["what"] == REFUSED.what
    assert daemon.asked == [message] * 3


def test_a_file_is_named_by_its_whole_path(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/usr")
    run("play", "desk", "hello.wav")
    assert daemon.asked == [PlayFile(phone="desk", path="/usr/hello.wav")]


def test_status_for_people(daemon: FakeDaemon, run: Run) -> None:
    code, out, _ = run("status")
    lines = out.splitlines()
    assert code == 0 and lines[0] == STATUS.verdict
    assert lines[1] == STATUS.action
    assert lines[2] == "Calls process running, guard standing."
    [head] = [line for line in lines if line.startswith("NAME")]
    [row] = [line for line in lines if line.startswith("backup1")]
    cells = dict(zip(head.split(), row.replace(" ms", "ms").replace(" %", "%").split(), strict=True))
    assert cells["SEEN-AS"] == "198.51.100.20" and cells["CONFIRMED"] == "2023-11-14"
    figures = (cells["DELAY"], cells["LOSS"], cells["MOS"], cells["CARRIES"])
    assert figures == ("41ms", "2%", "4.3", "calls+internet")
    assert "  main: The cable of main is out." in lines
    assert any(line.split()[:3] == ["desk", "virtual", "talking"] for line in lines)
    assert any(line.split()[:4] == ["7", "desk", "out", "442079460001"] for line in lines)
    assert not any(line != line.rstrip() for line in lines)


def test_status_for_programs(daemon: FakeDaemon, run: Run) -> None:
    assert json.loads(run("status", "--json")[1])["uplinks"][1]["rtt_ms"] == 41.4
    assert [u["name"] for u in json.loads(run("uplinks", "--json")[1])] == ["main", "backup1", "off"]
    every = run("uplinks", "--json")[1]
    assert run("uplinks", "list", "--json")[1] == run("uplinks", "--json", "list")[1] == every
    assert json.loads(run("calls", "--json")[1])[0]["call"] == 7
    assert [p["state"] for p in json.loads(run("phones", "--json")[1])] == ["talking"]
    assert run("uplinks")[1].startswith("NAME") and run("calls")[1].startswith("CALL")
    assert run("phones")[1].startswith("PHONE")
    daemon.says[GetStatus] = lambda message: REFUSED
    assert run("status")[0] == 1


def test_confirm_all_that_are_not_switched_off(daemon: FakeDaemon, run: Run) -> None:
    def reply(asked: ConfirmAddress) -> AnyMessage:
        return REFUSED if asked.uplink == "main" else Done(text="backup1 is confirmed.")

    daemon.says[ConfirmAddress] = reply
    code, out, err = run("trunk", "confirm")
    assert (code, out) == (1, "backup1 is confirmed.\n") and "no such phone" in err
    code, out, _ = run("trunk", "confirm", "--json")
    assert code == 1 and [answer["type"] for answer in json.loads(out)] == ["Refused", "Done"]
    assert daemon.asked[1:3] == [ConfirmAddress(uplink="main"), ConfirmAddress(uplink="backup1")]


def test_the_provider_is_asked_which_address_it_sees(daemon: FakeDaemon, run: Run) -> None:
    assert run("trunk", "test", "backup1") == (0, "Done.\n", "")
    assert run("trunk", "test")[0] == 0
    assert [m for m in daemon.asked if isinstance(m, ObserveAddress)] == [
        ObserveAddress(uplink="backup1"),
        ObserveAddress(uplink="main"),
        ObserveAddress(uplink="backup1"),
    ]
    code, _, err = run("trunk", "test", "attic")
    assert code == 1 and "there is no channel attic" in err and "main, backup1, off" in err


def test_a_channel_is_checked_from_its_cable_to_the_provider(daemon: FakeDaemon, run: Run) -> None:
    code, out, _ = run("uplinks", "test")
    lines = [line.split(None, 2) for line in out.splitlines()]
    assert code == 1, "main has no cable"
    assert lines[:3] == [["main"], ["ok", "device", "wan0"], ["BAD", "cable", "The cable of main is out."]]
    assert lines[3:] == [
        ["backup1"],
        ["ok", "device", "wan1"],
        ["ok", "cable", "carrier"],
        ["ok", "address", "192.168.20.2"],
        ["ok", "internet", "41 ms, 1.5 % lost, MOS 4.3"],
        ["ok", "provider", "Done."],
    ]
    assert [m for m in daemon.asked if isinstance(m, ObserveAddress)] == [ObserveAddress(uplink="backup1")]
    daemon.says[ObserveAddress] = lambda message: REFUSED
    code, out, _ = run("uplinks", "test", "backup1", "--json")
    assert code == 1 and json.loads(out)["backup1"][-1]["good"] is False


def test_follow_prints_until_the_daemon_leaves(daemon: FakeDaemon, run: Run) -> None:
    daemon.tell(
        Event(at=1_700_000_000.25, kind="switch", text="Calls leave by backup1.", uplink="backup1"),
        Event(at=1_700_000_001.9996, kind="call", text="Call 1 ended."),
    )
    code, out, err = run("follow")
    assert code == 3 and "closed the connection" in err
    first, second = out.splitlines()
    assert first[8:] == ".250  switch    Calls leave by backup1." and second.endswith(
        "call      Call 1 ended."
    )
    code, out, _ = run("follow", "--json")
    assert [json.loads(line).get("kind") for line in out.splitlines()[:2]] == ["switch", "call"]
    assert daemon.asked == [Follow(), Follow()]


def test_watch_in_lines_tells_verdicts_and_events(daemon: FakeDaemon, run: Run) -> None:
    seen = 0

    def look(asked: GetStatus) -> Spoken:
        nonlocal seen
        seen += 1
        return daemon.receive(asked) if seen == 1 else None

    daemon.says[GetStatus] = look
    code, out, err = run("watch")
    assert code == 3 and "closed the connection" in err
    assert out.splitlines()[0].endswith(f"verdict   {STATUS.verdict} {STATUS.action}")


def test_watch_on_a_terminal_redraws_and_leaves_it_as_it_was(daemon: FakeDaemon, terminal: Terminal) -> None:
    terminal.start("watch").expect("Calls work over backup1").expect("442079460001")
    drawn = terminal.seen.count("\x1b[H")
    terminal.seen = ""
    terminal.expect("Calls work over backup1")
    assert drawn >= 1 and "\x1b[2J" not in terminal.seen, "it is drawn over, without a flicker"
    assert terminal.interrupt().end() == 0
    assert terminal.seen.endswith("\x1b[?25h\x1b[?1049l") or "\x1b[?1049l" in terminal.seen[-20:]


def test_watch_waits_for_a_daemon_that_left(daemon: FakeDaemon, terminal: Terminal) -> None:
    terminal.start("watch").expect("Calls work over backup1")
    daemon.close()
    terminal.expect("Trying again")
    assert terminal.interrupt().end() == 0


def test_no_daemon(run: Run, tmp_path: Path) -> None:
    code, out, err = run("status")
    assert (code, out) == (3, "") and "systemctl start gateway" in err and str(tmp_path) in err
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ctl.sock").write_text("no socket")
    assert run("status")[0] == 3
    code, out, _ = run("status", "--json")
    assert code == 3 and json.loads(out)["remedy"] == "Start it: systemctl start gateway"


def test_a_daemon_that_leaves_or_talks_nonsense(daemon: FakeDaemon, run: Run) -> None:
    daemon.says[Dial] = lambda message: None
    code, _, err = run("dial", "desk", "1")
    assert code == 3 and "closed the connection" in err
    daemon.says[Dial] = lambda message: b"HTTP/1.1 400 Bad Request\n"
    code, _, err = run("dial", "desk", "1")
    assert code == 1 and "not a message of this protocol" in err
    daemon.says[Dial] = lambda message: wire.encode(Envelope(body=REFUSED))
    assert run("dial", "desk", "1")[0] == 1
    daemon.says[Dial] = lambda message: Event(at=0, kind="call", text="no answer to that")
    code, _, err = run("dial", "desk", "1")
    assert code == 1 and "programs of one version" in err


def test_the_client_waits_no_longer_than_told(daemon: FakeDaemon, tmp_path: Path) -> None:
    path = tmp_path / "run" / "ctl.sock"
    daemon.says[GetStatus] = lambda message: b'{"body":{"type":"Done","text":"of another"},"re":99}\n'
    with Client(path) as client, pytest.raises(GoneError, match="closed the connection"):
        client.request(GetStatus(), 5)
    held = threading.Event()

    def hold(message: AnyMessage) -> None:
        held.wait(10)

    daemon.says[GetStatus] = hold
    with Client(path) as client, pytest.raises(GoneError, match="no answer to GetStatus"):
        client.request(GetStatus(), 0.05)
    held.set()


def test_what_the_hub_says_unasked_is_heard_or_not_waited_for(daemon: FakeDaemon, tmp_path: Path) -> None:
    event = Event(at=1.0, kind="call", text="Call 1 ended.")
    with Client(tmp_path / "run" / "ctl.sock") as client:
        client.request(GetStatus(), 5)
        assert client.heard(0.0) == client.heard(0.01) == []
    daemon.tell(event)
    with Client(tmp_path / "run" / "ctl.sock") as client:
        client.request(Follow(), 5)
        assert client.heard(5) == [event]
        with pytest.raises(GoneError):
            client.heard(5)


def test_a_refusal_of_the_whole_connection_is_told_in_its_words(daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.says[GetStatus] = lambda message: wire.encode(Envelope(body=REFUSED))
    with Client(tmp_path / "run" / "ctl.sock") as client, pytest.raises(WireError, match="no such phone"):
        client.request(GetStatus(), 5)


def test_it_starts_without_the_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys; from gateway import ctl; code = ctl.main(['--run', sys.argv[1], 'status']);"
        "heavy = {'pydantic', 'pyroute2', 'asyncio', 'pjsua2', 'segno', 'subprocess'} & set(sys.modules);"
        "print(code, sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "3 []\n"


def test_a_reader_that_has_seen_enough_is_no_error(daemon: FakeDaemon, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "gateway.ctl", "--run", str(tmp_path / "run"), "status"],
        cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_refused_is_told_with_every_problem(daemon: FakeDaemon, run: Run) -> None:
    refused = Refused(what="it is full", where="calls", remedy="Wait")
    daemon.says[Dial] = lambda message: refused
    assert run("dial", "desk", "1")[2] == "gatewayctl: calls: it is full. Wait\n"


def test_status_tells_what_goes_on_around_the_settings(daemon: FakeDaemon, run: Run) -> None:
    told = SettingsStatus(
        origin="vault",
        trial="anna (gatewayctl)",
        presence="Set a password",
        restored="The box was reset and restored revision 4.",
        vault_trouble="nothing is sealed yet.",
    )
    daemon.says[GetStatus] = lambda asked: StatusNow(status=msgspec.structs.replace(STATUS, settings=told))
    out = run("status")[1]
    for wanted in (
        "came out of the vault",
        "restored revision 4. (When you have read this: gatewayctl seen.)",
        "A change of anna (gatewayctl) is on trial: gatewayctl trial show.",
        "A tap of the button approves: Set a password.",
        "The vault: nothing is sealed yet.",
    ):
        assert wanted in out
