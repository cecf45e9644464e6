"""Law: a call from outside rings the phones that its rule names, in its order and for its time.

rule        rings                                     goes on                     nobody took it
all         all that may ring, at once                when all refuse: ended      480 after ring_s
in_order    the first that may ring, for ring_s       the next, also at a refusal 480 after the last

when busy       a phone in a call                      nobody may ring
ring_free       is passed over                         486
call_waiting    hears the waiting tone                 486
busy            makes the caller hear busy (486)       486
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from gateway.messages import IncomingRule

BUSY: Final = 486
NOBODY: Final = 480
REFUSED: Final = 603

Free = Callable[[Sequence[str], bool], tuple[str, ...]]
"""Those of these phones that may be offered a call now; True: also where it would wait beside another."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Ring these, and no others any more."""

    phones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Refuse the call with this code; `reason`: a key of routing.WORDS."""

    code: int
    reason: str


class Ringing:
    """One call while it rings. Times are monotonic seconds."""

    def __init__(self, rule: IncomingRule, free: Free) -> None:
        self._rule = rule
        self._free = free
        self._left: list[str] = list(dict.fromkeys(rule.phones))
        self.due: float | None = None
        """When `tick` is wanted."""

    def begin(self, now: float) -> Offer | GiveUp:
        """The first phones, or why none rings."""
        rule, waiting = self._rule, self._rule.when_busy == "call_waiting"
        free = self._free(rule.phones, waiting)
        if not free or (rule.when_busy == "busy" and len(free) < len(set(rule.phones))):
            return GiveUp(BUSY, "busy")
        if rule.ring == "all":
            self._left = []
            self.due = now + rule.ring_s
            return Offer(free)
        return self._next(now, GiveUp(BUSY, "busy"))

    def refused(self, now: float, code: int) -> Offer | GiveUp:
        """Those that ring do not want it."""
        return self._next(now, GiveUp(code, "hung_up"))

    def tick(self, now: float) -> Offer | GiveUp | None:
        """Time has passed."""
        if self.due is None or now < self.due:
            return None
        return self._next(now, GiveUp(NOBODY, "no_answer"))

    def without(self, gone: set[str]) -> None:
        """These phones are no more."""
        self._left = [name for name in self._left if name not in gone]

    def _next(self, now: float, otherwise: GiveUp) -> Offer | GiveUp:
        waiting = self._rule.when_busy == "call_waiting"
        while self._left:
            if free := self._free([self._left.pop(0)], waiting):
                self.due = now + self._rule.ring_s
                return Offer(free)
        self.due = None
        return otherwise


def rule_for(rules: Sequence[IncomingRule], called: str) -> IncomingRule | None:
    """The rule for this number, else the one for any."""
    digits = called.removeprefix("+")
    exact = next((rule for rule in rules if rule.number and rule.number == digits), None)
    return exact or next((rule for rule in rules if not rule.number), None)


def within(address: str, networks: Sequence[str]) -> bool:
    """`address` (of an `address:port` or `[address]:port`) lies in one of these networks."""
    host = address.rsplit(":", 1)[0].strip("[]") if "]" in address or address.count(":") == 1 else address
    try:
        found = ip_address(host)
    except ValueError:
        return False
    return any(found.version == (net := ip_network(n)).version and found in net for n in networks)
