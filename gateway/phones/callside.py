"""What a line and the calls of the house say to each other, beside the words of its hardware (model.py).

A call is a number that nobody else in the box has; it means the same here and in the calls room. A line
never sees SIP: what a provider said arrives as a key of the reasons that the calls room has words for.
"""

from dataclasses import dataclass
from typing import Literal

from gateway.phones.model import Caller

ToneName = Literal[
    "dial",  # dial now
    "stutter",  # dial now, and something is out of the ordinary (backup channel, waiting message)
    "second",  # a further number is wanted (after a flash, for a code)
    "ringback",  # the far end rings
    "busy",
    "congestion",  # the network could not
    "confirm",  # done
    "waiting",  # another call is waiting
    "howler",  # the handset is off the hook
    "hold",
]
RingName = Literal["outside", "inside", "recall"]
CallKind = Literal["outside", "inside", "emergency"]


# --- from the calls: what becomes of a call of this line ------------------------------------------


@dataclass(frozen=True, slots=True)
class Offered:
    """A call comes in. The line takes it into its book or answers with Drop at once."""

    call: int
    caller: Caller
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Ringback:
    """The far end rings and sends no sound of its own: let the user hear it; or do not any more."""

    call: int
    on: bool


@dataclass(frozen=True, slots=True)
class Sound:
    """The call's audio is joined to the phone (early media or speech): tones make way."""

    call: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The far end has taken the call, or ours to an incoming one has been acknowledged."""

    call: int


@dataclass(frozen=True, slots=True)
class Told:
    """Words on the way that do not end the call (the channel failed, the number is called again)."""

    call: int
    reason: str


@dataclass(frozen=True, slots=True)
class Over:
    """The call is no more, by whoever; `code` is SIP's last word or 0, `reason` a key of the reasons."""

    call: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Became:
    """A transfer: `call` is gone, and the phone has `new` in its place, in the same state of being
    offered or taken."""

    call: int
    new: int
    caller: Caller
    inside: bool


@dataclass(frozen=True, slots=True)
class Spoken:
    """The words of the last Speak are over."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The user does not want the call that rings or waits."""


@dataclass(frozen=True, slots=True)
class DialAll:
    """Digits at once, as from a page or a speed dial; lifts the handset where it is not."""

    digits: str


@dataclass(frozen=True, slots=True)
class HoldKey:
    """Put the call that is heard on hold, or take it back, without anything else."""

    on: bool


@dataclass(frozen=True, slots=True)
class PickedUp:
    """The answer to PickUp: this call rang elsewhere and is ours to Take; 0: nothing rings."""

    call: int
    caller: Caller
    inside: bool = False


CallEvent = (
    Offered
    | PickedUp
    | Ringback
    | Sound
    | Answered
    | Told
    | Over
    | Became
    | Spoken
    | Refuse
    | DialAll
    | HoldKey
)


# --- to the calls ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Call this number (outside) or extension (inside). `pin`: what the user typed to be allowed to."""

    call: int
    digits: str
    kind: CallKind
    hidden: bool = False
    pin: str = ""


@dataclass(frozen=True, slots=True)
class Take:
    """Answer an offered call."""

    call: int


@dataclass(frozen=True, slots=True)
class Drop:
    """End a call, or refuse it while it is offered (then with `code`)."""

    call: int
    code: int = 486


@dataclass(frozen=True, slots=True)
class Hold:
    """Put a call on hold (the phone parts from its audio), or take it back."""

    call: int
    on: bool


@dataclass(frozen=True, slots=True)
class Mix:
    """All calls that this phone hears hear each other too, or not any more."""

    on: bool


@dataclass(frozen=True, slots=True)
class HandOver:
    """Give `call` (with `caller`) to the phone at the other end of `inside`, and leave both."""

    call: int
    inside: int
    caller: Caller


@dataclass(frozen=True, slots=True)
class SendDigit:
    """A key during a call: to the far end as RFC 4733."""

    call: int
    key: str


# --- to the ear -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlayTone:
    """This tone from now on, in place of any other; what is heard of a call is heard as well."""

    tone: ToneName


@dataclass(frozen=True, slots=True)
class Speak:
    """These prompts in turn, in place of any tone; Spoken comes when they are over."""

    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hush:
    """No tone and no prompt."""


@dataclass(frozen=True, slots=True)
class Deafen:
    """What the handset hears goes to nobody (mute), or goes out again."""

    on: bool


@dataclass(frozen=True, slots=True)
class Listen:
    """Open the handset's audio (lifted), or close it (put down): between the two it costs nothing."""

    on: bool


# --- to the house ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RingWith:
    """Ring in this manner and show who calls; the desk knows the country's cadence for it."""

    ring: RingName
    caller: Caller


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep a setting that the user of this phone made by a code, over restarts: `dnd` (on, off) or
    `forward` (an extension, or empty)."""

    name: Literal["dnd", "forward"]
    value: str


@dataclass(frozen=True, slots=True)
class SayState:
    """Speak the box's address and state; Spoken comes when that is over."""


@dataclass(frozen=True, slots=True)
class PickUp:
    """Take over a call that rings at another phone; answered by PickedUp."""


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody is at the box, and has dialled the digits that a page shows."""

    digits: str


LineAction = (
    Place
    | Take
    | Drop
    | Hold
    | Mix
    | HandOver
    | SendDigit
    | PlayTone
    | Speak
    | Hush
    | Deafen
    | Listen
    | RingWith
    | Remember
    | SayState
    | PickUp
    | Present
)
