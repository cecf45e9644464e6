"""Law: caller ID is sent into silence: before the first burst, or in the first long pause.

One analog phone between its line (model.py) and its port (card.py): a ring becomes bursts, wires swapped and
samples, each at its time; what the port heard goes up, and the first lift ends all of it.

    state      Ring              StopRing, OffHook       time
    resting    -> ringing        -                       a message lamp that is due is sent
    ringing    begins anew       -> resting              the next step of the plan; the cadence repeats
    lifted     not done          OnHook -> resting       -

Samples go to the phone's earpiece by whoever has its audio; 60 ms more or less do no harm there.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from gateway.phones import callerid, card, fsk, tones
from gateway.phones.card import Burst, Command, Reverse, Stop
from gateway.phones.dtmf import HIGH_HZ, KEYPAD, LOW_HZ
from gateway.phones.hook import Heard
from gateway.phones.model import (
    Action,
    Caller,
    Light,
    MessageWaiting,
    OffHook,
    OnHook,
    Ring,
    RingCadence,
    ShowCaller,
    StopRing,
)
from gateway.phones.model import Reverse as ReverseLine
from gateway.phones.profiles import CallerIdMethod, Profile

AFTER_RING_MS: Final = 600
"""GR-30-CORE: 500-1500 ms from the end of the ring; ETSI EN 300 659-1: 500-2000 ms."""
AFTER_REVERSAL_MS: Final = 300
"""EN 300 659-1: 100 ms and more before DT-AS, 200 ms and more before DTMF."""
BEFORE_RING_MS: Final = 300
"""EN 300 659-1: 200-500 ms from the data to the first ring."""
LEAST_PAUSE_MS: Final = 1800
DTMF_MS: Final = 70
DTMF_DBM0: Final = -10.0
LAMP_AFTER_S: Final = 1.0
"""From the handset's landing to the message lamp's data: the phone has to be ready to listen again."""


@dataclass(frozen=True, slots=True)
class PlaySamples:
    """Into the earpiece, once; 8 kHz."""

    samples: "array[int]"


Output = Heard | Command | PlaySamples


@dataclass(frozen=True, slots=True)
class _Step:
    """`outputs` at `at_ms` of the plan."""

    at_ms: float
    outputs: tuple[Output, ...]


class Analog:
    """One phone. `receive` takes what its port heard, or its line wants, or None when `due` has passed."""

    def __init__(self, profile: Profile) -> None:
        self._method = profile.caller_id
        self._lifted = False
        self._steps: list[_Step] = []
        self._began_s = 0.0
        self._round: tuple[_Step, ...] = ()
        self._reversed = False
        self._lamp: bool | None = None
        self._lamp_due_s: float | None = None

    @property
    def due(self) -> float | None:
        """Monotonic seconds."""
        if self._steps:
            return self._began_s + self._steps[0].at_ms / 1000
        return self._lamp_due_s

    @property
    def ringing(self) -> bool:
        """True from Ring to its end, in the pauses too."""
        return bool(self._steps)

    def receive(self, what: Heard | Action | None, now: float) -> list[Output]:
        """Events for the line, commands for the port, samples for the earpiece, in their order."""
        match what:
            case None:
                return self._timed(now)
            case Ring(cadence, caller):
                return [] if self._lifted else self._ring(cadence, caller, now)
            case StopRing():
                if self.ringing and self._lamp is not None:
                    self._lamp_due_s = now + LAMP_AFTER_S
                return self._quiet()
            case ReverseLine(on):
                self._reversed = on
                return [Reverse(on)]
            case MessageWaiting(on):
                self._lamp = on
                self._lamp_due_s = None if self._lifted or self.ringing else now
                return self._timed(now)
            case Light() | ShowCaller():
                return []  # it has no lamps; off the hook, data would need the far end's silence
            case OffHook():
                self._lifted = True
                self._lamp_due_s = None
                return [*self._quiet(), what]
            case OnHook():
                self._lifted = False
                self._lamp_due_s = now + LAMP_AFTER_S if self._lamp is not None else None
                return [what]
            case _:
                return [what]

    def down(self) -> None:
        """The port is dead: whatever was going on is over."""
        self._lifted = False
        self._steps, self._lamp_due_s = [], None

    def _ring(self, cadence: RingCadence, caller: Caller | None, now: float) -> list[Output]:
        out = self._quiet()
        self._began_s = now
        self._round = bursts(cadence)
        lead: list[_Step] = []
        begin_ms = 0.0
        if caller is not None and self._method.standard != "none":
            sound = samples_of(caller, self._method)
            if self._method.before_ring:
                lead, begin_ms = self._lead_in(sound)
            else:
                self._steps = self._with_data(sound)
        if not self._steps:
            self._steps = lead + _shifted(self._round, begin_ms)
        return out + self._timed(now)

    def _lead_in(self, sound: "array[int]") -> tuple[list[_Step], float]:
        """Wires swapped, data, wires back, and when the first burst comes."""
        at_ms = AFTER_REVERSAL_MS if self._method.reversal else 0
        over_ms = at_ms + len(sound) / 8
        steps = [_Step(at_ms, (PlaySamples(sound),))]
        if self._method.reversal:
            swapped = not self._reversed
            steps = [_Step(0, (Reverse(swapped),)), *steps, _Step(over_ms, (Reverse(not swapped),))]
        return steps, over_ms + BEFORE_RING_MS

    def _with_data(self, sound: "array[int]") -> list[_Step]:
        """The first round with the data in its first long pause, which is made longer where it has to be."""
        needed_ms = AFTER_RING_MS + len(sound) / 8 + BEFORE_RING_MS
        steps: list[_Step] = []
        late_ms = 0.0
        told = False
        for step, following in pairwise(self._round):
            (burst,) = step.outputs
            assert isinstance(burst, Burst)
            steps.append(_Step(step.at_ms + late_ms, step.outputs))
            quiet_ms = step.at_ms + burst.ms
            if not told and following.at_ms - quiet_ms >= LEAST_PAUSE_MS:
                told = True
                steps.append(_Step(quiet_ms + late_ms + AFTER_RING_MS, (PlaySamples(sound),)))
                late_ms = max(0.0, needed_ms - (following.at_ms - quiet_ms))
        return [*steps, *_shifted(self._round[-1:], late_ms)]

    def _timed(self, now: float) -> list[Output]:
        out: list[Output] = []
        while self._steps and self._began_s + self._steps[0].at_ms / 1000 <= now:
            step = self._steps.pop(0)
            out += step.outputs
            if not self._steps:
                self._began_s += step.at_ms / 1000
                self._steps = list(self._round)
        if self._lamp_due_s is not None and self._lamp_due_s <= now and not self._steps:
            self._lamp_due_s = None
            out += self._lamp_data()
        return out

    def _lamp_data(self) -> list[Output]:
        on, self._lamp = self._lamp, None
        if on is None or self._method.standard not in ("class", "etsi"):
            return []
        standard: fsk.Fsk = "etsi" if self._method.standard == "etsi" else "class"
        return [PlaySamples(fsk.samples(callerid.waiting(on), standard, alert=standard == "etsi"))]

    def _quiet(self) -> list[Output]:
        if not self._steps:
            return []
        swapped = any(output == Reverse(self._reversed) for step in self._steps for output in step.outputs)
        self._steps = []
        back: list[Output] = [Reverse(self._reversed)] if swapped else []
        return [Stop(), *back]


def bursts(cadence: RingCadence) -> tuple[_Step, ...]:
    """One round, and a last step without outputs at its end. A long burst is told in parts."""
    steps, at_ms = [], 0
    periods = cadence.periods_ms if len(cadence.periods_ms) % 2 == 0 else (*cadence.periods_ms, 0)
    for on_ms, off_ms in zip(periods[::2], periods[1::2], strict=True):
        for part in range(0, on_ms, card.LONGEST_MS // 2):
            steps.append(_Step(at_ms + part, (Burst(min(card.LONGEST_MS // 2, on_ms - part)),)))
        at_ms += on_ms + off_ms
    return (*steps, _Step(max(at_ms, 100), ()))


def samples_of(caller: Caller, method: CallerIdMethod) -> "array[int]":
    """Caller ID as the country's phones read it."""
    if method.standard == "dtmf":
        return _keys(callerid.digits(caller, method.dtmf_start, method.dtmf_stop))
    standard: fsk.Fsk = "etsi" if method.standard == "etsi" else "class"
    return fsk.samples(callerid.message(caller), standard, alert=method.alert)


def _keys(keys: str) -> "array[int]":
    whole: array[int] = array("h")
    for key in keys:
        row = next(place for place, keys_of in enumerate(KEYPAD) if key in keys_of)
        pair = (LOW_HZ[row], HIGH_HZ[KEYPAD[row].index(key)])
        whole += tones.sine(pair, DTMF_MS, DTMF_DBM0) + tones.silence(DTMF_MS)
    return whole


def _shifted(steps: Sequence[_Step], by_ms: float) -> list[_Step]:
    return [_Step(step.at_ms + by_ms, step.outputs) for step in steps]
