"""What a telephone line is like in a country: tones, ringing, hook times, caller ID. Types and look-up.

The table itself is countries.py. A profile that contradicts itself cannot be made (pulse.LoopTimes).
"""

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from gateway.phones import countries
from gateway.phones.model import RingCadence, Tone
from gateway.phones.pulse import Dial, LoopTimes
from gateway.phones.tones import tone

HOWLER: Final = "1400+2060+2450+2600 100,100"
SPECIAL_INFORMATION: Final = "950 330,0; 1400 330,0; 1800 330,1000"
"""The three tones of ITU-T E.180, clause 9."""
DIAL_DBM0: Final = -13.0
HOWLER_DBM0: Final = -4.0
WAITING_DBM0: Final = -18.0
"""It is heard through speech, beside the ear."""

Standard = Literal["none", "class", "etsi", "dtmf"]


@dataclass(frozen=True, slots=True)
class CallerIdMethod:
    """How the line shows who calls.

    class: Bell 202 FSK (GR-30-CORE); etsi: V.23 FSK (ETSI EN 300 659-1); dtmf: digits between `dtmf_start`
    and `dtmf_stop` (EN 300 659-1 annex A). `before_ring`: sent before the first ring, else after it.
    `alert`: a dual tone (DT-AS) comes first. `reversal`: the wires are swapped while it is sent, before that.
    """

    standard: Standard
    before_ring: bool = False
    alert: bool = False
    reversal: bool = False
    dtmf_start: str = "A"
    dtmf_stop: str = "C"


METHODS: Final = {
    "none": CallerIdMethod("none"),
    "class": CallerIdMethod("class"),
    "etsi": CallerIdMethod("etsi"),
    "etsi_dtas": CallerIdMethod("etsi", before_ring=True, alert=True, reversal=True),
    "dtmf": CallerIdMethod("dtmf", before_ring=True, reversal=True),
    "dtmf_d": CallerIdMethod("dtmf", before_ring=True, reversal=True, dtmf_start="D"),
    "dtmf_hash": CallerIdMethod("dtmf", before_ring=True, reversal=True, dtmf_stop="#"),
}

TIMES: Final = {
    # The R key is long (200 ms and more) or of unknown length: any dial may be used.
    "wide": LoopTimes(),
    "america": LoopTimes(break_most_ms=110, flash_least_ms=200, flash_most_ms=1100),
    # The R key sends about 100 ms, 80 at the least; dials are 9-11 pps with 58-67 % break.
    "timed_break": LoopTimes(break_most_ms=76, flash_least_ms=80, flash_most_ms=600),
    "r_100": LoopTimes(break_most_ms=82, flash_least_ms=86, flash_most_ms=700),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One country. Tones by their use; `ring_hz` is the current's, `ring` its cadence.

    `second`: a further number is wanted; `confirm`: done; `hold`: for whom waits on hold.
    """

    country: str
    dial: Tone
    stutter: Tone
    ringback: Tone
    busy: Tone
    congestion: Tone
    second: Tone
    confirm: Tone
    hold: Tone
    waiting: Tone
    howler: Tone
    special_information: Tone
    ring: RingCadence
    ring_hz: float
    times: LoopTimes
    dial_pulses: Dial
    caller_id: CallerIdMethod

    @property
    def tones(self) -> tuple[Tone, ...]:
        """All of them; their names are unlike."""
        return (
            *(self.dial, self.stutter, self.second, self.ringback, self.busy, self.congestion),
            *(self.confirm, self.waiting, self.howler, self.hold, self.special_information),
        )


def known() -> tuple[str, ...]:
    """The countries that have a profile of their own, ISO 3166-1, in order."""
    return tuple(sorted(countries.TABLE))


def tone_of(country: Profile, name: str) -> Tone:
    """The tone of this name ("dial", "busy" ...). Raises KeyError when it has none."""
    return {tone.name: tone for tone in country.tones}[name]


@cache
def profile(country: str) -> Profile:
    """The profile of a country (ISO 3166-1, such as GB); of one without its own, ITU-T's recommendation."""
    row = countries.TABLE.get(country, countries.OTHER)
    freqs = row.dial.split()[0]
    return Profile(
        country=country,
        dial=tone("dial", row.dial, DIAL_DBM0),
        stutter=tone("stutter", row.stutter or _stutter(row.dial), DIAL_DBM0),
        ringback=tone("ringback", row.ringback),
        busy=tone("busy", row.busy),
        congestion=tone("congestion", row.congestion),
        second=tone("second", f"3x {freqs} 100,100 | {row.dial}", DIAL_DBM0),
        confirm=Tone("confirm", tone("confirm", f"3x {freqs} 100,100").steps, repeat_from=None),
        hold=tone("hold", f"{freqs} 200,200 200,15000", WAITING_DBM0),
        waiting=tone("waiting", row.call_waiting, WAITING_DBM0),
        howler=tone("howler", HOWLER, HOWLER_DBM0),
        special_information=tone("special information", SPECIAL_INFORMATION),
        ring=RingCadence(row.ring),
        ring_hz=row.ring_hz,
        times=TIMES[row.times],
        dial_pulses=row.dial_pulses,
        caller_id=METHODS[row.caller_id],
    )


def _stutter(dial: str) -> str:
    return f"10x {dial.split()[0]} 100,100 | {dial}"
