"""What goes into the SIP engine and what comes out of it: frozen values, safe on any thread.

A leg is one SIP dialog. Legs that we start are numbered by the caller, from 1 up; legs that come in are
numbered by the engine, from -1 down. Ends are the phones' side of the audio, known by name.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

Transport = Literal["udp", "tcp", "tls"]


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a request is sent first: a resolved server of the provider. `name`: what its TLS certificate must
    bear."""

    address: str
    port: int
    transport: Transport
    name: str = ""


# --- commands -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Configure:
    """The terms of all legs to come: `codecs` in order of preference, ports are UDP. Legs that are up keep
    theirs, and their sockets, to the end."""

    sip_port: int
    rtp_ports: tuple[int, int]
    codecs: tuple[str, ...]
    srtp: str
    session_expires_s: int


@dataclass(frozen=True, slots=True)
class BindPath:
    """Open SIP sockets on `local` for this uplink, before they are needed. `public`: the address that
    peers see, written into Via, Contact and SDP. Answered by PathBound. Binding anew replaces."""

    uplink: str
    local: str
    public: str
    transport: Transport


@dataclass(frozen=True, slots=True)
class StartLeg:
    """Send an INVITE by `uplink`. `replaces`: a leg whose dialog this one takes over (RFC 3891);
    a far end that cannot do that refuses. `codecs`: instead of the engine's own, for this leg."""

    leg: int
    uplink: str
    hop: Hop
    number: str
    domain: str
    caller_id: str
    headers: tuple[tuple[str, str], ...] = ()
    replaces: int | None = None
    codecs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reinvite:
    """Move a leg: re-INVITE in its dialog with Contact, Via, SDP and RTP socket of `uplink`. A transaction
    that waits on the old path is given up. `hop` None: by the server that it has. `hold`: whether the call is
    to be on hold there. Answered by LegReinvited or ReinviteBlocked."""

    leg: int
    uplink: str
    hop: Hop | None
    hold: bool = False


@dataclass(frozen=True, slots=True)
class EndLeg:
    """BYE, CANCEL or a final response, whichever the dialog's state asks for, by `uplink` where the dialog
    can turn there (None: where it is). `code` 0: the usual one."""

    leg: int
    code: int = 0
    uplink: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerLeg:
    """Send a response to an incoming INVITE (180 rings, 200 answers, others refuse)."""

    leg: int
    code: int


@dataclass(frozen=True, slots=True)
class HoldLeg:
    """re-INVITE with or without hold (RFC 3264 §8.4)."""

    leg: int
    on: bool


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Digits as RFC 4733 events."""

    leg: int
    digits: str


@dataclass(frozen=True, slots=True)
class OpenEnd:
    """A WAV end named `end`: plays `play` in a loop (empty: silence), records to `record` (empty: not)."""

    end: str
    play: str
    record: str


@dataclass(frozen=True, slots=True)
class OpenDevice:
    """An end named `end` that is a sound device, by its ALSA names."""

    end: str
    capture: str
    playback: str


@dataclass(frozen=True, slots=True)
class Record:
    """An end records what it hears into this file from now on."""

    end: str
    path: str


@dataclass(frozen=True, slots=True)
class PlayInto:
    """Play WAV files into the ear of an end, in place of any other; what does not loop is answered by
    EndSpoken. What is heard of calls is heard as well. A file that is missing is left out."""

    end: str
    paths: tuple[str, ...]
    loop: bool


@dataclass(frozen=True, slots=True)
class HushEnd:
    """Play nothing into the ear of an end."""

    end: str


@dataclass(frozen=True, slots=True)
class MuteEnd:
    """Nobody hears this end, or all do again."""

    end: str
    on: bool


@dataclass(frozen=True, slots=True)
class MixEnd:
    """All that this end hears hear each other (three-way), or not any more."""

    end: str
    on: bool


@dataclass(frozen=True, slots=True)
class ListenKeys:
    """DTMF in what this end says is told by KeyHeard, also while it is muted; or not any more."""

    end: str
    on: bool


@dataclass(frozen=True, slots=True)
class LinkEnds:
    """Two ends hear each other, or not any more."""

    end: str
    other: str
    on: bool


@dataclass(frozen=True, slots=True)
class Play:
    """An end speaks another file from now on; its recording goes on."""

    end: str
    path: str


@dataclass(frozen=True, slots=True)
class CloseEnd:
    """Close the files of an end; the recording is complete when EndClosed comes."""

    end: str


@dataclass(frozen=True, slots=True)
class HoldWith:
    """Far ends that we hold hear this WAV file from now on, in a loop (empty: nothing, not even RTP)."""

    path: str


@dataclass(frozen=True, slots=True)
class Connect:
    """Join a leg and an end, both ways, now and after every re-creation of the leg's media."""

    leg: int
    end: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Part a leg from its end."""

    leg: int


@dataclass(frozen=True, slots=True)
class Register:
    """Keep a registration by `uplink`; sent again with another uplink, it moves there; with another login,
    the old one is given up."""

    uplink: str
    hop: Hop
    domain: str
    login: str
    password: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class Unregister:
    """Give the registration up (RFC 3261 §10.2.2)."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Send OPTIONS from the uplink's SIP socket: keeps NAT bindings and learns the address seen outside."""

    uplink: str
    hop: Hop
    domain: str


