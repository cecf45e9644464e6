"""What is kept of the past, and how clients ask for it: calls, events, and how well each uplink did.

Times are Unix seconds; lists come newest first, in pages: `before` is the last `record` of the one before.
"""

from typing import Literal

from gateway.status import Frozen, Message, UplinkState

MOST = 500
"""Records in one answer."""


class CallRecord(Frozen, frozen=True, kw_only=True):
    """One call that has ended. `answered_at` 0: nobody took it; `attempts`: what was tried, in words."""

    record: int
    direction: Literal["out", "in"]
    phone: str
    remote: str
    caller_id: str
    uplink: str
    started_at: float
    answered_at: float
    ended_at: float
    sip_code: int
    reason: str
    moves: int
    attempts: tuple[str, ...]
    mos: float | None = None


class EventRecord(Frozen, frozen=True, kw_only=True):
    """One line of the timeline."""

    record: int
    at: float
    kind: str
    text: str
    uplink: str = ""
    call: int = 0


class Sample(Frozen, frozen=True, kw_only=True):
    """One uplink over `seconds` from `at`: means of round trip and loss, worst jitter and MOS, how much of
    the time it could carry calls and did (fractions of 1), and its worst state."""

    at: float
    seconds: float
    state: UplinkState
    usable: float
    carried: float
    rtt_ms: float | None = None
    jitter_ms: float | None = None
    loss: float | None = None
    mos: float | None = None


class GetCalls(Message, frozen=True, kw_only=True):
    """Ask for CallsThen. `words`: only calls with this in their numbers, phone, uplink or reason."""

    before: int = 0
    limit: int = 50
    words: str = ""


class GetEvents(Message, frozen=True, kw_only=True):
    """Ask for EventsThen. `kinds`: only these (none: all)."""

    before: int = 0
    limit: int = 100
    kinds: tuple[str, ...] = ()
    uplink: str = ""


class GetSeries(Message, frozen=True, kw_only=True):
    """Ask for SeriesThen: `points` samples at most, longer ones for a longer time."""

    uplink: str
    since: float
    until: float
    points: int = 300


class CallsThen(Message, frozen=True, kw_only=True):
    """`more`: there are older ones."""

    calls: tuple[CallRecord, ...]
    more: bool


class EventsThen(Message, frozen=True, kw_only=True):
    """`more`: there are older ones."""

    events: tuple[EventRecord, ...]
    more: bool


class SeriesThen(Message, frozen=True, kw_only=True):
    """Oldest first; where nothing was measured there is no sample."""

    uplink: str
    samples: tuple[Sample, ...]


RecordVerb = GetCalls | GetEvents | GetSeries
RecordReply = CallsThen | EventsThen | SeriesThen
