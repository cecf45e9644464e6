"""How well a call was heard, at both ends, from what RTCP counts. Pure.

Our own reception and the far end's reports of what it received are judged alone; the worse of the two is what
somebody heard. A stream that is made anew (a move, a hold) begins its counts at 0; the call keeps them all.
"""

from dataclasses import dataclass

from gateway import emodel


@dataclass(frozen=True, slots=True)
class Report:
    """One stream so far. `packets` came in; `loss` and `far_loss` are fractions of 1; the far end's are None
    until it has reported. `rtt_ms`: 0 until it is known."""

    packets: int
    loss: float
    jitter_ms: float
    rtt_ms: float
    far_loss: float | None = None
    far_jitter_ms: float = 0.0


class Quality:
    """Of one call; `report` takes in every report, in order."""

    def __init__(self) -> None:
        self._streams: list[Report] = []
        self._stream: object = None

    def report(self, stream: object, report: Report) -> None:
        """What a stream (by any name of its own) counts so far."""
        fresh = stream != self._stream or not self._streams or report.packets < self._streams[-1].packets
        self._stream = stream
        if fresh:
            self._streams.append(report)
        else:
            self._streams[-1] = report

    @property
    def live(self) -> float | None:
        """MOS of the present stream; None before anything was heard."""
        return round(_mos(self._streams[-1]), 2) if self._streams else None

    @property
    def whole(self) -> float | None:
        """MOS of the whole call: every stream by the packets that it brought."""
        if not self._streams:
            return None
        weights = [max(1, report.packets) for report in self._streams]
        scores = [_mos(report) for report in self._streams]
        return round(sum(s * w for s, w in zip(scores, weights, strict=True)) / sum(weights), 2)


def _mos(report: Report) -> float:
    heard = emodel.mos(report.loss, report.jitter_ms, report.rtt_ms)
    if report.far_loss is None:
        return heard
    return min(heard, emodel.mos(report.far_loss, report.far_jitter_ms, report.rtt_ms))
