"""What a phone has heard, from its recording: samples, and the level of a note in them."""

import math
import struct
from array import array
from pathlib import Path


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
