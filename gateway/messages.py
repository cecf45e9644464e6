"""Law: only these values cross a process border. The daemon is the hub; `calls`, `ctl` and `web` are clients.

Each group below is named for who says it to whom. Addresses are text in their usual notation; times ending
in `_at` are Unix seconds; durations carry their unit.
"""

from collections.abc import Callable
from typing import Final, Literal, TypeVar

import msgspec

from gateway.changes import ChangeReply, ChangeVerb, ProblemView
from gateway.records import RecordReply, RecordVerb
from gateway.status import CallView, Frozen, Message, PhoneView, Status

# --- daemon -> calls ------------------------------------------------------------------------------

PathState = Literal[
    "fit",  # new calls may leave here
    "leave",  # running calls must move to the active path now; no new calls
    "unfit",  # not for calls; a confirmation call is still possible when it has an address
]


class Path(Frozen, frozen=True, kw_only=True):
    """One uplink as the calls process sees it: the addresses to bind, and whether calls may use it."""

    uplink: str
    device: str
    local_address: str
    public_address: str
    state: PathState
    metered: bool = False


class Paths(Message, frozen=True, kw_only=True):
    """The whole picture, sent at every change. `active` carries new calls (empty: none can)."""

    paths: tuple[Path, ...]
    active: str
    cause: str


class Server(Frozen, frozen=True, kw_only=True):
    """One resolved signalling server of the trunk, in the order of RFC 2782."""

    address: str
    port: int
    transport: Literal["udp", "tcp", "tls"]


class CallerIdRule(Frozen, frozen=True, kw_only=True):
    """An Asterisk pattern (`_4420XXXXXXX`) or number, and the E.164 digits to show for it."""

    pattern: str
    caller_id: str


class Registration(Frozen, frozen=True, kw_only=True):
    """The free login that receives incoming calls. The password never leaves the calls process."""

    login: str
    password: str
    expires_s: int = 300


class IncomingRule(Frozen, frozen=True, kw_only=True):
    """A called number (digits; empty: any) and the phones that ring for it. `when_busy`: with one of them in
    a call, the free ones ring, or also those that a second call can wait at, or the caller hears busy."""

    number: str
    phones: tuple[str, ...]
    when_busy: Literal["ring_free", "call_waiting", "busy"] = "ring_free"
    ring: Literal["all", "in_order"] = "all"
    ring_s: int = 60


class PhonePlan(Frozen, frozen=True, kw_only=True):
    """One phone to serve. Empty words: there is none. `usb` and `keys`: which device, and which of its keys
    count (kind usb). `port`, `country` (empty: the box's) and `ring_hz` (0: the country's): kind analog."""

    name: str
    kind: Literal["virtual", "usb", "analog"]
    label: str = ""
    extension: str = ""
    hotline: str = ""
    hotline_after_s: float = 0.0
    may_refuse: bool = True
    may_call: Literal["rules", "anything", "pin", "inside"] = "rules"
    play: str = ""
    record: str = ""
    auto_answer: bool = False
    usb: str = "any"
    keys: Literal["all", "hook", "none"] = "all"
    port: int = 0
    country: str = ""
    ring_hz: int = 0


class DiallingPlan(Frozen, frozen=True, kw_only=True):
    """How all phones dial. `codes`: (star code, its name as in the settings); none: the usual ones.
    `devices`: those of the office side, whose addresses the state code speaks."""

    first_digit_s: float = 20.0
    next_digit_s: float = 4.0
    stutter_on_backup: bool = False
    forward_outside: bool = False
    codes: tuple[tuple[str, str], ...] = ()
    language: str = "en"
    devices: tuple[str, ...] = ()


class CallingPlan(Frozen, frozen=True, kw_only=True):
    """What may be dialled; the words are those of the settings. `countries`: besides the box's own."""

    countries: tuple[str, ...] = ()
    all_countries: bool = False
    types: tuple[str, ...] = ("fixed", "mobile", "toll_free")
    parallel_calls: int = 8
    calls_per_hour: int = 120
    minutes_per_day: int = 1200
    longest_call_min: int = 240
    hours: tuple[str, ...] = ()
    pin: str = ""


class HelpPlan(Frozen, frozen=True, kw_only=True):
    """Calls for help: numbers beside those of the country, and the address that the service is to be told."""

    numbers: tuple[str, ...] = ()
    address: str = ""


class CallSource(Frozen, frozen=True, kw_only=True):
    """Somebody beside the provider who may call by SIP URI, and from where."""

    name: str
    networks: tuple[str, ...]


