"""Law: one lost probe is no brownout. Loss, jitter and delay of the last seconds, and the MOS they make."""

from collections import deque
from itertools import pairwise

from gateway.emodel import mos

WINDOW_S = 10.0
LEAST = 20
"""A slow pace widens the window to this many probes, so that one loss does not look like a tenth."""
RECENT_S = 30.0
LEAVE_MOS = 3.5
LEAVE_AFTER_S = 10.0
RETURN_MOS = 3.9
RETURN_AFTER_S = 60.0


class Quality:
    """A window over answered and lost probes, and whether they make a brownout.

    `degraded` rises when the MOS stays under LEAVE_MOS for LEAVE_AFTER_S, and falls when it stays over
    RETURN_MOS for RETURN_AFTER_S.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float | None]] = deque()
        self._turning_s: float | None = None
        self._mos: float | None = None
        self._judged = False
        self.degraded = False

    def add(self, rtt_s: float | None, now: float) -> None:
        """Take in one probe; None: it was lost."""
        self._samples.append((now, rtt_s))
        while len(self._samples) > LEAST and self._samples[0][0] < now - WINDOW_S:
            self._samples.popleft()
        self._judged = False
        self.judge(now)

    def clear(self) -> None:
        """Forget the window: what was lost in an outage says nothing about what comes after it."""
        self._samples.clear()
        self._judged = False
        self._turning_s = None

    @property
    def loss(self) -> float | None:
        """Share of probes lost, there or back (fraction of 1)."""
        if len(self._samples) < LEAST:
            return None
        return sum(rtt is None for _, rtt in self._samples) / len(self._samples)

    @property
    def rtt_ms(self) -> float | None:
        """Mean round trip."""
        heard = [rtt for _, rtt in self._samples if rtt is not None]
        return 1000 * sum(heard) / len(heard) if heard else None

    @property
    def jitter_ms(self) -> float | None:
        """Mean difference of neighbouring round trips, halved: the one-way jitter of RFC 3550 §6.4.1."""
        heard = [rtt for _, rtt in self._samples if rtt is not None]
        if len(heard) < 2:
            return None
        steps = [abs(b - a) for a, b in pairwise(heard)]
        return 500 * sum(steps) / len(steps)

    @property
    def mos(self) -> float | None:
        """MOS of a call by this path; None while too little is known."""
        if not self._judged:
            self._mos, self._judged = self._score(), True
        return self._mos

    def _score(self) -> float | None:
        loss, rtt_ms = self.loss, self.rtt_ms
        if loss is None:
            return None
        if rtt_ms is None:
            return 1.0
        return mos(1 - (1 - loss) ** 0.5, self.jitter_ms or 0.0, rtt_ms)

    def recent(self, now: float) -> bool:
        """Whether the window tells of now: on a slow pace it can be minutes old."""
        return len(self._samples) >= LEAST and self._samples[-LEAST][0] >= now - RECENT_S

    @property
    def due(self) -> float | None:
        """When `judge` may change its mind without another probe."""
        if self._turning_s is None:
            return None
        return self._turning_s + (RETURN_AFTER_S if self.degraded else LEAVE_AFTER_S)

    def judge(self, now: float) -> None:
        """Turn `degraded` once the MOS has long enough been on the other side."""
        score = self.mos
        turning = score is not None and (score > RETURN_MOS if self.degraded else score < LEAVE_MOS)
        if not turning:
            self._turning_s = None
            return
        if self._turning_s is None:
            self._turning_s = now
        if self.due is not None and now >= self.due:
            self.degraded = not self.degraded
            self._turning_s = None
