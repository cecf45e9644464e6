"""gatewayctl against a scripted hub on a real socket: what it asks, what it prints, how it ends."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway import ctl, wire
from gateway.client import Client
from gateway.errors import DoorError, WireError
from gateway.messages import (
    Answer,
    AnyMessage,
    ConfirmAddress,
    Dial,
    Done,
    Envelope,
    Event,
    ExplainNumber,
    Follow,
    GetStatus,
    HangUp,
    Hold,
    PlayFile,
    Refused,
    SendDigits,
    StatusNow,
    UseUplink,
)
from gateway.status import CallView, PhoneView, Status, UplinkStatus

ROOT = Path(__file__).parent.parent
STATUS = Status(
    verdict="Your phones work on Backup1. Main is without a carrier.",
    action="Check the cable between the box and the router of main.",
    lamp="attention",
    active_uplink="backup1",
    internet_uplink="backup1",
    calls_process="running",
    guard="standing",
    uplinks=(
        UplinkStatus(
            name="main", role="main", device="wan0", state="no_carrier", sentence="The cable of main is out."
        ),
        UplinkStatus(
            name="backup1", role="backup", device="wan1", state="up", sentence="backup1 works.",
            address="192.168.20.2", public_address="198.51.100.20", observed_address="198.51.100.20",
            confirmed_at=1_700_000_000.0, rtt_ms=41.4, loss=0.015, mos=4.32, carries_trunk=True,
        ),
        UplinkStatus(name="off", role="backup", device="wan2", state="disabled", sentence="Switched off."),
    ),
    calls=(
        CallView(
            call=7, phone="desk", direction="out", state="up", remote="442079460001",
            caller_id="442012345678", uplink="backup1", started_at=0.0, moves=1, codec="PCMA",
        ),
    ),
    phones=(PhoneView(name="desk", kind="virtual", state="talking"),),
)  # fmt: skip
REFUSED = Refused(what="there is no such phone", where="phones", remedy="Name another")


class Script:
    """A hub of one thread that answers each request by `reply`: a message, raw bytes, or a hang-up (None)."""

    def __init__(self, directory: Path) -> None:
        self.asked: list[AnyMessage] = []
        self.reply: Callable[[AnyMessage], AnyMessage | bytes | None] = lambda message: Done(text="Done.")
        self.after: list[AnyMessage] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / "ctl.sock"))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        splitter = wire.LineSplitter()
        while data := client.recv(65536):
            for line in splitter.feed(data):
                envelope = wire.decode(line)
                self.asked.append(envelope.body)
                answer = self.reply(envelope.body)
                if answer is None:
                    return
                if isinstance(answer, bytes):
                    client.sendall(answer)
                    return
                client.sendall(wire.encode(Envelope(body=answer, re=envelope.id)))
                for event in self.after:
                    client.sendall(wire.encode(Envelope(body=event)))
                if self.after:
                    return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    script = Script(tmp_path)
    yield script
    script.close()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        code = ctl.main(["--run", str(tmp_path), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


Run = Callable[..., tuple[int, str, str]]

VERBS: list[tuple[list[str], AnyMessage]] = [
    (["dial", "desk", "8888"], Dial(phone="desk", digits="8888")),
    (["answer", "desk"], Answer(phone="desk")),
    (["hangup", "desk"], HangUp(phone="desk")),
    (["hold", "desk"], Hold(phone="desk", on=True)),
    (["resume", "desk"], Hold(phone="desk", on=False)),
    (["digits", "desk", "1#"], SendDigits(phone="desk", digits="1#")),
    (["play", "desk", "/a.wav"], PlayFile(phone="desk", path="/a.wav")),
    (["callerid", "test", "0161"], ExplainNumber(digits="0161")),
    (["uplinks", "use", "main"], UseUplink(uplink="main")),
    (["uplinks", "use", "auto"], UseUplink(uplink="")),
    (["trunk", "confirm", "main"], ConfirmAddress(uplink="main")),
]


@pytest.mark.parametrize(("words", "message"), VERBS)
def test_verbs(script: Script, run: Run, words: list[str], message: AnyMessage) -> None:
    assert run(*words) == (0, "Done.\n", "")
    script.reply = lambda message: REFUSED
    assert run(*words) == (1, "", "gatewayctl: phones: there is no such phone. Name another\n")
    assert script.asked == [message, message]


def test_a_file_is_named_by_its_whole_path(script: Script, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    run("play", "desk", "hello.wav")
    assert script.asked == [PlayFile(phone="desk", path="/usr/hello.wav")]


def test_status_for_people(script: Script, run: Run) -> None:
    script.reply = lambda message: StatusNow(status=STATUS)
    code, out, _ = run("status")
    lines = out.splitlines()
    assert code == 0 and lines[0] == STATUS.verdict
    assert lines[1] == STATUS.action
    assert lines[2] == "Calls process running, guard standing."
    [head] = [line for line in lines if line.startswith("NAME")]
    [row] = [line for line in lines if line.startswith("backup1")]
    cells = dict(zip(head.split(), row.replace(" ms", "ms").replace(" %", "%").split(), strict=True))
    assert cells["SEEN-AS"] == "198.51.100.20" and cells["CONFIRMED"] == "2023-11-14"
    assert (cells["DELAY"], cells["LOSS"], cells["MOS"], cells["CARRIES"]) == (
        "41ms",
        "2%",
        "4.3",
        "calls+internet",
    )
    assert "  main: The cable of main is out." in lines
    assert any(line.split()[:3] == ["desk", "virtual", "talking"] for line in lines)
    assert any(line.split()[:4] == ["7", "desk", "out", "442079460001"] for line in lines)
    assert not any(line != line.rstrip() for line in lines)


def test_status_for_programs(script: Script, run: Run) -> None:
    script.reply = lambda message: StatusNow(status=STATUS)
    assert json.loads(run("status", "--json")[1])["uplinks"][1]["rtt_ms"] == 41.4
    assert [u["name"] for u in json.loads(run("uplinks", "--json")[1])] == ["main", "backup1", "off"]
    assert json.loads(run("calls", "--json")[1])[0]["call"] == 7
    assert run("uplinks")[1].startswith("NAME") and run("calls")[1].startswith("CALL")
    script.reply = lambda message: REFUSED
    assert run("status")[0] == 1
    assert script.asked == [GetStatus()] * 6


def test_confirm_all_that_are_not_switched_off(script: Script, run: Run) -> None:
    def reply(message: AnyMessage) -> AnyMessage:
        match message:
            case GetStatus():
                return StatusNow(status=STATUS)
            case ConfirmAddress(uplink="main"):
                return REFUSED
            case _:
                return Done(text="backup1 is confirmed.")

    script.reply = reply
    code, out, err = run("trunk", "confirm")
    assert (code, out) == (1, "backup1 is confirmed.\n") and "no such phone" in err
    code, out, _ = run("trunk", "confirm", "--json")
    assert code == 1 and [answer["type"] for answer in json.loads(out)] == ["Refused", "Done"]
    assert script.asked[1:3] == [ConfirmAddress(uplink="main"), ConfirmAddress(uplink="backup1")]


def test_follow_prints_until_the_daemon_leaves(script: Script, run: Run) -> None:
    script.after = [
        Event(at=1_700_000_000.25, kind="switch", text="Calls leave by backup1.", uplink="backup1"),
        Event(at=1_700_000_001.9996, kind="call", text="Call 1 ended."),
    ]
    code, out, err = run("follow")
    assert code == 3 and "closed the connection" in err
    first, second = out.splitlines()
    assert first[8:] == ".250  switch    Calls leave by backup1." and second.endswith(
        "call      Call 1 ended."
    )
    code, out, _ = run("follow", "--json")
    assert [json.loads(line)["kind"] for line in out.splitlines()] == ["switch", "call"]
    assert script.asked == [Follow(), Follow()]


def test_no_daemon(run: Run, tmp_path: Path) -> None:
    code, out, err = run("status")
    assert (code, out) == (3, "") and "systemctl start gateway" in err and str(tmp_path) in err
    (tmp_path / "ctl.sock").write_text("no socket")
    assert run("status")[0] == 3


def test_a_daemon_that_leaves_or_talks_nonsense(script: Script, run: Run) -> None:
    script.reply = lambda message: None
    code, _, err = run("dial", "desk", "1")
    assert code == 3 and "closed the connection" in err
    script.reply = lambda message: b"HTTP/1.1 400 Bad Request\n"
    code, _, err = run("dial", "desk", "1")
    assert code == 1 and "not a message of this protocol" in err
    script.reply = lambda message: wire.encode(Envelope(body=REFUSED))
    assert run("dial", "desk", "1")[0] == 1


def test_the_client_waits_no_longer_than_told(script: Script, tmp_path: Path) -> None:
    script.reply = lambda message: b'{"body":{"type":"Done","text":"of another"},"re":99}\n'
    with Client(tmp_path / "ctl.sock") as client, pytest.raises(DoorError, match="closed the connection"):
        client.request(GetStatus(), 5)
    held = threading.Event()

    def hold(message: AnyMessage) -> None:
        held.wait(10)

    script.reply = hold
    with Client(tmp_path / "ctl.sock") as client, pytest.raises(DoorError, match="no answer to GetStatus"):
        client.request(GetStatus(), 0.05)
    held.set()


def test_a_refusal_of_the_whole_connection_is_told_in_its_words(script: Script, tmp_path: Path) -> None:
    script.reply = lambda message: wire.encode(Envelope(body=REFUSED))
    with Client(tmp_path / "ctl.sock") as client, pytest.raises(WireError, match="no such phone"):
        client.request(GetStatus(), 5)


USAGE = [
    [],
    ["reboot"],
    ["dial", "desk"],
    ["dial", "desk", "1", "2"],
    ["trunk"],
    ["trunk", "refuse"],
    ["uplinks", "use"],
    ["callerid"],
    ["status", "--xml"],
    ["hold", "--on"],
]


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ctl.main(words)
    assert caught.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("gatewayctl: ") and "--help" in line


def test_check(run: Run, tmp_path: Path) -> None:
    example = ROOT / "tests" / "example.toml"
    code, out, _ = run("check", str(example))
    assert code == 0 and "is sound: 2 channels, 1 phones" in out
    bad = tmp_path / "bad.toml"
    bad.write_text(example.read_text().replace('"GB"', '"UK"').replace('"wan1"', '"wan0"'))
    code, out, err = run("check", str(bad))
    assert (code, out) == (1, "")
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "appliance.country (line 5)",
        "uplinks.1.device (line 16)",
    ]
    assert run("check", str(tmp_path / "none.toml"))[0] == 1


def test_it_starts_without_the_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys; from gateway import ctl; code = ctl.main(['--run', sys.argv[1], 'status']);"
        "heavy = {'pydantic', 'pyroute2', 'asyncio', 'pjsua2'} & set(sys.modules); print(code, sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "3 []\n"


def test_a_reader_that_has_seen_enough_is_no_error(script: Script, tmp_path: Path) -> None:
    script.reply = lambda message: StatusNow(status=STATUS)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "gateway.ctl", "--run", str(tmp_path), "status"],
        cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
