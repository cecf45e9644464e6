"""What systemd hears: over a list, and over a real datagram socket."""

import asyncio
import contextlib
import io
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gateway import daemon
from gateway.building import Building
from gateway.errors import DoorError
from gateway.service import JournalHandler, Pulse, Service, fields, log_to_journal_or_stderr
from tests import fakes

ROOT = Path(__file__).parent.parent
EXAMPLE = Path(__file__).parent / "example.toml"


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


# --- what systemd hears of a real daemon ----------------------------------------------------------


class Told:
    """The daemon's words to systemd, in order; `until` waits for one."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._more = asyncio.Event()

    def __call__(self, word: str) -> None:
        self.words.append(word)
        self._more.set()

    async def until(self, judge: Callable[[str], bool]) -> str:
        async with asyncio.timeout(20):
            while not (found := [word for word in self.words if judge(word)]):
                self._more.clear()
                await self._more.wait()
        return found[0]


def tell(
    directory: Path,
    scene: Callable[[Told], Awaitable[None]],
    build: Callable[[Building], fakes.FakeUplinks] = fakes.build,
    close_guard: Callable[[], None] = lambda: None,
) -> Told:
    """Run the daemon's own `serve` around a fake uplinks room, with a watchdog of 0.4 s."""
    options = daemon.Options(
        directory / "settings.toml", directory / "state", directory / "run", directory / "recordings"
    )

    async def main() -> Told:
        told = Told()
        service = Service(told, {"WATCHDOG_USEC": "400000"})
        async with asyncio.TaskGroup() as tasks:
            served = tasks.create_task(daemon.serve(options, build, service, close_guard=close_guard))
            await scene(told)
            served.cancel()
        return told

    return asyncio.run(main())


def test_ready_when_routes_and_guard_stand_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(EXAMPLE.read_text())
    rooms: list[fakes.FakeUplinks] = []

    def build(building: Building) -> fakes.FakeUplinks:
        rooms.append(fakes.build(building))
        rooms[-1].stands = False
        return rooms[-1]

    async def scene(told: Told) -> None:
        await told.until(lambda word: word.startswith("STATUS=Starting: the guard"))
        await told.until(lambda word: word == "WATCHDOG=1")
        assert "READY=1" not in told.words
        rooms[0].stands = True
        rooms[0].changed()
        await told.until(lambda word: word == "READY=1")
        await told.until(lambda word: word == "STATUS=No calls for a moment: the calls process is starting.")

    words = tell(tmp_path, scene, build).words
    assert words.count("READY=1") == 1 and words[-1] == "STOPPING=1"
    assert words[0] == "STATUS=Reading settings."


def test_a_box_without_settings_is_ready_when_its_guard_stands(tmp_path: Path) -> None:
    may_stand = threading.Event()

    def close_guard() -> None:
        if not may_stand.is_set():
            raise DoorError("not yet", where="nft", remedy="Wait")

    def build(building: Building) -> fakes.FakeUplinks:
        raise AssertionError("there is nothing to build a room for")

    async def scene(told: Told) -> None:
        sentence = "The box is not set up yet: it cannot place calls, not even for help."
        await told.until(lambda word: word == f"STATUS={sentence}")
        await told.until(lambda word: word == "WATCHDOG=1")
        assert "READY=1" not in told.words
        may_stand.set()
        await told.until(lambda word: word == "READY=1")

    tell(tmp_path, scene, build, close_guard)


def test_a_loop_that_hangs_is_not_covered_by_the_others(tmp_path: Path) -> None:
    """The uplinks room stops turning; hub, settings, panel and the feeder itself go on."""
    (tmp_path / "settings.toml").write_text(EXAMPLE.read_text())

    class Hanging(fakes.FakeUplinks):
        async def run(self) -> None:
            await asyncio.Event().wait()

    def build(building: Building) -> fakes.FakeUplinks:
        return Hanging(beat=building.beat)

    async def scene(told: Told) -> None:
        await told.until(lambda word: word == "WATCHDOG=1")
        await asyncio.sleep(daemon.LONGEST_TURN_S + 5)
        raise AssertionError("nobody noticed")

    with pytest.raises(ExceptionGroup) as ended:
        tell(tmp_path, scene, build)
    found, _ = ended.value.split(RuntimeError)
    assert found is not None and "no beat from uplinks for 5 s" in repr(found)


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


def test_nobody_reads_and_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that do not fit are not waited for; READY and STATUS are said again until they were taken."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    service = Service()
    for _ in range(2000):
        service.watchdog()
    service.ready()
    service.status("All is well.")
    listener.setblocking(False)
    taken = set(emptied(listener))
    service.ready()
    service.status("All is well.")
    service.status("All is well.")
    again = list(emptied(listener))
    listener.close()
    assert taken == {b"WATCHDOG=1"} and again == [b"READY=1", b"STATUS=All is well."]


def emptied(listener: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(BlockingIOError):
        while said := listener.recv(100):
            yield said


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Service().ready()
