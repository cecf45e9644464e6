"""Law: what comes and goes is not trusted until it has been quiet for a while (after RFC 2439 §4)."""

import math

PENALTY = 1000.0
HALF_LIFE_S = 300.0
SUPPRESS = 3000.0
REUSE = 750.0
MOST = 6000.0
"""Caps the punishment: 15 minutes after the last flap an uplink is always free again."""


class Damper:
    """The penalty of one uplink: PENALTY at each loss, halved every HALF_LIFE_S."""

    def __init__(self) -> None:
        self._penalty = 0.0
        self._at = 0.0
        self.suppressed = False

    def flapped(self, now: float) -> None:
        """The uplink was lost once more."""
        self._penalty = min(MOST, self.penalty(now) + PENALTY)
        self._at = now
        # The penalty decays between two flaps: four in a row, not three, reach the threshold exactly.
        if self._penalty >= SUPPRESS:
            self.suppressed = True

    def penalty(self, now: float) -> float:
        """The penalty at this moment."""
        return float(self._penalty * 0.5 ** ((now - self._at) / HALF_LIFE_S))

    def settle(self, now: float) -> None:
        """Set it free once the penalty has decayed to REUSE."""
        if self.suppressed and self.penalty(now) <= REUSE + 1e-6:
            self.suppressed = False

    def free_at(self) -> float | None:
        """When it will be free if nothing else happens; None: it is free."""
        if not self.suppressed:
            return None
        halvings = max(0.0, math.log2(self._penalty / REUSE))
        return self._at + halvings * HALF_LIFE_S
