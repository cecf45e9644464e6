"""Law: silence is a suspicion, a burst of probes decides it, and any sign of life acquits.

One table for two machines of each uplink: `internet` (anything answers) and `provider` (the trunk's server
answers OPTIONS).
"""

from dataclasses import dataclass
from typing import Literal

ReachState = Literal["fresh", "alive", "suspect", "silent", "returning"]
Signal = Literal["answer", "doubt", "exhausted", "miss", "steady"]

REACH: dict[ReachState, dict[Signal, ReachState]] = {
    # A new path: nothing is known; the first answer is good news enough.
    "fresh": {"answer": "alive", "exhausted": "silent"},
    # One miss, or quiet media, or a wish to know.
    "alive": {"doubt": "suspect"},
    "suspect": {"answer": "alive", "exhausted": "silent"},
    # One answer after an outage may be chance.
    "silent": {"answer": "returning"},
    "returning": {"steady": "alive", "miss": "silent", "exhausted": "silent"},
}

STEADY = 4
"""Answers, without a loss between them, after which an outage is over."""
BURSTS: dict[tuple[str, ReachState], tuple[int, float]] = {
    # Least number of probes, seconds between them.
    ("internet", "fresh"): (8, 0.25),
    ("internet", "suspect"): (4, 0.010),
    ("internet", "returning"): (STEADY, 0.1),
    ("provider", "fresh"): (4, 0.1),
    ("provider", "suspect"): (4, 0.015),
    ("provider", "returning"): (STEADY, 0.1),
}

Fitness = Literal["fit", "pending", "unfit"]

FITNESS: dict[ReachState, Fitness] = {
    "fresh": "pending",
    "alive": "fit",
    "suspect": "pending",
    "silent": "unfit",
    "returning": "pending",
}


@dataclass(slots=True)
class Reach:
    """One run of REACH. `doubt_from_s`: no sign of life is known from later than this."""

    name: str
    state: ReachState = "fresh"
    doubt_from_s: float = 0.0
    streak: int = 0

    def signal(self, signal: Signal) -> bool:
        """Follow the table; False: the signal changes nothing here."""
        after = REACH[self.state].get(signal)
        if after is None:
            return False
        self.state = after
        return True
