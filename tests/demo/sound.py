"""What was heard, from packets and recordings: silences, frames that came through, levels to draw. No I/O."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.lab import rtp

RATE_HZ: Final = 8000


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was heard from `from_s` on for `length_s`."""

    from_s: float
    length_s: float

    @property
    def ms(self) -> float:
        """Its length in milliseconds."""
        return self.length_s * 1000

    @property
    def to_s(self) -> float:
        """Its end."""
        return self.from_s + self.length_s


@dataclass(frozen=True, slots=True)
class Lane:
    """What one side heard: peak levels 0..1 (of full scale), one each `step_s`, from `start_s` on."""

    start_s: float
    step_s: float
    levels: tuple[float, ...]


def longest_silence(arrivals_s: Sequence[float], from_s: float, to_s: float) -> Silence | None:
    """The longest time without a frame that begins or ends within the window; None if no frame is there.

    A frame is heard for 20 ms: packets on time leave no silence. What follows the last packet counts.
    """
    ordered = sorted(at for at in arrivals_s if at < to_s)
    first = bisect_left(ordered, from_s)
    inside = [*ordered[max(0, first - 1) :], to_s]
    if len(inside) < 2:
        return None
    found = (Silence(a + rtp.FRAME_S, b - a - rtp.FRAME_S) for a, b in pairwise(inside))
    longest = max(found, key=lambda silence: silence.length_s)
    return longest if longest.length_s > 0 else Silence(longest.from_s, 0.0)


def lost(sequences: Sequence[int]) -> int:
    """Packets missing from one RTP stream, by its 16-bit sequence numbers in order of arrival."""
    if not sequences:
        return 0
    extended = [sequences[0]]
    for sequence in sequences[1:]:
        step = (sequence - extended[-1]) & 0xFFFF
        extended.append(extended[-1] + (step if step < 0x8000 else step - 0x10000))
    return max(extended) - min(extended) + 1 - len(set(extended))


@dataclass(frozen=True, slots=True)
class Played:
    """A phone's recording, laid over the packets that came to its box. `start_s`: when its first sample was
    played, at the earliest; `genuine`: stretches (first sample, one after the last) that the far end sent."""

    start_s: float
    genuine: tuple[tuple[int, int], ...]

    def longest_silence(self, from_s: float, to_s: float) -> Silence | None:
        """The longest time within which nothing was the far end's, among those that begin or end within the
        window; None if the recording does not reach so far."""
        edges = [(self.start_s + a / RATE_HZ, self.start_s + b / RATE_HZ) for a, b in self.genuine]
        if not edges or edges[0][0] > from_s or edges[-1][1] < to_s:
            return None
        holes = [Silence(a[1], b[0] - a[1]) for a, b in pairwise(edges) if a[1] < to_s and b[0] > from_s]
        return max(holes, key=lambda hole: hole.length_s, default=Silence(from_s, 0.0))


def lay_over(samples: "array[int]", packets: Sequence[tuple[float, bytes]]) -> Played | None:
    """Find the packets (arrival in seconds, 20 ms of 16-bit samples) in a recording; None if none is there.

    The bridge runs at the codec's own rate, so a frame that was heard stands in the recording bit by bit;
    what the phone made up (concealment) or left out does not.
    """
    arrivals: dict[bytes, float] = {}
    repeated: set[bytes] = set()
    for at_s, frame in packets:
        if frame in arrivals:
            repeated.add(frame)
        arrivals[frame] = at_s
    raw, size = samples.tobytes(), 2 * rtp.FRAME_SAMPLES
    genuine: list[tuple[int, int]] = []
    starts: list[float] = []
    at = 0
    while at + size <= len(raw):
        frame = raw[at : at + size]
        if frame not in arrivals:
            at += 2
            continue
        first, last = at // 2, at // 2 + rtp.FRAME_SAMPLES
        if genuine and genuine[-1][1] == first:
            first = genuine.pop()[0]
        genuine.append((first, last))
        if frame not in repeated:
            starts.append(arrivals[frame] - at / 2 / RATE_HZ)
        at += size
    if not starts:
        return None
    # No frame is played before it came, so the latest of these starts is the earliest possible one. A stray
    # late packet must not set it: the latest 2 % are left out.
    starts.sort()
    return Played(starts[int(0.98 * (len(starts) - 1))], tuple(genuine))


def lane(samples: "array[int]", start_s: float, from_s: float, to_s: float, step_s: float = 0.006) -> Lane:
    """Peak levels of a window of a recording whose first sample was heard at `start_s`."""
    levels = []
    for number in range(round((to_s - from_s) / step_s)):
        first = round((from_s + number * step_s - start_s) * RATE_HZ)
        part = samples[max(0, first) : max(0, first + round(step_s * RATE_HZ))]
        levels.append(max((abs(sample) for sample in part), default=0) / 32768)
    return Lane(from_s, step_s, tuple(levels))
