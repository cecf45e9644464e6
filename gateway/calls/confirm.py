"""Law: a 200 alone confirms nothing. An address counts as confirmed when the provider took the call to its
confirmation number from that address, something was heard, and the address that it saw is the declared one.

    CALLING --answered--> LISTENING --enough heard, or far end hangs up--> DONE
    CALLING --refused / silence--> DONE
"""

from dataclasses import dataclass
from enum import Enum, auto

from gateway.messages import ConfirmVerdict

ANSWER_WITHIN_S = 15.0
LISTEN_S = 12.0
HEARD_AT_LEAST_MS = 200
"""Less than this is a click, not an announcement."""


class Phase(Enum):
    CALLING = auto()
    LISTENING = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the leg; its end is awaited for the result."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of it. `reason` is for people."""

    verdict: ConfirmVerdict
    code: int
    reason: str


@dataclass(slots=True)
class Confirmation:
    """The call to the confirmation number out of one uplink. `now` is monotonic seconds throughout."""

    started_at: float
    declared: str
    observed: str = ""
    phase: Phase = Phase.CALLING
    code: int = 0
    due: float | None = None
    answered_at: float = 0.0

    def __post_init__(self) -> None:
        self.due = self.started_at + ANSWER_WITHIN_S

    def answered(self, now: float) -> None:
        """200 and ACK."""
        if self.phase is Phase.CALLING:
            self.phase, self.code, self.answered_at = Phase.LISTENING, 200, now
            self.due = now + LISTEN_S

    def tick(self, now: float) -> list[HangUp]:
        """Time has passed; call it at `due`."""
        if self.due is None or now < self.due:
            return []
        self.due = None
        return [HangUp()]

    def ended(self, code: int, reason: str, heard_ms: int) -> Verdict:
        """The leg is over; `heard_ms` of sound (not silence) came from the provider."""
        phase, self.phase, self.due = self.phase, Phase.DONE, None
        if phase is Phase.LISTENING:
            if self.observed and self.observed != self.declared:
                return Verdict(
                    "other_address",
                    self.code,
                    f"the call was taken, but it went out as {self.observed}, not as {self.declared}",
                )
            if heard_ms < HEARD_AT_LEAST_MS:
                return Verdict("failed", self.code, "the call was taken, but nothing was heard")
            return Verdict("confirmed", self.code, "the provider took the call and was heard")
        if code in (0, 408, 487) or code >= 500:
            return Verdict("no_answer", code, reason or "the provider did not answer")
        return Verdict("refused", code, reason or "the provider refused the call")
