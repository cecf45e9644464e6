"""Door: libspandsp (LGPL), for DTMF and caller ID. Loaded as it is (ABI), no header and no compiler needed.

Its echo canceller must never be used: Debian's build prints a line for each sample. A receiver belongs to the
thread that made it. Samples are 16-bit, 8 kHz, mono.
"""

import ctypes
import math
from array import array
from ctypes import c_char, c_float, c_int, c_int16, c_uint8, c_void_p
from functools import cache
from typing import Final

from gateway.errors import DoorError
from gateway.phones.dtmf import (
    BLOCK,
    HIGH_HZ,
    LINGERS_BLOCKS,
    LOW_HZ,
    PAIR_LEAST_DBM0,
    RATE_HZ,
    Presses,
    ToneRemover,
    frequencies,
    pair,
)
from gateway.phones.fsk import Fsk
from gateway.phones.model import KEYS, Digit, DigitBegan, Tone
from gateway.phones.tones import FULL_SCALE_DBM0

SONAME: Final = "libspandsp.so.2"
TWIST_DB: Final = 8
"""Either group of frequencies may be so much louder for spandsp; the second judge allows more."""
THRESHOLD_DBM0: Final = -42

_STANDARDS: Final[dict[Fsk, int]] = {"class": 1, "etsi": 2}
NEAR_MOST: Final = 0.95
"""20 Hz beside a key's frequency there is less than at it; 0.6 of it where the tone is pure and exact."""
AGREES_S: Final = 0.05
AGAIN_S: Final = 0.1
"""A key that is held is told so often to have begun: nobody else may hear it while it sounds."""

_MessageHandler = ctypes.CFUNCTYPE(None, c_void_p, ctypes.POINTER(c_uint8), c_int)


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(SONAME)
    except OSError as error:
        raise DoorError(
            f"spandsp cannot be loaded: {error}",
            where=SONAME,
            remedy="Install libspandsp2 (Debian 12) or libspandsp2t64 (Debian 13)",
        ) from None
    for name, result, *arguments in _SIGNATURES:
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


_SIGNATURES: Final = (
    ("dtmf_rx_init", c_void_p, c_void_p, c_void_p, c_void_p),
    ("dtmf_rx", c_int, c_void_p, c_void_p, c_int),
    ("dtmf_rx_get", ctypes.c_size_t, c_void_p, c_void_p, c_int),
    ("dtmf_rx_status", c_int, c_void_p),
    ("dtmf_rx_parms", None, c_void_p, c_int, c_int, c_int, c_int),
    ("dtmf_rx_free", c_int, c_void_p),
    ("vec_dot_prodf", c_float, c_void_p, c_void_p, c_int),
    ("vec_mulf", None, c_void_p, c_void_p, c_void_p, c_int),
    ("dtmf_tx_init", c_void_p, c_void_p),
    ("dtmf_tx_put", c_int, c_void_p, ctypes.c_char_p, c_int),
    ("dtmf_tx", c_int, c_void_p, c_void_p, c_int),
    ("dtmf_tx_set_level", None, c_void_p, c_int, c_int),
    ("dtmf_tx_set_timing", None, c_void_p, c_int, c_int),
    ("dtmf_tx_free", c_int, c_void_p),
    ("adsi_rx_init", c_void_p, c_void_p, c_int, _MessageHandler, c_void_p),
    ("adsi_rx", c_int, c_void_p, c_void_p, c_int),
    ("adsi_rx_free", c_int, c_void_p),
)


def load() -> None:
    """Load the library now. Raises DoorError when it is missing, with the package to install."""
    _library()


@cache
def _remover(freqs_hz: tuple[float, ...]) -> ToneRemover:
    return ToneRemover(freqs_hz)


