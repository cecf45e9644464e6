"""The real daemon and gatewayctl as processes, around a fake uplinks room and a fake calls process."""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.client import Client
from gateway.messages import GetStatus, StatusNow

ROOT = Path(__file__).parent.parent
EXAMPLE = Path(__file__).parent / "example.toml"


class House:
    """A daemon with its directories, and children that end with the test."""

    def __init__(self, directory: Path) -> None:
        self.settings = directory / "settings.toml"
        self.settings.write_text(EXAMPLE.read_text())
        self.state, self.run = directory / "state", directory / "run"
        self.state.mkdir()
        self.run.mkdir()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(directory / "notify"))
        self._heard = queue.SimpleQueue[str]()
        self._listener = threading.Thread(target=self._listen, name="notify", daemon=True)
        self._listener.start()
        self._children: list[subprocess.Popen[str]] = []
        self._environment = os.environ | {"NOTIFY_SOCKET": str(directory / "notify")}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes", *words],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._children.append(child)
        return child

    def start_daemon(self) -> "subprocess.Popen[str]":
        child = self.start("daemon", str(self.settings), str(self.state), str(self.run))
        self.hear("READY=1")
        return child

    def start_calls(self) -> "subprocess.Popen[str]":
        child = self.start("calls", str(self.run / "calls.sock"))
        self.await_line(child, "LinkUp")
        return child

    def _listen(self) -> None:
        """Ten unread words, and whoever notifies waits: a slow test must not hold the daemon up."""
        while word := self.notify.recv(4096).decode():
            self._heard.put(word)

    def hear(self, wanted: str) -> None:
        while wanted not in self._heard.get(timeout=30):
            pass

    @staticmethod
    def await_line(child: "subprocess.Popen[str]", wanted: str) -> None:
        assert child.stdout
        for line in child.stdout:
            if line.strip() == wanted:
                return
        raise AssertionError(f"{wanted} never came")

    def await_status(self, judge: Callable[[StatusNow], bool]) -> StatusNow:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with Client(self.run / "ctl.sock") as client:
                answer = client.request(GetStatus(), 5)
            assert isinstance(answer, StatusNow)
            if judge(answer):
                return answer
        raise AssertionError("the status never came")

    def ctl(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "gateway", "ctl", "--run", str(self.run), *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def close(self) -> None:
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            child.communicate()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as goodbye:
            goodbye.sendto(b"", self.notify.getsockname())
        self._listener.join()
        self.notify.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def _running(now: StatusNow) -> bool:
    return now.status.calls_process == "running"


def test_a_day_of_the_daemon(house: House) -> None:
    daemon = house.start_daemon()
    absent = house.ctl("dial", "desk", "112")
    assert absent.returncode == 1 and "not running" in absent.stderr and "gateway-calls" in absent.stderr

    house.start_calls()
    house.await_status(_running)
    dialled = house.ctl("dial", "desk", "442079460001")
    assert (dialled.returncode, dialled.stdout) == (0, "Dialling 442079460001.\n")
    nobody = house.ctl("hangup", "attic")
    assert (nobody.returncode, nobody.stdout) == (1, "") and "no such phone" in nobody.stderr

    assert house.ctl("uplinks", "use", "attic").returncode == 1
    unconfirmed = house.ctl("status")
    assert unconfirmed.returncode == 0 and "up_unconfirmed" in unconfirmed.stdout

    confirmed = house.ctl("trunk", "confirm", "backup1")
    assert confirmed.returncode == 0, confirmed.stderr
    assert "backup1 is confirmed: 198.51.100.20 was heard for 2.1 s" in confirmed.stdout
    kept = json.loads((house.state / "confirmations.json").read_text())
    assert [c["uplink"] for c in kept["confirmed"]] == ["backup1"]
    assert house.ctl("uplinks", "use", "backup1").stdout == "Calls leave by backup1.\n"
    status = json.loads(house.ctl("status", "--json").stdout)
    assert status["active_uplink"] == "backup1" and status["calls_process"] == "running"
    assert "Your phones work on Backup1" in status["verdict"] and status["lamp"] == "backup"

    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(10) == 0
    house.hear("STOPPING=1")
    assert not (house.run / "ctl.sock").exists()
    gone = house.ctl("status")
    assert gone.returncode == 3 and "systemctl start gateway" in gone.stderr


def test_kill_9_and_the_calls_process_comes_back_by_itself(house: House) -> None:
    daemon = house.start_daemon()
    calls = house.start_calls()
    house.await_status(_running)
    assert house.ctl("trunk", "confirm").returncode == 0
    for _ in range(2):
        daemon.kill()
        daemon.wait()
        house.await_line(calls, "LinkDown")
        assert house.ctl("status").returncode == 3
        daemon = house.start_daemon()
        house.await_line(calls, "LinkUp")
        now = house.await_status(_running)
        assert calls.poll() is None
        assert {u.state for u in now.status.uplinks} == {"up"}, "what was confirmed stays confirmed"
    calls.kill()
    calls.wait()
    house.await_status(lambda now: now.status.calls_process == "absent")


def test_refused_settings_are_announced_and_the_last_good_ones_count(house: House) -> None:
    house.start_daemon().terminate()
    house.settings.write_text("[appliance\n")
    daemon = house.start("daemon", str(house.settings), str(house.state), str(house.run))
    house.hear("READY=1")
    daemon.terminate()
    _, log = daemon.communicate()
    assert daemon.returncode == 0 and house.settings.read_text() == "[appliance\n"
    assert "The settings were refused, and the last good ones are in force" in log and "(line 1)" in log


def test_a_box_without_settings_waits_to_be_set_up(house: House) -> None:
    house.settings.unlink()
    house.start_daemon()
    status = json.loads(house.ctl("status", "--json").stdout)
    assert status["lamp"] == "setup" and status["settings"]["origin"] == "none"
    assert status["guard"] == "standing" and status["uplinks"] == []
    refused = house.ctl("uplinks", "use", "main")
    assert refused.returncode == 1 and "not set up" in refused.stderr


def test_two_daemons_do_not_share_a_directory(house: House) -> None:
    house.start_daemon()
    second = house.start("daemon", str(house.settings), str(house.state), str(house.run))
    assert second.wait(20) != 0
    assert house.ctl("status").returncode == 0


def test_follow_hears_what_happens(house: House) -> None:
    house.start_daemon()
    with Client(house.run / "ctl.sock") as client:
        from gateway.messages import Done, Event, Follow

        assert isinstance(client.request(Follow(), 5), Done)
        house.start_calls()
        heard = (event for event in client.events() if isinstance(event, Event))
        assert any("calls process is there" in event.text for event in heard)
