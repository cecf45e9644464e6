"""Keys through pjsua2's bridge: what a phone dials arrives, and a listener that falls over harms nobody."""

import subprocess
import sys
from pathlib import Path

from gateway.phones import dsp
from gateway.phones.model import KEYS
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
