"""Who calls, as the line shows it: messages of FSK and digits of DTMF. Pure; fsk.py makes samples of them.

GR-30-CORE and EN 300 659-3 share the form: type, length, then parameters of type, length, text.
"""

import unicodedata
from typing import Final

from gateway.phones.model import Caller

CALL: Final = 0x80
WAITING: Final = 0x82
_TIME, _NUMBER, _NUMBER_ABSENT, _NAME, _NAME_ABSENT, _INDICATOR = 0x01, 0x02, 0x04, 0x07, 0x08, 0x0B
_REASONS: Final = {"private": b"P", "unavailable": b"O"}
NUMBER_MOST: Final = 20
NAME_MOST: Final = 15
"""What GR-1188-CORE allows; European phones show as much."""


def message(caller: Caller) -> bytes:
    """The FSK message of a call: time, then number and name, or why there are none."""
    number = bytes(ord(key) for key in caller.number if key in "0123456789*#+")[:NUMBER_MOST]
    name = _plain(caller.name)[:NAME_MOST]
    parts = _part(_TIME, b"%02d%02d%02d%02d" % caller.local_time)
    reason = _REASONS.get(caller.absent, b"O")
    withheld = caller.absent == "private"
    parts += _part(_NUMBER, number) if number and not withheld else _part(_NUMBER_ABSENT, reason)
    if name and not withheld:
        parts += _part(_NAME, name)
    elif caller.absent:
        parts += _part(_NAME_ABSENT, reason)
    return bytes([CALL, len(parts)]) + parts


def waiting(on: bool) -> bytes:
    """The FSK message that lights or darkens the lamp for waiting messages (VMWI)."""
    parts = _part(_INDICATOR, b"\xff" if on else b"\x00")
    return bytes([WAITING, len(parts)]) + parts


def digits(caller: Caller, start: str = "A", stop: str = "C") -> str:
    """The keys of DTMF caller ID (EN 300 659-1 annex A): number, or a code for why there is none."""
    number = "".join(key for key in caller.number if key in "0123456789")[:NUMBER_MOST]
    if number and caller.absent != "private":
        return start + number + stop
    if stop == "#":
        return "D1#" if caller.absent == "private" else "D3#"
    return "B10C" if caller.absent == "private" else "B00C"


def parts(read: bytes) -> dict[int, bytes]:
    """The parameters of a message, by type. Raises ValueError when its lengths do not add up."""
    if len(read) < 2 or len(read) != 2 + read[1]:
        raise ValueError(f"a message of {len(read)} bytes that says {read[1:2].hex() or 'nothing'}")
    found: dict[int, bytes] = {}
    place = 2
    while place < len(read):
        end = place + 2 + (read[place + 1] if place + 1 < len(read) else len(read))
        if end > len(read):
            raise ValueError(f"the parameter at byte {place} is longer than its message")
        found[read[place]] = read[place + 2 : end]
        place = end
    return found


_LATIN: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "æ": "ae", "ø": "oe"}
    | {"å": "aa", "Æ": "Ae", "Ø": "Oe", "Å": "Aa", "ñ": "n", "Ñ": "N", "ł": "l", "Ł": "L"}
)


def _plain(text: str) -> bytes:
    """As displays of 7-bit characters can show it; a letter with an accent loses it."""
    bare = unicodedata.normalize("NFKD", text.translate(_LATIN))
    return bytes(ord(sign) for sign in bare if " " <= sign <= "~")


def _part(kind: int, text: bytes) -> bytes:
    return bytes([kind, len(text)]) + text
