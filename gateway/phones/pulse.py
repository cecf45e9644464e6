"""Dial pulses: how many breaks make which digit, and how long breaks, gaps and flashes may be.

The one law of the loop: the longest dial break stays below the shortest flash, or a slow dial's 1 would put a
call on hold. `LoopTimes` with that law broken cannot be made.
"""

from dataclasses import dataclass
from typing import Final, Literal

from gateway.errors import DoorError

Dial = Literal["normal", "sweden", "new_zealand"]

DIALS: Final[dict[Dial, str]] = {
    "normal": "1234567890",
    "sweden": "0123456789",
    "new_zealand": "9876543210",
}
"""The digit for one pulse, for two … for ten (ITU-T E.161 annex; Sweden and New Zealand count otherwise)."""

BOUNCE_MOST_MS: Final = 8.0


def key_of(pulses: int, dial: Dial) -> str:
    """The digit of a train of so many pulses; empty when no dial sends as many."""
    return DIALS[dial][pulses - 1] if 1 <= pulses <= 10 else ""


@dataclass(frozen=True, slots=True)
class LoopTimes:
    """What the hook contact means, by the length of a break in ms. The defaults take any dial of 8-22 pps
    with 50-70 % break, and the flash of any R key from 100 ms on.

    `bounce`: a contact is not looked at for so long after its first edge. `break_least`, `break_most`: a dial
    pulse. `flash_least`, `flash_most`: a flash; longer is on-hook. `digit_gap`: a train has ended when the
    loop stays closed for so long (8 pps: 63 ms; the shortest pause between digits is 200 ms, and hook edges
    may be heard 50 ms late). `lift_settle`: a handset just lifted dials nothing for so long.

    Raises DoorError when they contradict each other.
    """

    bounce_ms: float = 6.0
    break_least_ms: float = 16.0
    break_most_ms: float = 95.0
    flash_least_ms: float = 100.0
    flash_most_ms: float = 800.0
    digit_gap_ms: float = 120.0
    lift_settle_ms: float = 100.0

    def __post_init__(self) -> None:
        if not self.break_most_ms < self.flash_least_ms:
            _refuse(
                f"the longest dial break ({self.break_most_ms:g} ms) reaches the shortest flash "
                f"({self.flash_least_ms:g} ms)",
                "Make the break shorter or the flash longer",
            )
        if not self.flash_least_ms < self.flash_most_ms <= 2000:
            _refuse(
                f"a flash of {self.flash_least_ms:g} to {self.flash_most_ms:g} ms is none",
                "The longest must be above the shortest, and 2000 ms at most",
            )
        if not 0 <= self.bounce_ms <= BOUNCE_MOST_MS:
            _refuse(
                f"a bounce of {self.bounce_ms:g} ms would hide dial pulses",
                f"Keep it within 0 and {BOUNCE_MOST_MS:g} ms: the contact of a 22 pps dial closes for 14 ms",
            )
        if not self.bounce_ms < self.break_least_ms < self.break_most_ms:
            _refuse(
                f"a dial break of {self.break_least_ms:g} to {self.break_most_ms:g} ms is none",
                f"The shortest must be above the bounce ({self.bounce_ms:g} ms) and below the longest",
            )
        if not 80 <= self.digit_gap_ms <= 190:
            _refuse(
                f"a digit cannot end {self.digit_gap_ms:g} ms after its last pulse",
                "Dials of 8 pps leave 63 ms between pulses, and 200 ms at least between digits",
            )


def _refuse(what: str, remedy: str) -> None:
    raise DoorError(what, where="times of an analog line", remedy=remedy)
