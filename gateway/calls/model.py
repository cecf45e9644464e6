"""The words of this room: what happens to a call, and what is to be done about it.

A leg is one SIP dialog, known by a number that the call's machine gave it; the door maps legs to the engine's
calls. A call has one current leg, and for moments others that are on their way in or out. Times named `_s`
are monotonic seconds. SIP codes are final or provisional response codes of RFC 3261; code 0 means that no
answer came from the network (the request could not be sent, or the transport failed).
"""

from dataclasses import dataclass
from typing import Literal

from gateway.messages import Paths, PathState, Server

Direction = Literal["out", "in"]
Codecs = Literal["usual", "fallback"]
CallState = Literal["trying", "early", "ringing", "answering", "up", "ended"]
MoveState = Literal["stranded", "moving", "glare", "replacing"]
DialledKind = Literal["emergency", "service", "international", "invalid"]
MoveHow = Literal["reinvite", "replaces", "redial"]


@dataclass(frozen=True, slots=True)
class Dialled:
    """What was dialled, understood. `digits` go into the Request-URI; `shown` is for people; `region` is the
    ISO 3166-1 code of the destination, or empty. `words` explain what was made of it."""

    kind: DialledKind
    digits: str
    shown: str
    words: str
    region: str = ""


def ip_version(address: str) -> int:
    """Of an address in its usual notation: 4 or 6."""
    return 6 if ":" in address else 4


@dataclass(frozen=True, slots=True)
class Ways:
    """All uplinks in the owner's order, and the one that carries new calls (empty: none can)."""

    active: str
    states: tuple[tuple[str, PathState], ...]
    versions: tuple[tuple[str, int], ...] = ()
    """The IP version that each uplink speaks with the provider, as far as it is known."""

    @classmethod
    def of(cls, paths: Paths) -> "Ways":
        """What the daemon's message means for calls."""
        return cls(
            paths.active,
            tuple((p.uplink, p.state) for p in paths.paths),
            tuple((p.uplink, ip_version(p.local_address)) for p in paths.paths if p.local_address),
        )

    def version(self, uplink: str) -> int:
        """4, 6, or 0 while it is not known."""
        return next((version for name, version in self.versions if name == uplink), 0)

    def reaches(self, uplink: str, server: Server) -> bool:
        """False when uplink and server speak different IP versions."""
        return self.version(uplink) in (0, ip_version(server.address))

    def state(self, uplink: str) -> PathState | None:
        """None: the uplink is no longer there."""
        return next((state for name, state in self.states if name == uplink), None)

    def must_leave(self, uplink: str) -> bool:
        """True when nothing may stay on `uplink`: it is to be left, or it has vanished."""
        return self.state(uplink) in ("leave", None)

    @property
    def fit(self) -> tuple[str, ...]:
        """Uplinks that may carry calls, the active one first."""
        names = [name for name, state in self.states if state == "fit"]
        return tuple(sorted(names, key=lambda name: name != self.active))

    @property
    def every(self) -> tuple[str, ...]:
        """All uplinks: the fit ones, then those that nobody would choose but for an emergency."""
        return (*self.fit, *(name for name, state in self.states if state != "fit"))

    @property
    def target(self) -> str:
        """Where a running call can be moved to now; empty: nowhere."""
        return self.active if self.state(self.active) == "fit" else ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long each thing may take, in seconds."""

    silence_s: float = 4.0
    """An INVITE without any answer."""
    routing_s: float = 15.0
    """A call for help that was taken in (100), and is heard of no more: it goes another way."""
    ring_s: float = 180.0
    """A phone that rings, here or there."""
    reinvite_s: float = 2.0
    """The answer to a re-INVITE on the new way."""
    replaces_s: float = 1.5
    """The answer to an INVITE with Replaces."""
    decide_s: float = 4.0
    """A whole move, until the call runs again, is dialled anew or is ended."""
    stranded_s: float = 15.0
    """A running call without any way to go, which the phone's side was told of."""
    media_s: float = 1.5
    """The first RTP after a move, when the far end spoke before."""
    ack_s: float = 4.0
    """The ACK to our 200."""


# --- what happens: from the door -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """A provisional answer (100-199) to the first INVITE of a leg."""

    leg: int
    code: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The dialog stands: our INVITE got its 2xx, or our 200 to an incoming INVITE got its ACK."""

    leg: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A leg that was never answered is over: final answer 300-699 to its INVITE, or code 0."""

    leg: int
    code: int
    reason: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """An answered leg, or an incoming one, is over: BYE or CANCEL from the far end (code 200, 487), or the
    engine gave the dialog up (408, 481, 503)."""

    leg: int
    code: int = 200
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MediaUp:
    """The leg's audio can be connected; said again whenever its media was made anew."""

    leg: int


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The leg has no media any more though its dialog stands (a refused offer). Not said of a hold."""

    leg: int


@dataclass(frozen=True, slots=True)
class Heard:
    """RTP came in on this leg since the last report: at once after silence, then about once a second."""

    leg: int


@dataclass(frozen=True, slots=True)
class Reinvited:
    """The final answer to the re-INVITE of a Reinvite action."""

    leg: int
    code: int


@dataclass(frozen=True, slots=True)
class ReinviteBlocked:
    """The engine could not send a re-INVITE: another transaction of this dialog is still open."""

    leg: int


# --- what happens: from the house ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """The first event of a call: an outgoing one is dialled, an incoming one rings its phones."""


@dataclass(frozen=True, slots=True)
class PathsChanged:
    """The daemon's picture of the uplinks is another one."""

    ways: Ways


