"""What of a phone's sound is a DTMF digit: dial tone taken out, pairs of tones, no digit told twice. Pure.

A 2-wire line gives back a part of what it plays. spandsp's own filter holds down 350 and 440 Hz and leaves
425 Hz, the dial tone of most of the world. The box knows its tone: in each block of 20 ms the part of the
samples that lies in the space of those frequencies is subtracted, whatever its phase and level, and nothing
else changes but for 6 % of the nearest DTMF tone.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import Final

from gateway.phones.model import Tone

RATE_HZ: Final = 8000
BLOCK: Final = 160
LINGERS_BLOCKS: Final = 15
"""A tone that was stopped is still on its way through buffers of the sound card for so long."""


def frequencies(tone: Tone) -> tuple[float, ...]:
    """All frequencies of a tone, side bands of a modulated one among them."""
    found: set[float] = set()
    for step in tone.steps:
        for hz in step.freqs_hz:
            found |= {hz, hz - step.am_hz, hz + step.am_hz}
    return tuple(sorted(found))


LOW_HZ: Final = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ: Final = (1209.0, 1336.0, 1477.0, 1633.0)
KEYPAD: Final = ("123A", "456B", "789C", "*0#D")
"""ITU-T Q.23: a row is a low frequency, a column a high one."""

PAIR_SHARE: Final = 0.8
"""Of all energy in 30 ms. A pair alone at 10 dB above white noise has 0.91; speech has it for moments."""
PAIR_TWIST: Final = 10 ** (10.5 / 10)
PAIR_OVER_REST: Final = 10 ** (9 / 10)
"""The tone of each group above the other three."""
PAIR_LEAST_DBM0: Final = -42.0
PAIR_STEADY: Final = 0.25
"""Each third of the window has at least so much of the loudest third's energy: no edge of a digit in it."""
APART_S: Final = 0.035
"""The same key again counts when the pair was gone for so long (ITU-T Q.24: pauses are 40 ms and more)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The strongest low and high tone of a window: their places in LOW_HZ and HIGH_HZ."""

    low: int
    high: int

    @property
    def key(self) -> str:
        return KEYPAD[self.low][self.high]


def pair(powers: Sequence[float], whole: float, thirds: Sequence[float], least: float) -> Pair | None:
    """Which key these are, or None.

    `powers`: of LOW_HZ and HIGH_HZ, parts of `whole`, the energy of the window; `thirds`: the energy of its
    thirds; `least`: the weakest tone that counts.
    """
    low = max(range(4), key=powers.__getitem__)
    high = max(range(4, 8), key=powers.__getitem__)
    a, b = powers[low], powers[high]
    if a + b < PAIR_SHARE * whole or min(a, b) < least or max(a, b) > PAIR_TWIST * min(a, b):
        return None
    if min(thirds) < PAIR_STEADY * max(thirds):
        return None
    rest = (powers[n] * PAIR_OVER_REST > (a if n < 4 else b) for n in range(8) if n not in (low, high))
    return None if any(rest) else Pair(low, high - 4)


class Presses:
    """Two judges hear the same key; it is told once, however often its tones fade."""

    def __init__(self) -> None:
        self._key = ""
        self._last_s = -1e9
        self._candidate = ""

    def sounds(self, key: str, at_s: float) -> bool:
        """`key` is certain at `at_s`. True when it is a press that was not told yet."""
        fresh = key != self._key or at_s - self._last_s >= APART_S
        self._key, self._last_s = key, at_s
        return fresh

    def goes_on(self, key: str, at_s: float) -> None:
        """A key that was told still sounds, says one judge: no press of its own."""
        if key == self._key and at_s - self._last_s < APART_S:
            self._last_s = at_s

    def again(self, key: str) -> bool:
        """The second judge sees `key` (empty: none) in this window; certain is what it sees twice."""
        twice = bool(key) and key == self._candidate
        self._candidate = key
        return twice


class ToneRemover:
    """Takes known frequencies out of 8 kHz samples, block by block."""

    def __init__(self, freqs_hz: tuple[float, ...]) -> None:
        self._basis = _basis(freqs_hz)

    def block(self, samples: "array[int]") -> "array[int]":
        """The same `BLOCK` samples without the tone."""
        left: list[float] = list(samples)
        for axis in self._basis:
            share = sum(map(mul, axis, left))
            left = [value - share * part for value, part in zip(left, axis, strict=True)]
        return array("h", (max(-32768, min(32767, int(value))) for value in left))


def _basis(freqs_hz: tuple[float, ...]) -> list[list[float]]:
    """Orthonormal vectors of the space of these frequencies (Gram-Schmidt, twice for the close ones)."""
    basis: list[list[float]] = []
    for hz in freqs_hz:
        turn = 2 * math.pi * hz / RATE_HZ
        for wave in (math.sin, math.cos):
            vector = [wave(turn * n) for n in range(BLOCK)]
            whole = math.sqrt(sum(map(mul, vector, vector)))
            for _ in range(2):
                for axis in basis:
                    share = sum(map(mul, axis, vector))
                    vector = [value - share * part for value, part in zip(vector, axis, strict=True)]
            length = math.sqrt(sum(map(mul, vector, vector)))
            if length > 1e-3 * whole:  # else it is among the others already
                basis.append([value / length for value in vector])
    return basis
