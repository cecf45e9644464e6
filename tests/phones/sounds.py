"""What comes out of a phone: keys with twist and noise, voices, modems heard badly. Needs numpy."""

import math
import subprocess
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.phones.dtmf import HIGH_HZ, KEYPAD, LOW_HZ
from gateway.phones.model import KEYS, Digit, Event
from gateway.phones.tones import FULL_SCALE_DBM0

RATE_HZ: Final = 8000
FRAME: Final = 160
Sound = NDArray[np.float64]
PAIRS: Final = {key: (LOW_HZ[r], HIGH_HZ[c]) for r, row in enumerate(KEYPAD) for c, key in enumerate(row)}


_TO_PHONE: Final = (
    *("-q", "-G", "-t", "wav", "-"),
    *("-r", "8000", "-c", "1", "-b", "16", "-e", "signed", "-t", "raw", "-"),
    *("sinc", "250-3500"),
)


def peak(dbm0: float) -> float:
    return 10 ** ((dbm0 - FULL_SCALE_DBM0) / 20) * 32767


def pcm(sound: Sound) -> "array[int]":
    samples = array("h")
    samples.frombytes(np.clip(np.rint(sound), -32768, 32767).astype("<i2").tobytes())
    return samples


def power(sound: Sound) -> float:
    return float(np.mean(sound**2))


def press(
    key: str, luck: np.random.Generator, *, twist_db: float = 0.0, on_ms: int = 50, total_dbm0: float = -10.0
) -> Sound:
    """One key; the high tone is `twist_db` louder than the low one, both have `total_dbm0`."""
    low, high = PAIRS[key]
    share = 1 / (1 + 10 ** (twist_db / 10))
    n = np.arange(on_ms * RATE_HZ // 1000)
    both = np.zeros(len(n))
    for hz, part in ((low, share), (high, 1 - share)):
        both += peak(total_dbm0) * math.sqrt(part) * np.sin(2 * np.pi * hz * n / RATE_HZ + luck.uniform(0, 7))
    return both


def white(length: int, of: float, snr_db: float, luck: np.random.Generator) -> Sound:
    """White noise (0-4 kHz) `snr_db` below a sound of power `of`."""
    return luck.normal(0, math.sqrt(of / 10 ** (snr_db / 10)), length)


def random_keys(count: int, luck: np.random.Generator) -> str:
    return "".join(luck.choice(list(KEYS), count))


def frames(samples: "array[int]") -> Iterator[tuple[float, "array[int]"]]:
    """(when its last sample was heard, 20 ms)."""
    for begin in range(0, len(samples) - FRAME + 1, FRAME):
        yield (begin + FRAME) / RATE_HZ, samples[begin : begin + FRAME]


def keys(events: Sequence[Event]) -> str:
    return "".join(event.key for event in events if isinstance(event, Digit))


def speech(text: str, voice: str, words_a_minute: int, pitch: int, rms_dbm0: float) -> Sound:
    """A text as espeak-ng speaks it, on a telephone's band. Raises CalledProcessError without it or sox."""
    spoken = subprocess.run(
        ["espeak-ng", "--stdout", "-v", voice, "-s", str(words_a_minute), "-p", str(pitch)],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    raw = subprocess.run(["sox", *_TO_PHONE], input=spoken.stdout, capture_output=True, check=True)
    sound: NDArray[Any] = np.frombuffer(raw.stdout, "<i2").astype(float)
    if not len(sound):
        return np.zeros(0)
    return sound * peak(rms_dbm0) / math.sqrt(2 * power(sound) + 1)