class TrunkPlan(Message, frozen=True, kw_only=True):
    """Everything that the calls process needs to know of the trunk, resolved: it never asks DNS itself."""

    domain: str
    servers: tuple[Server, ...]
    login: str
    country: str
    default_caller_id: str
    caller_ids: tuple[str, ...]
    caller_id_rules: tuple[CallerIdRule, ...]
    confirm_number: str
    assert_identity: bool
    codecs: tuple[str, ...]
    srtp: Literal["off", "offer", "require"]
    session_expires_s: int
    provider_networks: tuple[str, ...]
    registration: Registration | None
    incoming: tuple[IncomingRule, ...]
    phones: tuple[PhonePlan, ...]
    dialling: DiallingPlan = DiallingPlan()
    calling: CallingPlan = CallingPlan()
    help: HelpPlan = HelpPlan()
    sources: tuple[CallSource, ...] = ()
    time_zone: str = ""
    sip_port: int
    rtp_ports: tuple[int, int]
    recordings: str


# --- calls -> daemon ------------------------------------------------------------------------------


class CallsReady(Message, frozen=True, kw_only=True):
    """The calls process has its SIP engine up; it now waits for TrunkPlan and Paths."""

    pid: int
    engine: str
    max_calls: int


class MediaQuiet(Message, frozen=True, kw_only=True):
    """No RTP has come in by this uplink for `quiet_ms` on every call that expects some: a suspicion."""

    uplink: str
    calls: int
    quiet_ms: int


class MediaHeard(Message, frozen=True, kw_only=True):
    """RTP comes in again by this uplink."""

    uplink: str


class CallsNow(Message, frozen=True, kw_only=True):
    """Live calls and phones, sent at every change."""

    calls: tuple[CallView, ...]
    phones: tuple[PhoneView, ...]


class CallMoved(Message, frozen=True, kw_only=True):
    """A running call left one uplink for another. `took_ms`: from the order to the provider's answer."""

    call: int
    from_uplink: str
    to_uplink: str
    how: Literal["reinvite", "replaces", "redial"]
    took_ms: int


class CallEnded(Message, frozen=True, kw_only=True):
    """One line of the call log."""

    call: int
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


class EmergencyCalls(Message, frozen=True, kw_only=True):
    """How many calls for help run or are being placed; while there is one, they may leave by every channel
    that has an address, confirmed or not."""

    calls: int


class HelpCalled(Message, frozen=True, kw_only=True):
    """A phone calls for help. `ended`: the call that made room for it (0: none had to)."""

    call: int
    phone: str
    number: str
    ended: int = 0


class CallBlocked(Message, frozen=True, kw_only=True):
    """The calling rules refused or ended a call. `why`: a sentence without its end."""

    phone: str
    number: str
    why: str
    call: int = 0


class AddressRefused(Message, frozen=True, kw_only=True):
    """The provider refused `uplink` (401, 403 or 407) and took the same call from `taken_from`: the address
    of `uplink` is not authorised any more."""

    uplink: str
    taken_from: str
    sip_code: int


class AudioMissing(Message, frozen=True, kw_only=True):
    """A call was moved to `uplink`, its far end spoke before, and nothing has been heard from it since."""

    call: int
    uplink: str


ConfirmVerdict = Literal["confirmed", "refused", "no_answer", "other_address", "failed"]


class ConfirmResult(Message, frozen=True, kw_only=True):
    """What became of the call to the confirmation number out of one uplink."""

    uplink: str
    local_address: str
    public_address: str
    observed_address: str
    verdict: ConfirmVerdict
    sip_code: int
    reason: str
    heard_ms: int
    recording: str


# --- ctl, web -> daemon (verbs); calls answers those marked (calls) through the daemon ------------


class GetStatus(Message, frozen=True, kw_only=True):
    """Ask for StatusNow."""


class Follow(Message, frozen=True, kw_only=True):
    """Ask for every Event from now on, until the client leaves; with `changes`, for Changed as well."""

    changes: bool = False


class UseUplink(Message, frozen=True, kw_only=True):
    """The owner's order: calls by this uplink, running ones too. Empty: choose by health again."""

    uplink: str


class Identify(Message, frozen=True, kw_only=True):
    """Have the lamp blink for half a minute: which box is it?"""


class ConfirmAddress(Message, frozen=True, kw_only=True):
    """(calls) Route a call to the confirmation number out of this uplink, from its own address."""

    uplink: str


class ObserveAddress(Message, frozen=True, kw_only=True):
    """Ask the provider by OPTIONS out of this uplink, now. Answer: Done, whose data has `observed` (our
    address as the provider sees it), `expected` and `took_ms`; Refused: it is silent or sees another one."""

    uplink: str


class Dial(Message, frozen=True, kw_only=True):
    """(calls) Lift the phone, dial these digits."""

    phone: str
    digits: str


class Lift(Message, frozen=True, kw_only=True):
    """(calls) Lift the handset, as a hand would: dial tone, or the call that rings; HangUp puts it down."""

    phone: str


class Press(Message, frozen=True, kw_only=True):
    """(calls) Press these keys one by one (0-9, *, #, A-D), as a hand would: to dial, or during a call."""

    phone: str
    keys: str


class Flash(Message, frozen=True, kw_only=True):
    """(calls) Press the hook for a moment (the R key)."""

    phone: str


