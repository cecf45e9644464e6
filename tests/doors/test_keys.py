"""Keys through pjsua2's bridge: what a phone dials arrives, and a listener that falls over harms nobody."""

import queue
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.calls.sip import Engine, EngineOptions
from gateway.calls.sip import values as v
from gateway.phones import dsp
from gateway.phones.model import KEYS, Digit
from gateway.phones.tones import Clip, silence


def test_keys_come_through_the_bridge(tmp_path: Path) -> None:
    file = tmp_path / "keys.wav"
    file.write_bytes(Clip(silence(300) + dsp.dtmf(KEYS, 60, 60) + silence(300), 8000, loops=False).wav())
    done = subprocess.run(
        [sys.executable, "-m", "tests.doors.keys", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"heard {KEYS}" in done.stdout
    assert "this phone's keys are deaf" in done.stderr
    assert done.returncode == 0


class Bench:
    """An engine whose listeners are the product's."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[object] = queue.SimpleQueue()
        options = EngineOptions(sip_port=5164, rtp_ports=(14_300, 14_400), codecs=("PCMA",))
        self.engine = Engine(self.events.put, options, lambda end: dsp.DtmfReceiver())

    def keys(self, end: str, count: int, within_s: float = 10.0) -> str:
        """The next keys of this end; fewer when no more come in time."""
        heard, deadline = "", time.monotonic() + within_s
        while len(heard) < count and (left_s := deadline - time.monotonic()) > 0:
            try:
                event = self.events.get(timeout=left_s)
            except queue.Empty:
                break
            if isinstance(event, v.KeyHeard) and event.end == end and isinstance(event.heard, Digit):
                heard += event.heard.key
        return heard


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.engine.start()
    yield bench
    bench.engine.stop()
    assert not bench.engine.running


def test_keys_of_an_end_also_while_it_is_muted(bench: Bench, tmp_path: Path) -> None:
    file, other = tmp_path / "keys.wav", tmp_path / "heard.wav"
    samples = silence(100) + dsp.dtmf("159", 80, 80)
    file.write_bytes(Clip(samples, 8000, loops=True).wav())
    for command in (
        v.OpenEnd("desk", str(file), ""),
        v.OpenEnd("hall", "", str(other)),
        v.ListenKeys("desk", True),
        v.LinkEnds("desk", "hall", True),
    ):
        bench.engine.do(command)
    heard = bench.keys("desk", 6)
    assert len(heard) == 6
    assert heard in "159159159"
    bench.engine.do(v.MuteEnd("desk", True))
    assert len(bench.keys("desk", 9)) == 9
    # Only the other end is deaf: its recording of now is silent.
    quiet = tmp_path / "quiet.wav"
    bench.engine.do(v.Record("hall", str(quiet)))
    assert len(bench.keys("desk", 6)) == 6
    bench.engine.do(v.ListenKeys("desk", False))
    bench.engine.do(v.CloseEnd("hall"))
    while not isinstance(bench.events.get(timeout=10), v.EndClosed):
        pass
    assert not any(quiet.read_bytes()[44:])
    assert any(other.read_bytes()[44:])
    assert bench.keys("desk", 1, within_s=1.0) == ""
    bench.engine.do(v.CloseEnd("desk"))
