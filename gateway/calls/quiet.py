"""Law: silence is a suspicion, not a verdict; a false one costs a burst of probes, a missed one the call.

An uplink is suspected when every call that should hear something on it has heard nothing for `threshold_ms`,
and one of them at least for longer than its far end is known to pause (voice activity detection, comfort
noise: such pauses are learned call by call, and forgotten). One suspicion for each silence, then reminders at
growing distances. A call that has not yet heard anything since it came, moved or was held does not count.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_REMINDERS_MS: Final = (250, 500, 1000)
_LONGEST_PATIENCE_MS: Final = 400
"""However often a far end pauses, its silence is a suspicion after this."""
_FORGET_S: Final = 20.0
"""The learned pause halves in this time."""
_STALL_MS: Final = 50
"""Two polls further apart than this: we slept, not the network."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing has come in by `uplink` for `quiet_ms` on any of its `calls`."""

    uplink: str
    calls: int
    quiet_ms: int


@dataclass(frozen=True, slots=True)
class Heard:
    """After Quiet: something comes in by `uplink` again."""

    uplink: str


Sample = tuple[int, str, int, bool]
"""A leg, its uplink, the RTP packets received so far (fewer than before: counted anew), and whether its far
end should be sending now."""


@dataclass(slots=True)
class _Leg:
    uplink: str
    packets: int
    changed_s: float
    counts: bool = False
    pause_ms: float = 0.0
    learned_s: float = 0.0

    def silent_ms(self, now: float) -> float:
        return round((now - self.changed_s) * 1000, 3)

    def patience_ms(self, threshold_ms: float, now: float) -> float:
        learned = 1.25 * self.pause_ms * math.exp2((self.learned_s - now) / _FORGET_S)
        return max(threshold_ms, min(learned, _LONGEST_PATIENCE_MS))


@dataclass(slots=True)
class _Silence:
    said: int = 0
    next_ms: float = field(default=0.0)


class QuietDetector:
    """Poll it every 10 ms or so with the counters of all legs."""

    def __init__(self, threshold_ms: float = 80.0) -> None:
        self._threshold_ms = threshold_ms
        self._legs: dict[int, _Leg] = {}
        self._silences: dict[str, _Silence] = {}
        self._polled_s: float | None = None

    def poll(self, now: float, samples: Iterable[Sample]) -> list[Quiet | Heard]:
        """What has changed since the last poll, `now` in monotonic seconds."""
        self._forgive_stall(now)
        events: list[Quiet | Heard] = []
        seen: dict[int, _Leg] = {}
        for number, uplink, packets, expects_media in samples:
            leg = self._legs.get(number)
            if leg is None or leg.uplink != uplink or packets < leg.packets:
                leg = _Leg(uplink, packets, now)
            elif packets > leg.packets:
                self._heard(leg, now)
                leg.packets, leg.changed_s, leg.counts = packets, now, True
                if self._silences.pop(uplink, None) is not None:
                    events.append(Heard(uplink))
            leg.counts = leg.counts and expects_media
            seen[number] = leg
        self._legs = seen
        return events + self._suspicions(now)

    def _forgive_stall(self, now: float) -> None:
        if self._polled_s is not None:
            stalled_s = max(0.0, now - self._polled_s - _STALL_MS / 1000)
            for leg in self._legs.values():
                leg.changed_s += stalled_s
        self._polled_s = now

    def _heard(self, leg: _Leg, now: float) -> None:
        pause_ms = leg.silent_ms(now)
        if leg.counts and pause_ms > self._threshold_ms and pause_ms > leg.patience_ms(0.0, now) / 1.25:
            leg.pause_ms, leg.learned_s = pause_ms, now

    def _suspicions(self, now: float) -> list[Quiet]:
        found: list[Quiet] = []
        for uplink in sorted({leg.uplink for leg in self._legs.values()} | set(self._silences)):
            legs = [leg for leg in self._legs.values() if leg.uplink == uplink and leg.counts]
            if not legs:
                self._silences.pop(uplink, None)
                continue
            quiet_ms = min(leg.silent_ms(now) for leg in legs)
            if quiet_ms < self._threshold_ms:
                continue
            silence = self._silences.get(uplink)
            if silence is None:
                if all(leg.silent_ms(now) < leg.patience_ms(self._threshold_ms, now) for leg in legs):
                    continue
                silence = self._silences[uplink] = _Silence()
            if quiet_ms < silence.next_ms:
                continue
            silence.next_ms = quiet_ms + _REMINDERS_MS[min(silence.said, len(_REMINDERS_MS) - 1)]
            silence.said += 1
            found.append(Quiet(uplink, len(legs), round(quiet_ms)))
        return found
