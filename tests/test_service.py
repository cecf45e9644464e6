"""What systemd hears: over a list, and over a real datagram socket."""

import io
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.service import JournalHandler, Pulse, Service, fields, log_to_journal_or_stderr

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _keep_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising


def test_what_is_said_and_what_is_not_repeated() -> None:
    said: list[str] = []
    service = Service(said.append, {})
    service.status("Starting")
    service.ready()
    service.ready()
    service.status("All is well:\n calls leave by main. ")
    service.status("All is well: calls leave by main.")
    service.watchdog()
    service.watchdog()
    service.stopping()
    assert said == [
        "STATUS=Starting",
        "READY=1",
        "STATUS=All is well: calls leave by main.",
        "WATCHDOG=1",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_a_sentence_cannot_smuggle_in_another_state() -> None:
    said: list[str] = []
    Service(said.append, {}).status("x\nREADY=1\r\nMAINPID=1")
    assert said == ["STATUS=x READY=1 MAINPID=1"]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "10000000"}, 10.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdogs_time(environment: dict[str, str], seconds: float) -> None:
    said: list[str] = []
    assert Service(said.append, environment).watchdog_s == seconds


SPEAKER = """
from gateway.service import Service
s = Service()
s.status("Grüße"); s.ready(); s.watchdog(); s.stopping()
print(s.watchdog_s)
"""


def test_the_real_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        done = subprocess.run(
            [sys.executable, "-c", SPEAKER],
            env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "2.0\n"
        heard = [listener.recv(4096).decode() for _ in range(4)]
    assert heard == ["STATUS=Grüße", "READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_without_systemd_nothing_happens() -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
    blocked = "import sys; sys.modules['systemd'] = None\n"
    for first in ("", blocked):
        done = subprocess.run(
            [sys.executable, "-c", first + SPEAKER],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "0.0\n", "")


def test_one_hanging_loop_is_enough() -> None:
    pulse = Pulse()
    hub = pulse.register("hub", 2.0, now=100.0)
    watch = pulse.register("uplinks", 5.0, now=100.0)
    assert pulse.silent(102.0) == []
    assert pulse.silent(102.1) == ["hub"]
    hub(103.0)
    watch(103.0)
    assert pulse.silent(105.0) == []
    hub(107.0)
    assert pulse.silent(108.5) == ["uplinks"]
    watch(108.6)
    assert pulse.silent(108.7) == []


def test_journal_fields() -> None:
    entries: list[dict[str, object]] = []
    logger = logging.Logger("gateway.test")
    logger.addHandler(
        JournalHandler("gateway", lambda message, **given: entries.append({"MESSAGE": message, **given}))
    )
    logger.warning("%s is down", "main", extra={"uplink": "main", "call": 7, "bad name!": "x"})
    [entry] = entries
    assert entry["MESSAGE"] == "main is down"
    assert (entry["UPLINK"], entry["CALL"], entry["PRIORITY"]) == ("main", "7", "4")
    assert entry["SYSLOG_IDENTIFIER"] == "gateway" and entry["LOGGER"] == "gateway.test"
    assert entry["CODE_FILE"] == __file__ and isinstance(entry["CODE_LINE"], int)
    assert not any("bad" in name.lower() for name in entry)
    try:
        raise ValueError("the cause")
    except ValueError:
        logger.exception("it broke")
    text = str(entries[1]["MESSAGE"])
    assert text.startswith("it broke\nTraceback") and "the cause" in text
    assert entries[1]["PRIORITY"] == "3"


def test_every_level_has_a_priority() -> None:
    levels = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL]
    records = [logging.makeLogRecord({"levelno": level}) for level in levels]
    assert [fields(record)["PRIORITY"] for record in records] == ["7", "6", "4", "3", "2"]


def test_a_journal_that_fails_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("journal is full")

    logger = logging.Logger("gateway.test")
    logger.addHandler(JournalHandler("gateway", fail))
    logger.warning("still going")
    assert "still going" in capsys.readouterr().err


JOURNALIST = """
import logging, os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("/run/systemd/journal/socket")
listener.settimeout(5)
from gateway.service import log_to_journal_or_stderr
seen = os.fstat(2)
log_to_journal_or_stderr("gateway-test", environment={"JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino}"})
logging.getLogger("gateway.uplinks").warning("main is down", extra={"uplink": "main"})
sys.stdout.write(listener.recv(65536).decode())
"""


@pytest.mark.root
def test_the_real_journal_socket(tmp_path: Path) -> None:
    """systemd's own library, with a listener of ours in the journal's place (in a mount namespace)."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    pytest.importorskip("systemd.journal")
    mount = "mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir /run/systemd/journal"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount + ' && exec "$0" -c "$1"', sys.executable, JOURNALIST],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    entry = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert entry["MESSAGE"] == "main is down" and entry["UPLINK"] == "main" and entry["PRIORITY"] == "4"
    assert entry["SYSLOG_IDENTIFIER"] == "gateway-test" and entry["CODE_LINE"].isdigit()


def test_plain_lines_off_the_journal() -> None:
    stream = io.StringIO()
    log_to_journal_or_stderr("gateway", stream=stream, environment={"JOURNAL_STREAM": "1:2"})
    logging.getLogger("gateway.uplinks").info("main is up")
    logging.getLogger("gateway.uplinks").debug("unseen")
    assert stream.getvalue().endswith("I gateway.uplinks: main is up\n")
    assert "unseen" not in stream.getvalue()


def test_the_journal_when_stderr_is_it(tmp_path: Path) -> None:
    pytest.importorskip("systemd.journal")
    with (tmp_path / "stream").open("w") as stream:
        seen = os.fstat(stream.fileno())
        log_to_journal_or_stderr(
            "gateway", stream=stream, environment={"JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino}"}
        )
        assert isinstance(logging.getLogger().handlers[0], JournalHandler)
