"""Law: the button acts when it is let go, never while it is held; how long it was held chooses among BANDS,
and whoever has changed his mind holds on until he is past the last of them.

Pure: edges and time go in, gestures come out. Moments are monotonic seconds; those of edges are the kernel's.
"""

from dataclasses import dataclass
from typing import Final, Literal

Band = Literal["tap", "access", "password", "reset", "cancel"]

BANDS: Final[tuple[tuple[float, Band], ...]] = (
    (0.0, "tap"),
    (3.0, "access"),
    (6.0, "password"),
    (12.0, "reset"),
    (20.0, "cancel"),
)
"""From so many seconds of holding on, letting go means this."""
STUCK_S: Final = 60.0
"""Nobody holds a button for so long: something lies on it, or it is broken."""
CONFIRM_S: Final = 10.0
"""After a hold of the band `reset`, a tap has to begin within this time; without it nothing is reset."""
SETTLE_S: Final = 0.03
"""A contact bounces: only a level that has lasted this long counts."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The level has changed. `at`: when, by the kernel."""

    pressed: bool
    at: float


@dataclass(frozen=True, slots=True)
class Tap:
    """A short press: somebody is here."""


@dataclass(frozen=True, slots=True)
class Access:
    """Open the setup access for a while."""


@dataclass(frozen=True, slots=True)
class Password:
    """A new password for the page; the settings stay."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Factory reset, confirmed by a tap."""


@dataclass(frozen=True, slots=True)
class Recover:
    """It was held while the power came on: start the way back."""


@dataclass(frozen=True, slots=True)
class Holding:
    """For the lamp: what letting go would mean now; None: the button is up, or no gesture comes of it."""

    band: Band | None
    recovering: bool = False


@dataclass(frozen=True, slots=True)
class Armed:
    """For the lamp: whether a reset waits for its tap."""

    on: bool


@dataclass(frozen=True, slots=True)
class Stuck:
    """The button has been down for more than STUCK_S, or (not `on`) is up again after that."""

    on: bool


Action = Tap | Access | Password | Reset | Recover | Holding | Armed | Stuck

ON_RELEASE: Final[dict[Band, tuple[Action, ...]]] = {
    "tap": (Tap(),),
    "access": (Access(),),
    "password": (Password(),),
    "reset": (Armed(True),),
    "cancel": (),
}
"""What each band does; but while a reset waits for its tap, a tap is Reset, and all else takes it back."""

_STEPS: Final = (*(from_s for from_s, _ in BANDS[1:]), STUCK_S)


class Gestures:
    """The table's interpreter. `pressed`: the level at the start; `power_on`: this is the start of the box,
    not of this process alone, for a button that is down at the start of the process makes no gesture."""

    def __init__(self, now: float, *, pressed: bool = False, power_on: bool = False) -> None:
        self._latest = now
        self._raw, self._raw_since = pressed, now
        self._down_since: float | None = now if pressed else None
        self._from_start = pressed
        self._recovering = pressed and power_on
        self._step = 0
        self._shown = Holding(None)
        self._armed_until: float | None = None

    @property
    def due(self) -> float | None:
        """When `receive(None, now)` is to be called at the latest."""
        if self._raw != self._down:
            return self._raw_since + SETTLE_S
        if self._down_since is not None:
            return self._down_since + _STEPS[self._step] if self._step < len(_STEPS) else None
        return self._armed_until

    def receive(self, event: Edge | None, now: float) -> list[Action]:
        """Take in an edge (None: `due` has come); returns what comes of it.

        An edge may be older than `now`, but neither newer nor older than what was seen before it.
        """
        at = max(self._latest, now if event is None else min(event.at, now))
        actions = self._until(at)
        if event is not None and event.pressed != self._raw:
            self._raw, self._raw_since = event.pressed, at
        return actions

    @property
    def _down(self) -> bool:
        return self._down_since is not None

    def _until(self, at: float) -> list[Action]:
        """Let time pass, stopping wherever something falls due."""
        actions: list[Action] = []
        while (due := self.due) is not None and due <= at:
            if self._raw != self._down:
                actions += self._pressed() if self._raw else self._released()
            else:
                actions += self._held_on() if self._down else self._disarm()
        self._latest = at
        return actions

    def _pressed(self) -> list[Action]:
        self._down_since, self._step = self._raw_since, 0
        return self._show(Holding("tap"))

    def _held_on(self) -> list[Action]:
        self._step += 1
        if self._step == len(_STEPS):
            return [Stuck(True), *self._show(Holding(None)), *self._disarm()]
        if self._from_start:
            return self._show(Holding(None, recovering=self._recovering))
        return self._show(Holding(BANDS[self._step][1]))

    def _released(self) -> list[Action]:
        step = self._step
        from_start, recovering = self._from_start, self._recovering
        self._down_since, self._from_start, self._recovering = None, False, False
        actions = self._show(Holding(None))
        if step == len(_STEPS):
            return [*actions, Stuck(False)]
        if from_start:
            return [*actions, Recover()] if recovering and step else actions
        chosen = BANDS[step][1]
        if self._armed_until is not None:
            # It is over by itself at CONFIRM_S, unless the button was down in time.
            return [*actions, *self._disarm(), *((Reset(),) if chosen == "tap" else ())]
        if chosen == "reset":
            self._armed_until = self._raw_since + CONFIRM_S
        return [*actions, *ON_RELEASE[chosen]]

    def _disarm(self) -> list[Action]:
        if self._armed_until is None:
            return []
        self._armed_until = None
        return [Armed(False)]

    def _show(self, holding: Holding) -> list[Action]:
        if holding == self._shown:
            return []
        self._shown = holding
        return [holding]
