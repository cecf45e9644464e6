"""Sound against silence in a recording."""

import math
import wave
from array import array
from pathlib import Path

import pytest

from gateway.calls.wav import heard_ms, level_dbm0


def record(path: Path, *parts: tuple[int, float]) -> Path:
    """Parts of (milliseconds, amplitude 0..32767) of a 400 Hz sine."""
    samples = array("h")
    for ms, amplitude in parts:
        samples.extend(round(amplitude * math.sin(2 * math.pi * 400 * n / 8000)) for n in range(8 * ms))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return path


def test_only_sound_counts(tmp_path: Path) -> None:
    assert heard_ms(record(tmp_path / "a.wav", (1000, 0), (600, 8000), (1000, 20))) == 600


@pytest.mark.parametrize(("amplitude", "dbm0"), [(32767, 3.14), (3277, -16.86), (328, -36.86)])
def test_level_is_that_of_g711(amplitude: float, dbm0: float) -> None:
    sine = array("h", (round(amplitude * math.sin(2 * math.pi * 400 * n / 8000)) for n in range(160)))
    assert level_dbm0(sine) == pytest.approx(dbm0, abs=0.05)


def test_what_is_no_recording_holds_no_sound(tmp_path: Path) -> None:
    (tmp_path / "torn.wav").write_bytes(b"RIFF\x00\x00")
    assert heard_ms(tmp_path / "torn.wav") == 0
    assert heard_ms(tmp_path / "none.wav") == 0
