"""Supervisory tones: a short notation for them, and their samples for a player that loops. Pure.

    425                                for ever
    400+450 400,200 400,2000           two frequencies; on and off in ms, repeated
    400*25                             400 Hz, amplitude modulated by 25 Hz
    950 330,0; 1400 330,0; 1800 330,1000     one after the other, repeated
    10x 350+440 100,100 | 350+440      ten times, then what stands behind the bar for ever
    425 375,375; 425@-10 375,375       the second 10 dB softer

Levels are dBm0 of the whole tone: a full-scale sine is +3.14 dBm0 (ITU-T G.711 table 5).
"""

import io
import math
import re
import wave
from array import array
from dataclasses import dataclass
from typing import Final

from gateway.phones.model import Step, Tone

FULL_SCALE_DBM0: Final = 3.14
RAMP_MS: Final = 4
"""Each burst rises and falls so long, along a quarter sine: no click."""
LONGEST_MS: Final = 30_000
"""A tone that does not repeat from its beginning is rendered so far; no line hears one for longer."""

_PART: Final = re.compile(
    r"(?:(?P<times>\d+)x )?(?P<freqs>\d+(?:\+\d+)*)(?:\*(?P<am>\d+))?(?:@(?P<db>-?\d+))?"
    r"(?P<cadence>(?: \d+,\d+)*)"
)


def tone(name: str, text: str, level_dbm0: float = -13.0) -> Tone:
    """A tone from its notation. Raises ValueError with the part that is none."""
    steps: list[Step] = []
    repeat_from = 0
    for place, half in enumerate(text.split("|")):
        if place:
            repeat_from = len(steps)
        for part in half.split(";"):
            found = _PART.fullmatch(part.strip())
            if found is None:
                raise ValueError(f"tone {name}: {part.strip()!r} is not FREQUENCIES ON,OFF …")
            shape = Step(
                tuple(float(hz) for hz in found["freqs"].split("+")),
                am_hz=float(found["am"] or 0),
                relative_db=float(found["db"] or 0),
            )
            cadence = [tuple(int(ms) for ms in pair.split(",")) for pair in found["cadence"].split()]
            once = [
                Step(shape.freqs_hz, on, off, shape.am_hz, shape.relative_db)
                for on, off in cadence or [(0, 0)]
            ]
            steps += once * int(found["times"] or 1)
    return Tone(name, tuple(steps), level_dbm0, repeat_from)


@dataclass(frozen=True, slots=True)
class Clip:
    """16-bit mono samples. `loops`: played again from the start they go on without a seam."""

    samples: "array[int]"
    rate_hz: int
    loops: bool

    def wav(self) -> bytes:
        """As a WAV file."""
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(self.rate_hz)
            out.writeframes(self.samples.tobytes())
        return buffer.getvalue()


def clip(wanted: Tone, rate_hz: int = 8000, longest_ms: int = LONGEST_MS) -> Clip:
    """The samples of a tone: one round that loops, or `longest_ms` of a tone that begins otherwise."""
    parts = [_step(step, wanted.level_dbm0, rate_hz, longest_ms) for step in wanted.steps]
    if wanted.repeat_from == 0:
        return Clip(_joined(parts), rate_hz, loops=True)
    samples = _joined(parts)
    wished = longest_ms * rate_hz // 1000
    again = (
        _joined(parts[wanted.repeat_from :])
        if wanted.repeat_from is not None
        else array("h", bytes(2 * rate_hz))
    )
    while len(samples) < wished:
        samples += again
    return Clip(samples[:wished], rate_hz, loops=False)


def silence(ms: float, rate_hz: int = 8000) -> "array[int]":
    """So much of nothing."""
    return array("h", bytes(2 * round(ms * rate_hz / 1000)))


def sine(freqs_hz: tuple[float, ...], ms: float, level_dbm0: float, rate_hz: int = 8000) -> "array[int]":
    """A burst of these frequencies, `level_dbm0` of each of them."""
    total = level_dbm0 + 10 * math.log10(len(freqs_hz))
    return _burst(Step(freqs_hz, round(ms)), total, rate_hz, round(ms * rate_hz / 1000), ramps=True)


def _joined(parts: "list[array[int]]") -> "array[int]":
    whole: array[int] = array("h")
    for part in parts:
        whole += part
    return whole


def _step(step: Step, level_dbm0: float, rate_hz: int, longest_ms: int) -> "array[int]":
    level_dbm0 += step.relative_db
    if step.on_ms:
        count = step.on_ms * rate_hz // 1000
        # A burst without a pause goes into the next one: only ramps part two frequencies.
        return _burst(step, level_dbm0, rate_hz, count, ramps=True) + silence(step.off_ms, rate_hz)
    # Frequencies are whole: after one second every one of them is where it began.
    return _burst(step, level_dbm0, rate_hz, rate_hz, ramps=False)


def _burst(step: Step, level_dbm0: float, rate_hz: int, count: int, *, ramps: bool) -> "array[int]":
    each = 10 ** ((level_dbm0 - FULL_SCALE_DBM0) / 20) * 32767 / math.sqrt(len(step.freqs_hz))
    turns = [2 * math.pi * hz / rate_hz for hz in step.freqs_hz]
    sin = math.sin
    values = [each * sum(sin(turn * n) for turn in turns) for n in range(count)]
    if step.am_hz:
        turn = 2 * math.pi * step.am_hz / rate_hz
        # Modulated wholly; the root keeps the power what the level says.
        values = [value * (1 + math.cos(turn * n)) / math.sqrt(1.5) for n, value in enumerate(values)]
    if ramps:
        length = min(RAMP_MS * rate_hz // 1000, count // 2)
        for n in range(length):
            gain = sin(math.pi / 2 * (n + 0.5) / length)
            values[n] *= gain
            values[count - 1 - n] *= gain
    return array("h", (max(-32767, min(32767, round(value))) for value in values))
