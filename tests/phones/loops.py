"""Hook contacts as they are: dials, flashes, lifts and bounce, as lists of edges. Pure."""

import random
from collections.abc import Iterable, Sequence

from gateway.phones.hook import Edge, Heard, Hook
from gateway.phones.pulse import DIALS, Dial


class Handset:
    """Writes down what its contact does, from `at_s` on. `bounce_ms`: how long each change chatters."""

    def __init__(self, at_s: float = 100.0, bounce_ms: float = 0.0, seed: int = 0) -> None:
        self.now = at_s
        self.edges: list[Edge] = []
        self._bounce_ms = bounce_ms
        self._random = random.Random(seed)

    def _move(self, closed: bool) -> None:
        """A change at `now`, with an even number of further edges within the bounce."""
        self.edges.append(Edge(closed, self.now))
        if self._bounce_ms:
            times = sorted(
                self._random.uniform(0.05, self._bounce_ms) for _ in range(2 * self._random.randint(0, 4))
            )
            for place, after_ms in enumerate(times):
                self.edges.append(Edge(closed ^ (place % 2 == 0), self.now + after_ms / 1000))

    def wait(self, ms: float) -> "Handset":
        self.now += ms / 1000
        return self

    def lift(self) -> "Handset":
        self._move(True)
        return self.wait(400)

    def lay_down(self, ms: float = 1500) -> "Handset":
        self._move(False)
        return self.wait(ms)

    def open_for(self, ms: float) -> "Handset":
        self._move(False)
        self.wait(ms)
        self._move(True)
        return self

    def dial(
        self,
        key: str,
        pps: float = 10,
        break_share: float = 0.6,
        dial: Dial = "normal",
        pause_ms: float = 250,
    ) -> "Handset":
        """One digit; `pause_ms` until the next may begin."""
        pulses = DIALS[dial].index(key) + 1
        period_ms = 1000 / pps
        for left in reversed(range(pulses)):
            self.open_for(period_ms * break_share)
            if left:
                self.wait(period_ms * (1 - break_share))
        return self.wait(pause_ms)


def hear(hook: Hook, edges: Iterable[Edge], until_s: float) -> list[Heard]:
    """What the machine hears, each deadline kept as a loop would."""
    heard: list[Heard] = []
    for edge in [*edges, None]:
        stop = until_s if edge is None else edge.at_s
        while (due := hook.due) is not None and due < stop:
            heard += hook.receive(None, due)
        heard += hook.receive(edge, stop)
    return heard


def keys(heard: Sequence[Heard]) -> str:
    return "".join(getattr(event, "key", "") for event in heard)


def kinds(heard: Sequence[Heard]) -> list[str]:
    return [type(event).__name__ for event in heard]
