"""What a phone's hardware and its line say to each other: events up, actions down. Values only.

Every kind of phone (analog, USB, virtual) speaks these words, so that there is one line machine. A time
`at_s` is monotonic seconds, of the kernel where the kernel stamps it (hook edges), else of whoever heard it.
"""

from dataclasses import dataclass
from typing import Final, Literal

KEYS: Final = "0123456789*#ABCD"
"""The sixteen keys of ITU-T Q.23, as they stand in `Digit.key`."""

Source = Literal["pulse", "dtmf", "keypad"]
Lamp = Literal["off_hook", "ring", "mute", "message", "hold"]


# --- events: what the user of a phone does, and what becomes of the hardware ----------------------


@dataclass(frozen=True, slots=True)
class OffHook:
    """The handset was lifted (or a USB phone's hook key pressed)."""

    at_s: float


@dataclass(frozen=True, slots=True)
class OnHook:
    """The handset lies on the hook, for longer than any flash."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Flash:
    """A short press of the hook, or the R key."""

    at_s: float


@dataclass(frozen=True, slots=True)
class DigitBegan:
    """A digit has begun and is not known yet: dial tone must stop now. A `Digit` follows, or nothing does
    (noise): then the line goes on as if it had not been."""

    source: Source
    at_s: float


@dataclass(frozen=True, slots=True)
class Digit:
    """One of `KEYS` was dialled."""

    key: str
    source: Source
    at_s: float


@dataclass(frozen=True, slots=True)
class Mute:
    """The mute key: `on` is what the phone wants from now on; None: it has a key without a state."""

    on: bool | None
    at_s: float


@dataclass(frozen=True, slots=True)
class Redial:
    """The redial key."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Plugged:
    """The hardware is there; its audio is `audio`. Before it comes nothing else is heard of this phone.

    `rings`: it has a bell or a ring lamp; else ringing is a tone into its audio.
    """

    audio: "AudioDevice"
    at_s: float
    rings: bool = True


@dataclass(frozen=True, slots=True)
class Unplugged:
    """The hardware is gone; `why` in words. Whatever it was doing has ended."""

    why: str
    at_s: float


Event = OffHook | OnHook | Flash | DigitBegan | Digit | Mute | Redial | Plugged | Unplugged


@dataclass(frozen=True, slots=True)
class FromPhone:
    """An event of the phone of this name, as it stands in an inbox that several phones share."""

    phone: str
    event: Event


# --- what actions are made of ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AudioDevice:
    """ALSA names, never indices: `plughw:CARD=slic0,DEV=0`, or of a USB path. Empty: the phone has none."""

    capture: str
    playback: str


@dataclass(frozen=True, slots=True)
class Step:
    """`on_ms` of the sum of these frequencies, then `off_ms` of silence. `on_ms` 0: for ever.

    `am_hz`: the frequencies are amplitude modulated by this one (400x25 of ITU-T E.180 Sup. 2).
    `relative_db`: louder or softer than the tone's level.
    """

    freqs_hz: tuple[float, ...]
    on_ms: int = 0
    off_ms: int = 0
    am_hz: float = 0.0
    relative_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Tone:
    """A supervisory tone. `steps` are played in order; then again from `repeat_from` on, or once and silence
    when it is None. `level_dbm0` is of the whole, not of each frequency."""

    name: str
    steps: tuple[Step, ...]
    level_dbm0: float = -13.0
    repeat_from: int | None = 0


@dataclass(frozen=True, slots=True)
class RingCadence:
    """Rings and silences in turn, repeated: (ring ms, silence ms, ring ms, silence ms …)."""

    periods_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as a phone shows it. `number`: digits as they are to be dialled back; empty with `absent`.

    `local_time` is (month, day, hour, minute) of the wall clock.
    """

    number: str
    name: str = ""
    absent: Literal["", "private", "unavailable"] = ""
    local_time: tuple[int, int, int, int] = (1, 1, 0, 0)


# --- actions: what a line wants of the hardware ---------------------------------------------------
# Speech, tones and the samples of caller ID go through the audio device, in C; only what is
# beside the audio stands here.


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring from now on, and show `caller` in the manner of the country."""

    cadence: RingCadence
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class StopRing:
    """Stop ringing. A phone that was lifted has stopped by itself."""


@dataclass(frozen=True, slots=True)
class Reverse:
    """Swap the two wires of an analog line (answer, and end of the call, as seen by coin boxes and PBXs)."""

    on: bool


@dataclass(frozen=True, slots=True)
class Light:
    """A lamp or display segment of the phone."""

    lamp: Lamp
    on: bool


@dataclass(frozen=True, slots=True)
class MessageWaiting:
    """The lamp for waiting messages: an LED on a USB phone, FSK (VMWI) on an analog one."""

    on: bool


@dataclass(frozen=True, slots=True)
class ShowCaller:
    """Show who is waiting while the handset is off the hook (call waiting with caller ID)."""

    caller: Caller


Action = Ring | StopRing | Reverse | Light | MessageWaiting | ShowCaller
