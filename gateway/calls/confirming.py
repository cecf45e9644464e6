"""Confirmation calls: one at a time per uplink, out of that uplink whatever else is active, and recorded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway import messages as m
from gateway.calls.confirm import Confirmation
from gateway.calls.sip import values as v
from gateway.calls.wav import heard_ms
from gateway.errors import RefusedError

Reply = Callable[[m.ConfirmResult], None]


@dataclass(slots=True)
class _Call:
    table: Confirmation
    path: m.Path
    leg: int
    recording: str
    reply: Reply
    ended: v.LegEnded | None = None

    @property
    def end(self) -> str:
        return f"confirm-{self.path.uplink}"


class Confirming:
    """All confirmation calls that run."""

    def __init__(self, engine: v.Engine, new_leg: Callable[[], int], clock: Callable[[], float]) -> None:
        self._engine = engine
        self._new_leg = new_leg
        self._clock = clock
        self._calls: dict[str, _Call] = {}

    def begin(self, path: m.Path, hop: v.Hop, plan: m.TrunkPlan, reply: Reply) -> None:
        """Call the confirmation number by `path`; `reply` gets the result. Raises RefusedError."""
        if path.uplink in self._calls:
            raise RefusedError(
                f"{path.uplink} is being confirmed", where=path.uplink, remedy="Wait for the result"
            )
        directory = Path(plan.recordings)
        directory.mkdir(parents=True, exist_ok=True)
        call = _Call(
            Confirmation(self._clock(), path.public_address),
            path,
            self._new_leg(),
            str(directory / f"confirm-{path.uplink}.wav"),
            reply,
        )
        self._calls[path.uplink] = call
        engine = self._engine
        engine.do(v.KeepAlive(path.uplink, hop, plan.domain))
        engine.do(v.OpenEnd(call.end, "", call.recording))
        engine.do(
            v.StartLeg(call.leg, path.uplink, hop, plan.confirm_number, plan.domain, plan.default_caller_id)
        )
        engine.do(v.Connect(call.leg, call.end))

    def leg_event(self, event: v.Event, now: float) -> None:
        """An event of a leg that belongs to no call of a phone."""
        for call in self._calls.values():
            if isinstance(event, v.LegAnswered) and event.leg == call.leg:
                call.table.answered(now)
            elif isinstance(event, v.LegEnded) and event.leg == call.leg:
                call.ended = event
                self._engine.do(v.CloseEnd(call.end))

    def kept_alive(self, event: v.KeptAlive) -> None:
        """OPTIONS told which address the provider sees."""
        if event.observed and event.uplink in self._calls:
            self._calls[event.uplink].table.observed = event.observed

    def end_closed(self, end: str) -> None:
        """A recording is complete: with it comes the verdict."""
        for uplink, call in list(self._calls.items()):
            if call.end != end or call.ended is None:
                continue
            del self._calls[uplink]
            heard = heard_ms(Path(call.recording))
            verdict = call.table.ended(call.ended.code, call.ended.reason, heard)
            call.reply(
                m.ConfirmResult(
                    uplink=uplink,
                    local_address=call.path.local_address,
                    public_address=call.path.public_address,
                    observed_address=call.table.observed,
                    verdict=verdict.verdict,
                    sip_code=verdict.code,
                    reason=verdict.reason,
                    heard_ms=heard,
                    recording=call.recording,
                )
            )

    @property
    def busy(self) -> bool:
        """Some call runs."""
        return bool(self._calls)

    @property
    def due(self) -> float | None:
        """When `tick` is wanted, monotonic seconds."""
        return min((c.table.due for c in self._calls.values() if c.table.due is not None), default=None)

    def tick(self, now: float) -> None:
        """Time has passed."""
        for call in self._calls.values():
            if call.table.tick(now):
                self._engine.do(v.EndLeg(call.leg))
