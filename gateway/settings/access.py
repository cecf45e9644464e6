"""Law: who can lose everything for the owner must be at the box, or know the password; guessing gets slower
with each wrong guess, and no restart makes it faster.

Two tables: presence (a tap of the button within a minute gives a proof that is good once) and the throttle of
the password. Names and proofs are random texts that the caller brings.
"""

from dataclasses import dataclass

ASK_S = 60.0
"""How long somebody has to reach the button."""
PROOF_S = 600.0
FREE_TRIES = 3
"""So many wrong passwords cost no time."""
LONGEST_PAUSE_S = 60.0


# --- presence -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants to show that he is at the box; `ticket` names his request."""

    ticket: int
    why: str


@dataclass(frozen=True, slots=True)
class Tapped:
    """The button was tapped; `proof` is the fresh text that will stand for it."""

    proof: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Give the proof to who asked."""

    ticket: int
    proof: str


@dataclass(frozen=True, slots=True)
class Deny:
    """Tell who asked that there is no proof."""

    ticket: int
    what: str
    remedy: str


class Presence:
    """One request at a time. `why`: what a tap would approve now; `due`: when the request is over."""

    def __init__(self) -> None:
        self.why = ""
        self.due: float | None = None
        self._ticket = 0
        self._proofs: dict[str, float] = {}

    def receive(self, event: Asked | Tapped | None, now: float) -> list[Grant | Deny]:
        """Take in `event` (None: look whether the request is over). A tap that nobody asked for is
        nothing."""
        match event:
            case Asked(ticket, why) if self.due is None:
                self._ticket, self.why, self.due = ticket, why, now + ASK_S
            case Asked(ticket, _):
                what = f"the button is waited for already ({self.why})"
                return [Deny(ticket, what, "Wait a minute, then ask again")]
            case Tapped(proof) if self.due is not None and now < self.due:
                self._proofs[proof] = now + PROOF_S
                return [Grant(self._over(), proof)]
            case None if self.due is not None and self.due <= now:
                what = "nobody tapped the button of the box in time"
                return [Deny(self._over(), what, "Ask again, and tap the button within a minute")]
            case _:
                pass
        return []

    def spend(self, proof: str, now: float) -> bool:
        """Whether this proof is good; it is so once."""
        self._proofs = {known: ends for known, ends in self._proofs.items() if now < ends}
        return self._proofs.pop(proof, None) is not None

    def _over(self) -> int:
        self.why, self.due = "", None
        return self._ticket


# --- password -------------------------------------------------------------------------------------


class Throttle:
    """How long the next password has to wait. `wrong`: so many wrong ones in a row, also in earlier lives."""

    def __init__(self, wrong: int, now: float) -> None:
        self.wrong = wrong
        self._free_at = now + self._pause_s()

    def wait_s(self, now: float) -> float:
        """Until a password is looked at; 0: now."""
        return max(0.0, self._free_at - now)

    def guessed(self, right: bool, now: float) -> None:
        """A password was looked at."""
        self.wrong = 0 if right else self.wrong + 1
        self._free_at = now + self._pause_s()

    def _pause_s(self) -> float:
        beyond = self.wrong - FREE_TRIES
        return min(LONGEST_PAUSE_S, 2.0 ** min(beyond, 10)) if beyond >= 0 else 0.0
