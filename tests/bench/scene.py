"""A scene: laboratory, gateway and the same few things that every benchmark does with them.

Times are the kernel's: of captures at the wire, of sockets that stamp, of `ip monitor`; never of our own log.
"""

import contextlib
import fcntl
import itertools
import os
import re
import time
import wave
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from gateway.messages import Dial, Event, HangUp
from tests.lab import plan, rtp
from tests.lab.box import Box, phone_names, settings_text
from tests.lab.capture import Capture, Packet
from tests.lab.farend import FarCall
from tests.lab.lab import Lab
from tests.lab.netns import LabError

ROOT: Final = Path(__file__).resolve().parents[2] / "build" / "bench"
TO_PROVIDER: Final = f"udp and net {plan.PROVIDER_PREFIX}"
TRUNK_TABLE: Final = "110"
DAMPED_AFTER: Final = 3
"""So many losses in a row an uplink may have before it is damped: a fresh daemon then forgets them."""


class Scene:
    """A lab with a working gateway in it, `phones` of them virtual and answering. A context manager.

    `heard`: what a phone hears, from lifted to put down, is recorded into `<phone>.wav` in `logs`.
    """

    def __init__(
        self,
        name: str,
        *,
        phones: int = 1,
        failback_after_s: float = 1.0,
        confirmed: tuple[plan.Uplink, ...] = plan.UPLINKS,
        heard: bool = False,
    ) -> None:
        self.logs, self._lock = _logs(name)
        self.phones = phone_names(phones)
        self.confirmed = confirmed
        spoken = self.logs / "numbers.wav"
        write_numbers(spoken, seconds=60)
        record = self.logs if heard else None
        text = settings_text(phones=phones, play=spoken, record=record, failback_after_s=failback_after_s)
        text = text.replace("-{call}.wav", ".wav")
        self.lab = Lab(self.logs)
        try:
            self.box = Box(self.lab, text)
            self.box.confirm_in_advance(*confirmed)
            self.box.start()
            self.box.await_ready(*confirmed)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything; logs stay."""
        if hasattr(self, "box"):
            self.box.close()
        self.lab.close()
        os.close(self._lock)

    def fresh_daemon(self) -> None:
        """Start the daemon anew: it adopts what stands and forgets how often uplinks have come and gone."""
        before = self.box.starts("daemon")
        self.box.stop("daemon")
        self.box.start("daemon")
        until = time.monotonic() + 5
        while self.box.starts("daemon") == before and time.monotonic() < until:
            time.sleep(0.01)
        self.box.await_status(
            lambda s: s.calls_process == "running" and bool(s.active_uplink), "the daemon is back"
        )

    # --- calls --------------------------------------------------------------------------------------------

    def dial(self, number: str = plan.ANSWERS, count: int = 1) -> list[FarCall]:
        """Have `count` phones call a number; gives the calls once the far end has answered them all."""
        known = {call.index for call in self.lab.far.calls()}
        for phone in self.phones[:count]:
            self.box.ask(Dial(phone=phone, digits=number))
        until = time.monotonic() + 10
        while True:
            fresh = [c for c in self.lab.far.calls(number=number) if c.index not in known and c.answered_s]
            if len(fresh) >= count:
                break
            if time.monotonic() > until:
                raise LabError(f"{len(fresh)} of {count} calls were answered; logs in {self.logs}")
            time.sleep(0.05)
        self.box.await_status(lambda s: sum(c.state == "up" for c in s.calls) >= count, "calls up")
        return fresh

    def hang_up(self) -> None:
        """End every call of the box."""
        for call in self.box.status().calls:
            with contextlib.suppress(LabError):  # it may have ended meanwhile
                self.box.ask(HangUp(phone=call.phone))
        self.box.await_status(lambda s: not s.calls, "no calls")

    def now(self, call: FarCall) -> FarCall:
        """What has become of a call, or of the one that has replaced it at last."""
        return self._lives(call)[-1]

    def heard_times(self, call: FarCall) -> list[float]:
        """When the far end heard a packet of it, also after it was replaced; Unix seconds, in order."""
        return sorted(p.at_s for life in self._lives(call) for p in self.lab.far.heard(life))

    def _lives(self, call: FarCall) -> list[FarCall]:
        calls = self.lab.far.calls()
        lives = [next(c for c in calls if c.index == call.index)]
        while later := [c for c in calls if lives[-1].call_id in c.replaces]:
            lives.append(later[-1])
        return lives

    # --- uplinks ------------------------------------------------------------------------------------------

    def active(self) -> plan.Uplink:
        """The uplink that carries calls now."""
        name = self.box.status().active_uplink
        return next(up for up in plan.UPLINKS if up.name == name)

    def await_up(self, *uplinks: plan.Uplink, timeout_s: float = 20.0) -> None:
        """Until the provider can be reached by each of these, confirmed and without doubt."""
        names = {up.name for up in uplinks}
        self.box.await_status(
            lambda s: {u.name for u in s.uplinks if u.state in ("up", "damped")} >= names,
            f"{', '.join(sorted(names))} up",
            timeout_s,
        )

    def heal(self) -> None:
        """All cables in, no holes, no weather."""
        for up in plan.UPLINKS:
            self.lab.heal(up)
            self.lab.restore_carrier(up)

    def events(self, kind: str, since_s: float) -> list[Event]:
        """What the gateway told of itself since then."""
        return [event for event in self.box.events if event.kind == kind and event.at >= since_s]

    def capture(self, name: str = "box", expression: str = TO_PROVIDER, length: int = 600) -> Capture:
        """Traffic with the provider, as it passes the devices of a namespace."""
        return self.lab.capture(name, expression=expression, length=length)

    @contextlib.contextmanager
    def routes_watched(self) -> Iterator[Callable[[], list[float]]]:
        """While it runs, the kernel's changes to the trunk's table are heard; gives their Unix times."""
        path = self.logs / f"routes-{time.monotonic_ns()}.log"
        with open(path, "wb") as sink:
            child: Any = self.lab.box_popen(["ip", "-ts", "-o", "monitor", "route"], stdout=sink)
        time.sleep(0.05)

        def changes() -> list[float]:
            found = []
            for line in path.read_text(errors="replace").splitlines():
                stamp = re.match(r"\[([0-9T:.-]+)\]", line)
                if stamp and f"table {TRUNK_TABLE} " in line + " " and "Deleted" not in line:
                    found.append(datetime.fromisoformat(stamp[1]).timestamp())
            return found

        try:
            yield changes
        finally:
            self.lab.stop(child)


def _logs(name: str) -> tuple[Path, int]:
    """An empty directory for this scene, and the lock on it; of two that run at once, each has its own."""
    for number in itertools.count(1):
        directory = ROOT / (name if number == 1 else f"{name}-{number}")
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        for old in directory.iterdir():
            if old.is_file() and old.name != "lock":
                old.unlink()
        return directory, lock
    raise AssertionError("numbers do not end")


# --- reading captures -------------------------------------------------------------------------------------


def outgoing_call_packets(packets: list[Packet], device: str = "") -> Iterator[Packet]:
    """INVITEs and RTP that left the box, by one device if it is named. OPTIONS are no sign of a move."""
    for packet in packets:
        if packet.outgoing and device in ("", packet.device):
            if packet.sip.startswith("INVITE ") or packet.rtp is not None:
                yield packet


def arrivals(packets: list[Packet]) -> list[Packet]:
    """RTP that came in to the box, on any device."""
    return [packet for packet in packets if not packet.outgoing and packet.rtp is not None]


def largest_gap_ms(times_s: list[float], since_s: float, until_s: float) -> float:
    """The longest silence that touches the span, less the 20 ms between two frames: in milliseconds.

    A stream that does not come back is silent to the end of the span."""
    before = [t for t in times_s if t <= since_s][-1:]
    inner = [t for t in times_s if since_s < t <= until_s]
    marks = [*(before or [since_s]), *inner, until_s]
    longest = max(b - a for a, b in itertools.pairwise(marks))
    return max(0.0, (longest - rtp.FRAME_S) * 1000)


# --- processes --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process, from /proc: resident memory, CPU seconds so far, open files."""

    rss_mb: float
    cpu_s: float
    files: int


def usage(pid: int) -> Usage:
    """Raises FileNotFoundError when it is gone."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    rss = re.search(r"VmRSS:\s+(\d+) kB", status)
    ticks = os.sysconf("SC_CLK_TCK")
    return Usage(
        int(rss[1]) / 1024 if rss else 0.0,
        (int(stat[11]) + int(stat[12])) / ticks,
        len(os.listdir(f"/proc/{pid}/fd")),
    )


def cpu_percent(pid: int, seconds: float) -> float:
    """Of one core, over the next `seconds`."""
    began, before = time.monotonic(), usage(pid).cpu_s
    time.sleep(seconds)
    return 100 * (usage(pid).cpu_s - before) / (time.monotonic() - began)


# --- sound ------------------------------------------------------------------------------------------------


def write_numbers(path: Path, *, seconds: int) -> None:
    """A WAV (8 kHz, 16 bit, mono) of numbered frames (tests/lab/rtp.py), for phones to speak."""
    samples = array("h")
    for number in range(seconds * 50):
        samples.extend(rtp.linear(rtp.PCMA, rtp.frame(number)) or ())
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
