"""How much was heard in a recording: sound against silence, by the energy of 20 ms frames. Reads files."""

import math
import wave
from array import array
from pathlib import Path

SILENCE_DBM0 = -45.0
FRAME_MS = 20
_FULL_SCALE_DBM0 = 3.14
"""A full-scale sine in 16-bit linear is +3.14 dBm0 for A-law (ITU-T G.711 table 5)."""


def heard_ms(path: Path) -> int:
    """Milliseconds of sound above -45 dBm0 in a 16-bit mono WAV; 0 when there is no such file."""
    try:
        with wave.open(str(path), "rb") as recording:
            if recording.getsampwidth() != 2 or recording.getnchannels() != 1:
                return 0
            size = recording.getframerate() * FRAME_MS // 1000
            loud = 0
            while len(frame := recording.readframes(size)) == 2 * size:
                loud += level_dbm0(array("h", frame)) > SILENCE_DBM0
            return loud * FRAME_MS
    except (OSError, EOFError, wave.Error):
        return 0


def level_dbm0(samples: "array[int]") -> float:
    """Level of 16-bit samples in dBm0; -100 for digital silence."""
    power = sum(sample * sample for sample in samples) / len(samples)
    if power < 1:
        return -100.0
    return 20 * math.log10(math.sqrt(2 * power) / 32768) + _FULL_SCALE_DBM0
