"""One call and what belongs to it, beside its table: who has it, what was dialled, what others may see."""

from dataclasses import dataclass, field
from typing import Literal

from gateway import messages as m
from gateway.calls import model, routing
from gateway.calls.call import Call
from gateway.calls.incoming import Ringing
from gateway.calls.quality import Quality
from gateway.status import CallView


@dataclass(slots=True)
class Live:
    """A call while it lives. `phones`: those that ring or have it; `taken_by`: the one that has it;
    `begins_s`: when its table is to be started (monotonic seconds; None: it has been); `up`: it was answered
    at some time; `longest_s`: so long after its answer it is ended, at `ends_s`; `ringing`: which phones ring
    for it, and for how long; `source`: the owner's name for a caller who is not the provider."""

    number: int
    table: Call
    direction: Literal["in", "out"]
    phones: list[str]
    remote: str
    dial: str
    caller_id: str
    started_at: float
    source: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    emergency: bool = False
    begins_s: float | None = None
    taken_by: str = ""
    up: bool = False
    codec: str = ""
    quality: Quality = field(default_factory=Quality)
    longest_s: float | None = None
    ends_s: float | None = None
    ringing: Ringing | None = None

    @property
    def phone(self) -> str:
        """The phone that has it, or all that ring."""
        return self.taken_by or ",".join(self.phones)

    def view(self) -> CallView:
        """As anybody may see it."""
        return CallView(
            call=self.number,
            phone=self.phone,
            direction=self.direction,
            state=self.table.shown_state,
            remote=self.remote,
            caller_id=self.caller_id,
            uplink=self.table.uplink,
            started_at=self.started_at,
            moves=self.table.moves,
            codec=self.codec,
            mos=self.quality.live,
        )

    def logged(self, entry: model.Log, skew_s: float) -> m.CallEnded:
        """Its line of the call log; `skew_s` turns monotonic into Unix seconds."""
        return m.CallEnded(
            call=self.number,
            direction=self.direction,
            phone=self.phone,
            remote=self.remote,
            caller_id=self.caller_id,
            uplink=entry.uplink,
            started_at=self.started_at,
            answered_at=entry.answered_s + skew_s if entry.answered_s is not None else 0.0,
            ended_at=entry.ended_s + skew_s,
            sip_code=entry.code,
            reason=routing.WORDS[entry.reason],
            moves=entry.moves,
            attempts=entry.attempts,
            mos=self.quality.whole,
        )