class _Pairs:
    """The second judge of DTMF: looks at 30 ms every 10 ms, and sees pairs with much twist and noise that
    spandsp's blocks of 12.75 ms miss. The sums are made in C."""

    HOP: Final = 80
    SIZE: Final = 240
    NEAR_HZ: Final = 20.0

    def __init__(self) -> None:
        self._lib = _library()
        self._samples = array("f", bytes(4 * self.SIZE))
        self._shaped = array("f", bytes(4 * self.SIZE))
        turn = 2 * math.pi / self.SIZE
        self._hann = array("f", (0.5 - 0.5 * math.cos(turn * (n + 0.5)) for n in range(self.SIZE)))
        self._waves = [self._wave(hz) for hz in (*LOW_HZ, *HIGH_HZ)]
        self._near = [
            [self._wave(hz + by) for by in (-self.NEAR_HZ, self.NEAR_HZ)] for hz in (*LOW_HZ, *HIGH_HZ)
        ]
        # The energy of a sine of this level through the window: the sum of Hann squared is 3/8 of its size.
        peak = 10 ** ((PAIR_LEAST_DBM0 - FULL_SCALE_DBM0) / 20) * 32767
        self._least = peak * peak / 2 * self.SIZE * 3 / 8

    def _wave(self, hz: float) -> "tuple[array[float], array[float]]":
        turn = 2 * math.pi * hz / RATE_HZ
        return (
            array("f", (math.sin(turn * n) for n in range(self.SIZE))),
            array("f", (math.cos(turn * n) for n in range(self.SIZE))),
        )

    def hop(self, samples: "array[int]") -> str:
        """The key that the last `SIZE` samples are, after these `HOP` new ones; empty: none."""
        self._samples = self._samples[self.HOP :] + array("f", samples)
        begin, thirds = self._samples.buffer_info()[0], []
        for place in range(begin, begin + 4 * self.SIZE, 4 * self.HOP):
            thirds.append(self._lib.vec_dot_prodf(place, place, self.HOP))
        if max(thirds) < self._least / 4:
            return ""
        shaped = self._shaped.buffer_info()[0]
        self._lib.vec_mulf(shaped, begin, self._hann.buffer_info()[0], self.SIZE)
        whole = self._lib.vec_dot_prodf(shaped, shaped, self.SIZE)
        powers = [self._power(wave) for wave in self._waves]
        found = pair(powers, whole, thirds, self._least)
        if found is None:
            return ""
        for place in (found.low, 4 + found.high):
            if any(self._power(wave) > NEAR_MOST * powers[place] for wave in self._near[place]):
                return ""  # between the keys: a voice, not a phone
        return found.key

    def _power(self, wave: "tuple[array[float], array[float]]") -> float:
        shaped = self._shaped.buffer_info()[0]
        sine, cosine = (self._lib.vec_dot_prodf(shaped, part.buffer_info()[0], self.SIZE) for part in wave)
        # A sine of peak A gives A/2 * SIZE/2 here, and has the energy A*A/2 * SIZE*3/8.
        return float(sine * sine + cosine * cosine) * 3 / self.SIZE


