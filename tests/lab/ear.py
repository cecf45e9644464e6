"""Notes that phones speak, and what of them a recording holds."""

import math
import struct
import wave
from array import array
from pathlib import Path


def write_note(path: Path, hz: float) -> None:
    """A second of a sine at -16 dBFS, that loops without a seam."""
    samples = array("h", (round(5200 * math.sin(2 * math.pi * hz * n / 8000)) for n in range(8000)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())


def samples_of(path: Path, last_s: float) -> "array[int]":
    """The last seconds of a recording, also of one that is still being written."""
    raw = path.read_bytes()
    at = raw.index(b"data") + 8
    (rate_hz,) = struct.unpack("<I", raw[24:28])
    size = 2 * round(last_s * rate_hz)
    body = raw[at : len(raw) - (len(raw) - at) % 2]
    return array("h", body[-size:])


def level_dbfs(samples: "array[int]", hz: float) -> float:
    """The level of one frequency, by Goertzel's sum over whole blocks of 100 ms."""
    block = 800
    levels = []
    for start in range(0, len(samples) - block + 1, block):
        turn = 2 * math.pi * hz / 8000
        re = sum(samples[start + n] * math.cos(turn * n) for n in range(block))
        im = sum(samples[start + n] * math.sin(turn * n) for n in range(block))
        levels.append(math.hypot(re, im) * 2 / block / 32768)
    if not levels:
        return -120.0
    levels.sort()
    return 20 * math.log10(max(levels[len(levels) // 2], 1e-6))
