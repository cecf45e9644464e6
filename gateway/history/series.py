"""How well an uplink did, minute by minute, and over longer times. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, get_args

from gateway.records import Sample
from gateway.status import UplinkState, UplinkStatus

MINUTE_S: Final = 60.0
_LADDER: Final[tuple[UplinkState, ...]] = (
    # From the worst to the best: a minute is called after its worst moment.
    *("no_device", "no_carrier", "no_address", "conflict", "down", "drifted", "no_trunk", "up_unconfirmed"),
    *("degraded", "damped", "suspect", "probing", "up", "disabled"),
)
assert set(_LADDER) == set(get_args(UplinkState))
_RANK: Final = {state: rank for rank, state in enumerate(_LADDER)}
_USABLE: Final = frozenset[UplinkState](("up", "degraded", "damped", "suspect"))


@dataclass(slots=True)
class _Sum:
    state: UplinkState
    looks: int = 0
    usable: int = 0
    carried: int = 0
    rtts: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    jitters: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


class Minutes:
    """Gathers looks at the uplinks into samples of a minute. `now`: Unix seconds; a clock that is set begins
    a new minute."""

    def __init__(self) -> None:
        self._begun = 0.0
        self._last = 0.0
        self._sums: dict[str, _Sum] = {}

    def look(self, uplinks: Iterable[UplinkStatus], now: float) -> list[tuple[str, Sample]]:
        """Take in one look; gives the samples of the minute that it ended."""
        done: list[tuple[str, Sample]] = []
        if not self._begun <= now < self._begun + MINUTE_S or now < self._last:
            done = self._close()
            self._begun = now - now % MINUTE_S
        self._last = now
        for uplink in uplinks:
            if uplink.state == "disabled":
                continue
            known = self._sums.setdefault(uplink.name, _Sum(uplink.state))
            known.looks += 1
            known.state = min(known.state, uplink.state, key=_RANK.__getitem__)
            known.usable += uplink.state in _USABLE
            known.carried += uplink.carries_trunk
            for values, value in (
                (known.rtts, uplink.rtt_ms),
                (known.losses, uplink.loss),
                (known.jitters, uplink.jitter_ms),
                (known.scores, uplink.mos),
            ):
                if value is not None:
                    values.append(value)
        return done

    def _close(self) -> list[tuple[str, Sample]]:
        done = [
            (
                name,
                Sample(
                    at=self._begun,
                    seconds=MINUTE_S,
                    state=known.state,
                    usable=known.usable / known.looks,
                    carried=known.carried / known.looks,
                    rtt_ms=_mean(known.rtts),
                    jitter_ms=max(known.jitters, default=None),
                    loss=_mean(known.losses),
                    mos=min(known.scores, default=None),
                ),
            )
            for name, known in self._sums.items()
        ]
        self._sums = {}
        return done


def thinned(samples: Sequence[Sample], since: float, until: float, points: int) -> tuple[Sample, ...]:
    """At most `points` samples for the time from `since` to `until`; minutes that share one are merged by
    their weight. `samples`: oldest first."""
    step_s = max(MINUTE_S, (until - since) / max(points, 1))
    groups: dict[int, list[Sample]] = {}
    for sample in samples:
        if since <= sample.at < until:
            groups.setdefault(int((sample.at - since) // step_s), []).append(sample)
    return tuple(_merged(group, since + number * step_s, step_s) for number, group in sorted(groups.items()))


def _merged(group: list[Sample], at: float, step_s: float) -> Sample:
    if len(group) == 1 and step_s == MINUTE_S:
        return group[0]
    whole_s = sum(sample.seconds for sample in group)
    return Sample(
        at=at,
        seconds=step_s,
        state=min((sample.state for sample in group), key=_RANK.__getitem__),
        usable=sum(sample.usable * sample.seconds for sample in group) / whole_s,
        carried=sum(sample.carried * sample.seconds for sample in group) / whole_s,
        rtt_ms=_mean([s.rtt_ms for s in group if s.rtt_ms is not None]),
        jitter_ms=max((s.jitter_ms for s in group if s.jitter_ms is not None), default=None),
        loss=_mean([s.loss for s in group if s.loss is not None]),
        mos=min((s.mos for s in group if s.mos is not None), default=None),
    )


def worst(states: Iterable[UplinkState]) -> UplinkState:
    """The one that a stretch of time is called after."""
    return min(states, key=_RANK.__getitem__)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