Command = (
    Configure
    | BindPath
    | StartLeg
    | Reinvite
    | EndLeg
    | AnswerLeg
    | HoldLeg
    | SendDigits
    | OpenEnd
    | OpenDevice
    | Record
    | Play
    | PlayInto
    | HushEnd
    | MuteEnd
    | MixEnd
    | ListenKeys
    | LinkEnds
    | CloseEnd
    | HoldWith
    | Connect
    | Disconnect
    | Register
    | Unregister
    | KeepAlive
)


class Engine(Protocol):
    """Whoever does commands: the SIP engine, or what stands in for it."""

    def do(self, command: Command) -> None: ...


# --- events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EngineUp:
    """libStart is done. `version` is pjproject's own word."""

    version: str


@dataclass(frozen=True, slots=True)
class PathBound:
    """The sockets of an uplink are open, or `error` says why not (then the old ones stay, if any)."""

    uplink: str
    local: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class LegProgress:
    """A provisional response (1xx)."""

    leg: int
    code: int


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """200 and ACK: the dialog is confirmed."""

    leg: int


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The leg is over. `code` 0: nothing could be sent. `answered`: its dialog had been confirmed;
    `retry_after_s` from a 503; `rx_packets` received in all."""

    leg: int
    code: int
    reason: str
    answered: bool = False
    retry_after_s: float | None = None
    rx_packets: int = 0


@dataclass(frozen=True, slots=True)
class LegIncoming:
    """An INVITE came in by `uplink`. `called` and `caller` are user parts; `source` is `address:port`."""

    leg: int
    uplink: str
    called: str
    caller: str
    source: str


@dataclass(frozen=True, slots=True)
class LegReinvited:
    """The final answer to our re-INVITE; `move`: of a Reinvite, else of a HoldLeg."""

    leg: int
    code: int
    reason: str
    move: bool


@dataclass(frozen=True, slots=True)
class ReinviteBlocked:
    """The engine could not send the re-INVITE: a transaction is pending, or the path has no socket."""

    leg: int
    why: str


MediaState = Literal["up", "held", "remote_held", "lost"]


@dataclass(frozen=True, slots=True)
class LegMedia:
    """Audio of this leg was made anew, or lost. `held` by us, `remote_held` by the far side."""

    leg: int
    state: MediaState
    codec: str


@dataclass(frozen=True, slots=True)
class LegSpoke:
    """RTP came in on this leg since the last report: at once after silence, then about once a second.
    Quality of the stream so far as RTCP counts it: `loss` a fraction, `rtt_ms` 0 until it is known; the far
    end's own reception by its reports, None before the first. `packets` came in by this stream."""

    leg: int
    loss: float
    jitter_ms: float
    rtt_ms: float
    packets: int = 0
    far_loss: float | None = None
    far_jitter_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class LegDigit:
    """A digit heard by RFC 4733."""

    leg: int
    digit: str


@dataclass(frozen=True, slots=True)
class EndClosed:
    """Files of this end are closed."""

    end: str


@dataclass(frozen=True, slots=True)
class EndSpoken:
    """What was played into this end once is over."""

    end: str


@dataclass(frozen=True, slots=True)
class KeyHeard:
    """What the listener to this end's keys heard, in its own words."""

    end: str
    heard: object


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar's answer; `code` 200 with `expires_s` > 0 means that calls come in here."""

    uplink: str
    code: int
    reason: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class KeptAlive:
    """The answer to KeepAlive. `observed`: our address as `Via received=` tells it, or empty."""

    uplink: str
    code: int
    observed: str


@dataclass(frozen=True, slots=True)
class CommandFailed:
    """The engine refused a command; `why` carries its own words."""

    command: Command
    why: str


Event = (
    EngineUp
    | PathBound
    | LegProgress
    | LegAnswered
    | LegEnded
    | LegIncoming
    | LegReinvited
    | ReinviteBlocked
    | LegMedia
    | LegSpoke
    | LegDigit
    | EndClosed
    | EndSpoken
    | KeyHeard
    | Registered
    | KeptAlive
    | CommandFailed
)