@dataclass(frozen=True, slots=True)
class Rebound:
    """An uplink has another address than it had: what runs by it has to be told so, or to go elsewhere."""

    uplink: str


@dataclass(frozen=True, slots=True)
class Lifted:
    """A phone takes the incoming call."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The phone's side ends the call. `code` refuses an incoming call that still rings; `reason`: a key of
    routing.WORDS."""

    code: int = 486
    reason: str = "hung_up"


@dataclass(frozen=True, slots=True)
class HoldWanted:
    """The phone's side puts the call on hold, or takes it back."""

    on: bool


@dataclass(frozen=True, slots=True)
class RemoteHeld:
    """The far end did so."""

    on: bool


Event = (
    Progress
    | Answered
    | Failed
    | Ended
    | MediaUp
    | MediaLost
    | Heard
    | Reinvited
    | ReinviteBlocked
    | Begin
    | PathsChanged
    | Rebound
    | Lifted
    | HangUp
    | HoldWanted
    | RemoteHeld
)


# --- what is to be done: by the door ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartLeg:
    """INVITE the call's number from this uplink's address. With `replaces`: the dialog of that leg stands in
    a Replaces header (RFC 3891), and `Require: replaces` keeps a far end that cannot from ringing anew."""

    leg: int
    uplink: str
    server: Server
    replaces: int | None = None
    codecs: Codecs = "usual"


@dataclass(frozen=True, slots=True)
class AnswerLeg:
    """200 to the incoming INVITE."""

    leg: int


@dataclass(frozen=True, slots=True)
class Reinvite:
    """Move the dialog: re-INVITE with new Contact, Via and media of `uplink`; `hold`: offer sendonly."""

    leg: int
    uplink: str
    hold: bool


@dataclass(frozen=True, slots=True)
class SetHold:
    """re-INVITE on the uplink where the leg is: sendonly, or sendrecv again."""

    leg: int
    on: bool


@dataclass(frozen=True, slots=True)
class Abandon:
    """End the leg's open client transaction locally, so that a new re-INVITE can be sent."""

    leg: int


@dataclass(frozen=True, slots=True)
class EndLeg:
    """CANCEL, BYE or refuse, as the dialog's state asks; out of `uplink` where the dialog can turn there.
    May come twice for one leg (a CANCEL that crossed a 200); then BYE. `code` is for refusing only."""

    leg: int
    uplink: str
    code: int = 0


@dataclass(frozen=True, slots=True)
class ConnectPhone:
    """Join the leg's audio and the phone's, both ways. Said again when the leg's media was made anew."""

    leg: int


@dataclass(frozen=True, slots=True)
class DisconnectPhone:
    """Part them."""

    leg: int


# --- what is to be done: by the house --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring the phones, or stop it."""

    on: bool


@dataclass(frozen=True, slots=True)
class Ringback:
    """Let the caller hear the ringing tone from us, or stop it."""

    on: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """The call runs by another uplink. `took_ms`: from the first order to the provider's answer."""

    from_uplink: str
    to_uplink: str
    how: MoveHow
    took_ms: int


@dataclass(frozen=True, slots=True)
class MediaMissing:
    """The call was moved, the far end spoke before, and no RTP has come since: tell the owner, do no more."""

    leg: int
    uplink: str


@dataclass(frozen=True, slots=True)
class Unauthorised:
    """The provider refused `uplink` and took the same call from another: its address is not confirmed."""

    uplink: str
    code: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Let the phone's side hear this. `reason` is a key of routing.WORDS."""

    reason: str


@dataclass(frozen=True, slots=True)
class Log:
    """The call is over; always the last action. `answered_s` None: it never was. `reason` is a key of
    routing.WORDS; `attempts` are lines such as `main 192.0.2.10:5060: 503`."""

    code: int
    reason: str
    uplink: str
    started_s: float
    answered_s: float | None
    ended_s: float
    moves: int
    attempts: tuple[str, ...]


Action = (
    StartLeg
    | AnswerLeg
    | Reinvite
    | SetHold
    | Abandon
    | EndLeg
    | ConnectPhone
    | DisconnectPhone
    | Ring
    | Ringback
    | Moved
    | MediaMissing
    | Unauthorised
    | Tell
    | Log
)
