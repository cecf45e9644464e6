"""Law: what the kernel's driver made of a key is undone here: a telephone again, and no keyboard.

Two kinds of USB phones have a driver of their own in Linux and no hidraw: `yealink` (USB-P1K and its kin) and
`cm109`. Their keys come as input events (struct input_event, linux/input.h), a green and a red one too.

    green    OffHook; off the hook already: Flash        keypad   Digit
    red      OnHook                                      micmute  Mute(None)

The P1K types # as shift and 3. The CM109 has a buzzer that is an event written to it; the P1K's ringer is a
file of sysfs, which the unit may not write: it rings by its audio.
"""

import struct
from collections.abc import Mapping
from typing import Final, Literal

from gateway.phones.model import (
    KEYS,
    Action,
    Digit,
    Event,
    Flash,
    Mute,
    OffHook,
    OnHook,
    Ring,
    StopRing,
)
from gateway.phones.ringer import Ringer

DRIVERS: Final = ("cm109", "yealink")
_EVENT: Final = struct.Struct("@llHHi")
"""Seconds, microseconds, type, code, value."""
_EV_SYN, _EV_KEY, _EV_SND = 0, 1, 18
_SYN_DROPPED: Final = 3
_SND_BELL: Final = 1

_RED, _SHIFT, _3, _GREEN, _MICMUTE = 1, 42, 4, 28, 248
_DIGITS: Final[Mapping[int, str]] = {
    **dict(zip(range(2, 12), "1234567890", strict=True)),
    55: "*",
    **{0x200 + n: key for n, key in enumerate(KEYS)},  # KEY_NUMERIC_0 and so on
}


def event(kind: int, code: int, value: int) -> bytes:
    """One struct input_event, without a time."""
    return _EVENT.pack(0, 0, kind, code, value)


class KeyPhone:
    """One phone of these kinds, from the moment it is plugged in. `keys`: which of its keys count."""

    def __init__(self, *, buzzer: bool, keys: Literal["all", "hook", "none"] = "all") -> None:
        self._buzzer = buzzer
        self._keys = keys
        self._ringer = Ringer()
        self._sounding: bool | None = None
        self._down: list[int] = []
        self._shift = False
        self._lost = False
        self.off_hook = False

    @property
    def due(self) -> float | None:
        """When the buzzer has to be switched next: call `tick` then."""
        return self._ringer.due

    @property
    def rings(self) -> bool:
        """It can ring by itself."""
        return self._buzzer

    def heard(self, data: bytes, now: float) -> list[Event]:
        """What the user did, by what was read from the event device."""
        events: list[Event] = []
        for _, _, kind, code, value in _EVENT.iter_unpack(data[: len(data) // _EVENT.size * _EVENT.size]):
            if kind == _EV_SYN:
                # After SYN_DROPPED all is void up to the next report (input/event-codes).
                lost, self._lost = self._lost, code == _SYN_DROPPED
                if not lost and not self._lost:
                    events += self._keyed(now)
                self._down.clear()
            elif kind == _EV_KEY and code == _SHIFT:
                self._shift = bool(value)
            elif kind == _EV_KEY and value == 1:
                self._down.append(code)
        return events

    def _keyed(self, now: float) -> list[Event]:
        events: list[Event] = []
        for code in self._down:
            if self._keys == "none":
                break
            if code == _GREEN:
                events.append(Flash(now) if self.off_hook else OffHook(now))
                self.off_hook = True
            elif code == _RED:
                events.append(OnHook(now))
                self.off_hook = False
            elif self._keys == "all" and code == _MICMUTE:
                events.append(Mute(None, now))
            elif self._keys == "all" and code in _DIGITS:
                key = "#" if code == _3 and self._shift else _DIGITS[code]
                events.append(Digit(key, "keypad", now))
        return events

    def perform(self, action: Action, now: float) -> list[bytes]:
        """What to write to the event device for an action."""
        match action:
            case Ring(cadence):
                self._ringer.start(cadence, now)
            case StopRing():
                self._ringer.stop()
            case _:
                return []
        return self.tick(now)

    def tick(self, now: float) -> list[bytes]:
        """What to write by now."""
        sounds = self._ringer.sounds(now)
        if not self._buzzer or sounds == self._sounding:
            return []
        self._sounding = sounds
        return [event(_EV_SND, _SND_BELL, int(sounds)) + event(_EV_SYN, 0, 0)]
