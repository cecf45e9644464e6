"""Debian's libtonezone2.0 (its compiled table of zones), to compare with. For tests alone."""

import ctypes
from typing import Final

USES: Final = {"dial": 0, "busy": 1, "ringback": 2, "congestion": 3, "waiting": 4}
"""DAHDI_TONE_* of dahdi/user.h. Stutter is left out: most zones repeat the American one there."""


class _Sound(ctypes.Structure):
    _fields_ = [("use", ctypes.c_int), ("data", ctypes.c_char * 256)]


class _Zone(ctypes.Structure):
    _fields_ = [
        ("number", ctypes.c_int),
        ("country", ctypes.c_char * 10),
        ("description", ctypes.c_char * 40),
        ("ring", ctypes.c_int * 16),
        ("sounds", _Sound * 16),
    ]


def zone(country: str) -> tuple[dict[str, str], tuple[int, ...]] | None:
    """(the tones by use, in the library's notation; the ring cadence), or None without such a zone.

    Raises OSError when the library is not installed.
    """
    library = ctypes.CDLL("libtonezone.so.2")
    library.tone_zone_find.restype = ctypes.POINTER(_Zone)
    found = library.tone_zone_find({"GB": "uk"}.get(country, country.lower()).encode())
    if not found:
        return None
    sounds = {sound.use: sound.data.decode() for sound in found.contents.sounds if sound.data}
    ring = tuple(ms for ms in found.contents.ring if ms)
    return {name: sounds[use] for name, use in USES.items() if use in sounds}, ring


def round_of(sounds: str) -> tuple[tuple[tuple[float, ...], float, int, int], ...]:
    """One round of a tone: (frequencies, modulated by, on ms, off ms). `350+440/500,0/250` and its like."""
    parts: list[tuple[tuple[float, ...], float, int, int]] = []
    for part in sounds.replace("!", "").replace("@", "").split(","):
        shape, _, ms = part.partition("/")
        lasts = int(ms or 0)
        base, _, am = shape.partition("*")
        freqs = tuple(float(hz) for hz in base.split("+") if float(hz))
        if freqs:
            parts.append((freqs, float(am or 0), lasts, 0))
        elif parts:
            parts[-1] = (*parts[-1][:3], lasts)
    return tuple(parts)
