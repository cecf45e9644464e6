"""What a line did, as a picture that needs no script: values of a day into the path of an SVG. Pure.

Law: where nothing was measured there is a gap, never a line drawn through it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.records import Sample
from gateway.status import CallView, UplinkStatus

WIDTH: Final = 600
HEIGHT: Final = 64
LEAST_TOP_MS: Final = 50.0
"""A quiet line fills not the whole height: its few milliseconds are no drama."""
CAN_CARRY: Final = frozenset({"up", "degraded", "damped", "suspect"})


@dataclass(frozen=True, slots=True)
class Spark:
    """`delay`: SVG path of the round trip; `losses`: x, width and height of stretches that lost packets;
    `top_ms`: what the upper edge stands for; `usable`: the part of the time when it could carry calls."""

    delay: str
    losses: tuple[tuple[float, float, float], ...]
    outages: tuple[tuple[float, float], ...]
    top_ms: float
    usable: float | None


def spark(samples: Sequence[Sample], since: float, until: float) -> Spark:
    """`samples`: oldest first."""
    span = max(until - since, 1.0)
    top = max([LEAST_TOP_MS, *(s.rtt_ms for s in samples if s.rtt_ms is not None)])
    path: list[str] = []
    ended = -1.0
    losses, outages = [], []
    for sample in samples:
        x, width = WIDTH * (sample.at - since) / span, WIDTH * sample.seconds / span
        if sample.loss:
            losses.append((round(x, 1), round(max(width, 1.0), 1), round(HEIGHT * min(1.0, sample.loss), 1)))
        if sample.usable < 1:
            outages.append((round(x, 1), round(max(width, 1.0), 1)))
        if sample.rtt_ms is not None:
            y = HEIGHT * (1 - sample.rtt_ms / top * 0.9)
            joined = ended >= 0 and sample.at - ended < sample.seconds / 2
            path.append(f"{'L' if joined else 'M'}{x + width / 2:.1f} {y:.1f}")
            if not joined:
                path.append(f"h{max(width / 4, 1):.1f}")  # a single moment is seen too
            ended = sample.at + sample.seconds
    whole_s = sum(s.seconds for s in samples)
    usable = sum(s.usable * s.seconds for s in samples) / whole_s if whole_s else None
    return Spark(" ".join(path), tuple(losses), tuple(outages), top, usable)


@dataclass(frozen=True, slots=True)
class Loss:
    """What the loss of a line would cost now. `lost`: calls end; `text` has {calls}, {line}, {ms}."""

    lost: bool
    text: str
    calls: int = 0
    line: str = ""
    ms: int = 0


def if_it_died(line: UplinkStatus, uplinks: Sequence[UplinkStatus], calls: Sequence[CallView]) -> Loss:
    """Judged by what is known now, in the owner's order."""
    there = sum(call.uplink == line.name for call in calls)
    others = [u for u in uplinks if u.name != line.name and u.state in CAN_CARRY and u.confirmed_at]
    best = next((u for u in others if u.state == "up"), others[0] if others else None)
    if not line.carries_trunk and not there:
        if line.state not in CAN_CARRY or not line.confirmed_at:
            return Loss(False, "Its loss would change nothing: it can carry no calls now.")
        if others:
            return Loss(
                False, "If it died now, no call would notice; there would be one line less in reserve."
            )
        return Loss(True, "If it died now, nobody could call out: no other line can carry calls.")
    if best is None:
        text = (
            "If it died now, running calls ({calls}) would end and nobody could call out: no other line can."
        )
        return Loss(True, text, there)
    if not there:
        return Loss(False, "If it died now, calls would leave by {line}.", there, best.name)
    if best.rtt_ms is None:
        return Loss(False, "If it died now, running calls ({calls}) would move to {line}.", there, best.name)
    text = "If it died now, running calls ({calls}) would move to {line}, which answers in {ms} ms."
    return Loss(False, text, there, best.name, round(best.rtt_ms))
