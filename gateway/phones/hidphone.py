"""Law: every lamp of the phone is in every report that is written, and only what changed is told.

What a telephone's HID reports mean (HID usage tables 1.12, pages 0x0B and 0x08), compiled once from its
descriptor: input reports -> events, actions -> output reports. No input/output here.

    usage           events                                       usage       lit
    0B:20 hook      OffHook, OnHook; relative: in turn           08:17       off_hook
    0B:26 drop      OnHook                                       08:18       ringing, all the time
    0B:21 flash     Flash; also 0B:23 hold                       0B:9E       ringing, in the cadence
    0B:2F mute      Mute(on); relative: Mute(None)               08:09       mute
    0B:24 redial    Redial                                       08:19       message
    0B:B0-BF keys   Digit                                        08:20       hold
    0B:97 busy      none: `busy` says it                         08:21       off_hook and not mute
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from gateway.phones.hid import TELEPHONY, Descriptor, Field
from gateway.phones.model import (
    KEYS,
    Action,
    Digit,
    Event,
    Flash,
    Lamp,
    Light,
    MessageWaiting,
    Mute,
    OffHook,
    OnHook,
    Redial,
    Ring,
    StopRing,
)
from gateway.phones.ringer import Ringer

_HOOK: Final = 0x0B0020
_FLASH: Final = 0x0B0021
_HOLD: Final = 0x0B0023
_REDIAL: Final = 0x0B0024
_DROP: Final = 0x0B0026
_MUTE: Final = 0x0B002F
_BUSY: Final = 0x0B0097
_RINGER: Final = 0x0B009E
_KEY_0: Final = 0x0B00B0
_READ: Final = frozenset(
    {_HOOK, _FLASH, _HOLD, _REDIAL, _DROP, _MUTE, _BUSY, *range(_KEY_0, _KEY_0 + len(KEYS))}
)
_LAMPS: Final[Mapping[int, Lamp | Literal["microphone", "ringer"]]] = {
    0x080017: "off_hook",
    0x080018: "ring",
    0x080009: "mute",
    0x080019: "message",
    0x080020: "hold",
    0x080021: "microphone",
    _RINGER: "ringer",
}

_MAX_KEYS_AT_ONCE: Final = 32

Hook = Literal["switch", "key"]
MuteKey = Literal["state", "key"]


@dataclass(frozen=True, slots=True)
class Quirk:
    """Where a device means something else than its descriptor says; None: as the descriptor says.

    A `switch` reports where the hook is, a `key` each press. `deny`: usages that it has but must not be used.
    """

    name: str = ""
    hook: Hook | None = None
    mute: MuteKey | None = None
    deny: frozenset[int] = frozenset()


QUIRKS: Final[Mapping[tuple[int, int], Quirk]] = {
    # Linux' hid-google-atrus: 1 is muted and 0 is not, though it is called a key.
    (0x18D1, 0x8001): Quirk("Google Hangouts Meet speakermic", mute="state"),
}


@dataclass(frozen=True, slots=True)
class _Bit:
    """One control of its own."""

    field: Field
    place: int
    usage: int


@dataclass(frozen=True, slots=True)
class Table:
    """What the descriptor of a telephone comes to."""

    bits: tuple[_Bit, ...]
    arrays: tuple[tuple[Field, Mapping[int, int]], ...]
    lamps: tuple[tuple[str, Field, int], ...]
    numbered: bool
    output_bytes: Mapping[int, int]
    hook: Hook | None
    mute: MuteKey | None

    @property
    def has_keypad(self) -> bool:
        """Digits can be dialled on it."""
        usages = {bit.usage for bit in self.bits}
        usages.update(usage for _, listed in self.arrays for usage in listed.values())
        return {_KEY_0 + n for n in range(10)} <= usages

    @property
    def rings(self) -> bool:
        """It has a bell or a ring lamp of its own; otherwise ringing is for the audio."""
        return any(lamp in ("ring", "ringer") for lamp, _, _ in self.lamps)


def compile_table(descriptor: Descriptor, quirk: Quirk | None = None) -> Table | None:
    """The table of a telephone, or None if this is none: no hook, no keypad, no lamp of one.

    A control that is called constant counts all the same: some headsets call all of theirs so.
    """
    quirk = quirk or Quirk()
    bits: list[_Bit] = []
    arrays: list[tuple[Field, Mapping[int, int]]] = []
    lamps: list[tuple[str, Field, int]] = []
    for field in descriptor.fields:
        if field.application & 0xFFFF0000 != TELEPHONY:
            continue
        found = field.find((_READ if field.kind == "input" else _LAMPS.keys()) - quirk.deny)
        if field.kind == "output":
            if field.variable:
                lamps += ((_LAMPS[usage], field, place) for place, usage in found.items())
        elif field.variable:
            bits += (_Bit(field, place, usage) for place, usage in found.items())
        elif found:
            arrays.append((field, found))
    if not bits and not arrays and not lamps:
        return None
    relative = {bit.usage: bit.field.relative for bit in bits}
    listed = {usage for _, found in arrays for usage in found.values()}
    hook: Hook | None = "key" if _HOOK in listed else None
    mute: MuteKey | None = "key" if _MUTE in listed else None
    if _HOOK in relative:
        hook = "key" if relative[_HOOK] else "switch"
    if _MUTE in relative:
        mute = "key" if relative[_MUTE] else "state"
    return Table(
        bits=tuple(bits),
        arrays=tuple(arrays),
        lamps=tuple(lamps),
        numbered=descriptor.numbered,
        output_bytes=dict(descriptor.output_bytes),
        hook=quirk.hook or hook,
        mute=quirk.mute or mute,
    )


class HidPhone:
    """One telephone, from the moment it is plugged in. `keys`: which of its keys count."""

    def __init__(self, table: Table, keys: Literal["all", "hook", "none"] = "all") -> None:
        self._table = table
        self._keys = keys
        self._on: frozenset[int] = frozenset()
        self._lit: dict[str, bool] = {}
        self._written: dict[int, bytes] = {}
        self._ringer = Ringer()
        self.off_hook = False
        """Where the hook is, as far as the phone has said."""

    @property
    def due(self) -> float | None:
        """When the bell has to be switched next: call `tick` then."""
        return self._ringer.due

    @property
    def rings(self) -> bool:
        """It can ring by itself."""
        return self._table.rings

    @property
    def busy(self) -> bool:
        """The phone is taken by another line (a headset that is in a call with a mobile phone)."""
        return _BUSY in self._on

    # --- what the phone says ----------------------------------------------------------------------

    def heard(self, report: bytes, now: float) -> list[Event]:
        """What the user did, by an input report as hidraw gives it. Strange reports say nothing."""
        if self._table.numbered:
            number, report = (report[0] if report else -1), report[1:]
        else:
            number = 0
        before, self._on = self._on, self._pressed(number, report)
        down, up = self._on - before, before - self._on
        events: list[Event] = []
        if self._keys == "none":
            return events
        if _HOOK in down or _HOOK in up:
            events += self._hook(_HOOK in down, now)
        if _DROP in down:
            self.off_hook = False
            events.append(OnHook(now))
        if self._keys == "hook":
            return events
        if _FLASH in down or _HOLD in down:
            events.append(Flash(now))
        if self._table.mute == "state" and (_MUTE in down or _MUTE in up):
            events.append(Mute(_MUTE in down, now))
        elif _MUTE in down:
            events.append(Mute(None, now))
        if _REDIAL in down:
            events.append(Redial(now))
        events += (Digit(KEYS[u - _KEY_0], "keypad", now) for u in sorted(down) if u >= _KEY_0)
        return events

    def _hook(self, down: bool, now: float) -> list[Event]:
        if self._table.hook == "key":
            if not down:
                return []
            self.off_hook = not self.off_hook
        else:
            self.off_hook = down
        return [OffHook(now) if self.off_hook else OnHook(now)]

    def _pressed(self, number: int, report: bytes) -> frozenset[int]:
        """What is on after this report; what it does not speak of stays as it was."""
        on = set(self._on)
        for bit in self._table.bits:
            if bit.field.report == number and (value := bit.field.read(report, bit.place)) is not None:
                on.discard(bit.usage)
                if value:
                    on.add(bit.usage)
        for array, listed in self._table.arrays:
            if array.report == number and array.read(report, array.values - 1) is not None:
                on.difference_update(listed.values())
                for place in range(min(array.values, _MAX_KEYS_AT_ONCE)):
                    index = (array.read(report, place) or 0) - array.minimum
                    if index in listed:
                        on.add(listed[index])
        return frozenset(on)

    # --- what the phone is told -------------------------------------------------------------------

    def perform(self, action: Action, now: float) -> list[bytes]:
        """The reports to write for an action; for the first one all there are."""
        match action:
            case Light(lamp, on):
                self._lit[lamp] = on
                if lamp == "off_hook" and self._table.hook == "key":
                    self.off_hook = on  # a key only says that it was pressed: we know where the hook is
            case MessageWaiting(on):
                self._lit["message"] = on
            case Ring(cadence):
                self._ringer.start(cadence, now)
            case StopRing():
                self._ringer.stop()
            case _:
                return []
        return self.tick(now)

    def tick(self, now: float) -> list[bytes]:
        """The reports to write by now: what changed since the last ones."""
        self._lit["ring"], self._lit["ringer"] = self._ringer.ringing, self._ringer.sounds(now)
        self._lit["microphone"] = self._lit.get("off_hook", False) and not self._lit.get("mute", False)
        reports = {report: bytearray(size) for report, size in self._table.output_bytes.items()}
        mine = set()
        for lamp, field, place in self._table.lamps:
            mine.add(field.report)
            if self._lit.get(lamp, False):
                bit = field.offset_bits + place * field.size_bits
                reports[field.report][bit // 8] |= 1 << bit % 8
        changed = []
        for number in sorted(mine):
            whole = bytes([number]) + bytes(reports[number])
            if self._written.get(number) != whole:
                self._written[number] = whole
                changed.append(whole)
        return changed