class Answer(Message, frozen=True, kw_only=True):
    """(calls) Lift a ringing phone."""

    phone: str


class HangUp(Message, frozen=True, kw_only=True):
    """(calls) Put the handset down."""

    phone: str


class Hold(Message, frozen=True, kw_only=True):
    """(calls) Put the phone's call on hold, or take it back."""

    phone: str
    on: bool


class SendDigits(Message, frozen=True, kw_only=True):
    """(calls) Keys pressed during a call; sent as RFC 4733 events."""

    phone: str
    digits: str


class PlayFile(Message, frozen=True, kw_only=True):
    """(calls) A virtual phone speaks this WAV file (16-bit mono) from now on."""

    phone: str
    path: str


class ExplainNumber(Message, frozen=True, kw_only=True):
    """(calls) What would be dialled and shown for these digits, without dialling."""

    digits: str


class GetDevices(Message, frozen=True, kw_only=True):
    """Ask for DevicesNow: the sockets of the box that a line could be plugged into."""


class GetRecording(Message, frozen=True, kw_only=True):
    """Ask for RecordingNow: what the confirmation number said when it confirmed this uplink."""

    uplink: str


# --- answers --------------------------------------------------------------------------------------


class Done(Message, frozen=True, kw_only=True):
    """It was done. `text` is for people, `data` for programs."""

    text: str
    data: dict[str, str | int | float | bool | None] = msgspec.field(default_factory=dict)


class Refused(Message, frozen=True, kw_only=True):
    """It was not done, and nothing was changed. `problems`: every fault of a text of settings."""

    what: str
    where: str
    remedy: str
    problems: tuple[ProblemView, ...] = ()


class StatusNow(Message, frozen=True, kw_only=True):
    """The answer to GetStatus."""

    status: Status


class DeviceView(Frozen, frozen=True, kw_only=True):
    """One network device of Ethernet's kind. `carrier` None: it is switched off, so nobody can tell."""

    name: str
    mac: str
    carrier: bool | None
    mbit_s: int = 0


class DevicesNow(Message, frozen=True, kw_only=True):
    """The answer to GetDevices, by name."""

    devices: tuple[DeviceView, ...]


class RecordingNow(Message, frozen=True, kw_only=True):
    """The answer to GetRecording: a WAV file in base64, cut when it is long."""

    data: str


EventKind = Literal[
    "uplink",
    "switch",
    "call",
    "moved",
    "confirm",
    "trunk",
    "process",
    "settings",
    "guard",
    "system",
    "phone",  # one is gone or back
    "fraud",  # a call was stopped by the calling rules
    "emergency",  # a call for help
    "reset",
    "update",
    "rehearsal",
]


class Event(Message, frozen=True, kw_only=True):
    """One line of the timeline, in words; `uplink` and `call` name what it is about, where there is one."""

    at: float
    kind: EventKind
    text: str
    uplink: str = ""
    call: int = 0


class Changed(Message, frozen=True, kw_only=True):
    """The status is another one than before, figures of quality aside: a client that shows it asks again."""


Verb = (
    GetStatus
    | Follow
    | UseUplink
    | Identify
    | ConfirmAddress
    | ObserveAddress
    | Dial
    | Lift
    | Press
    | Flash
    | Answer
    | HangUp
    | Hold
    | SendDigits
    | PlayFile
    | ExplainNumber
    | GetDevices
    | GetRecording
    | ChangeVerb
    | RecordVerb
)
Reply = Done | Refused | StatusNow | DevicesNow | RecordingNow | ChangeReply | RecordReply
FromDaemon = Paths | TrunkPlan
FromCalls = (
    CallsReady
    | MediaQuiet
    | MediaHeard
    | CallsNow
    | CallMoved
    | CallEnded
    | EmergencyCalls
    | HelpCalled
    | CallBlocked
    | AddressRefused
    | AudioMissing
    | ConfirmResult
)
AnyMessage = Verb | Reply | FromDaemon | FromCalls | Event | Changed


class Envelope(Frozen, frozen=True, kw_only=True):
    """A message on its way. `id` numbers the sender's requests from 1 (0: no answer wanted);
    `re` is the id that this message answers (0: none)."""

    body: AnyMessage
    id: int = 0
    re: int = 0


_UPLINKS: Final = frozenset({"uplink", "from_uplink", "to_uplink", "taken_from", "active"})
Named = TypeVar("Named", bound=Frozen)


def renamed(message: Named, name: Callable[[str], str]) -> Named:
    """The same message, with other names for the uplinks in it."""
    changed: dict[str, object] = {}
    for field in message.__struct_fields__:
        value = getattr(message, field)
        if field in _UPLINKS:
            changed[field] = name(value)
        elif isinstance(value, tuple):
            changed[field] = tuple(renamed(v, name) if isinstance(v, Path | CallView) else v for v in value)
    return msgspec.structs.replace(message, **changed)