class DtmfReceiver:
    """Hears the digits of one phone. `feed` it all that the phone says while it is off the hook."""

    def __init__(self) -> None:
        self._lib = _library()
        self._state: int = self._lib.dtmf_rx_init(None, None, None)
        self._lib.dtmf_rx_parms(self._state, 1, TWIST_DB, TWIST_DB, THRESHOLD_DBM0)
        self._pairs = _Pairs()
        self._presses = Presses()
        self._wish: tuple[ToneRemover | None] | None = None
        self._remover: ToneRemover | None = None
        self._lingers = 0
        self._rest: array[int] = array("h")
        self._said_s = -1e9
        self._claim, self._claimed_s = "", -1e9
        self._digits = (c_char * 129)()

    def playing(self, tone: Tone | None) -> None:
        """What the box plays into this phone: the receiver is made deaf to it. None: nothing any more.

        Safe from another thread than the one that feeds. Not for ever: what is taken out of speech makes some
        of it look like digits (four in an hour).
        """
        self._wish = (None if tone is None else _remover(frequencies(tone)),)

    def _follow_wish(self) -> None:
        if self._wish is None:
            return
        (remover,), self._wish = self._wish, None
        if remover is not None:
            self._remover, self._lingers = remover, -1
        elif self._remover is not None and self._lingers < 0:
            self._lingers = LINGERS_BLOCKS

    def feed(self, samples: "array[int]", at_s: float) -> list[DigitBegan | Digit]:
        """What was dialled in these samples, the last of which was heard at `at_s`."""
        self._follow_wish()
        self._rest += samples
        heard: list[DigitBegan | Digit] = []
        while len(self._rest) >= BLOCK:
            block, self._rest = self._rest[:BLOCK], self._rest[BLOCK:]
            if self._remover is not None:
                block = self._remover.block(block)
                self._lingers -= self._lingers > 0
                if self._lingers == 0:
                    self._remover = None
            heard += self._block(block, at_s - len(self._rest) / RATE_HZ)
        return heard

    def _block(self, block: "array[int]", at_s: float) -> list[DigitBegan | Digit]:
        address, length = block.buffer_info()
        self._lib.dtmf_rx(self._state, address, length)
        status = chr(self._lib.dtmf_rx_status(self._state)).strip("\0")
        count = self._lib.dtmf_rx_get(self._state, self._digits, 128)
        certain = ""
        if count:  # in speech and noise spandsp alone errs: what it heard waits for a window that agrees
            self._claim, self._claimed_s = self._digits.raw[:count].decode("ascii")[-1], at_s
        elif status and status in KEYS:
            self._presses.goes_on(status, at_s)
        for place in range(0, BLOCK, _Pairs.HOP):
            key = self._pairs.hop(block[place : place + _Pairs.HOP])
            status = status or key
            agreed = key != "" and key == self._claim and at_s - self._claimed_s <= AGREES_S
            if self._presses.again(key) or agreed:
                certain += key
        heard: list[DigitBegan | Digit] = []
        for key in certain:
            if self._presses.sounds(key, at_s):
                heard.append(Digit(key, "dtmf", at_s))
        if not status:
            self._said_s = -1e9
        if (status or heard) and at_s - self._said_s >= AGAIN_S:
            self._said_s = at_s
            heard.insert(0, DigitBegan("dtmf", at_s))
        return heard

    def close(self) -> None:
        """Free it; a second time does nothing."""
        if self._state:
            self._lib.dtmf_rx_free(self._state)
            self._state = 0

    def __del__(self) -> None:
        self.close()


def dtmf(
    keys: str, on_ms: int = 70, off_ms: int = 70, level_dbm0: int = -10, twist_db: int = 0
) -> "array[int]":
    """Samples of these keys; `level_dbm0` is each low tone's, the high ones are `twist_db` louder."""
    library = _library()
    state = library.dtmf_tx_init(None)
    try:
        library.dtmf_tx_set_level(state, level_dbm0, twist_db)
        library.dtmf_tx_set_timing(state, on_ms, off_ms)
        if library.dtmf_tx_put(state, keys.encode("ascii"), len(keys)):
            raise DoorError(f"{len(keys)} keys are too many at once", where="DTMF", remedy="Send 120 at most")
        length = len(keys) * (on_ms + off_ms) * RATE_HZ // 1000
        return _drained(library.dtmf_tx, state, length)
    finally:
        library.dtmf_tx_free(state)


class FskReceiver:
    """Reads caller ID messages, as a phone does. For tests, and for lines of other exchanges."""

    def __init__(self, standard: Fsk) -> None:
        self._lib = _library()
        self._messages: list[bytes] = []
        self._handler = _MessageHandler(self._take)  # kept: the library holds no reference
        self._state: int = self._lib.adsi_rx_init(None, _STANDARDS[standard], self._handler, None)

    def _take(self, _user: int, message: "ctypes._Pointer[c_uint8]", length: int) -> None:
        self._messages.append(bytes(message[:length]))

    def feed(self, samples: "array[int]") -> list[bytes]:
        """Messages, without their checksums, that were complete in these samples."""
        address, length = samples.buffer_info()
        self._lib.adsi_rx(self._state, address, length)
        messages, self._messages = self._messages, []
        return messages

    def close(self) -> None:
        """Free it; a second time does nothing."""
        if self._state:
            self._lib.adsi_rx_free(self._state)
            self._state = 0

    def __del__(self) -> None:
        self.close()


def _drained(generate: "ctypes._NamedFuncPointer", state: int, most: int) -> "array[int]":
    buffer = (c_int16 * most)()
    return array("h", buffer[: generate(state, buffer, most)])
