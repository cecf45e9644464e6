"""Exact RTP (RFC 3550, G.711): 20 ms frames carry their own number: lost audio is counted, not guessed.

A numbered frame is a sync word of 32 samples, then 16 bits, most significant first, eight samples each: four
of one sign, four of the other (Manchester), at about -12 dBm0. The sync word breaks the code (runs of 12), so
that a frame is found at any alignment. It survives decoding and coding again; nothing else looks like it.
"""

import struct
import wave
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PCMU: Final = 0
PCMA: Final = 8
FRAME_S: Final = 0.020
FRAME_SAMPLES: Final = 160
SILENCE: Final = {PCMA: b"\xd5" * FRAME_SAMPLES, PCMU: b"\xff" * FRAME_SAMPLES}
_LEVELS: Final = {PCMA: (b"\x85", b"\x05"), PCMU: (b"\xaf", b"\x2f")}
_SYNC: Final = b"11100010"
_SIGNS: Final = bytes(0x31 if byte & 0x80 else 0x30 for byte in range(256))
_HEARD: Final = struct.Struct("<d4sHBxIHHIi")


@dataclass(frozen=True, slots=True)
class Heard:
    """One RTP packet as the far end's kernel received it; Unix time in seconds.

    `number` is None if the payload is not a numbered frame.
    """

    at_s: float
    source: str
    port: int
    payload_type: int
    ssrc: int
    sequence: int
    size: int
    timestamp: int
    number: int | None


def frame(number: int, payload_type: int = PCMA) -> bytes:
    """The 160-byte payload that carries `number` modulo 65,536."""
    high, low = (level * 4 for level in _LEVELS[payload_type])
    bits = "".join("10" if number >> bit & 1 else "01" for bit in range(15, -1, -1))
    return b"".join(high if half == "1" else low for half in _SYNC.decode() + bits)


def number_of(payload: bytes) -> int | None:
    """The number in a G.711 payload of one frame, None if it carries none."""
    if len(payload) != FRAME_SAMPLES:
        return None
    signs = payload.translate(_SIGNS)[2::4]
    if not signs.startswith(_SYNC):
        return None
    value = int(signs[8::2], 2)
    return value if value ^ 0xFFFF == int(signs[9::2], 2) else None


def numbers_in(samples: "array[int]") -> list[tuple[int, int]]:
    """(sample offset, number) of every numbered frame in 8 kHz linear audio, wherever it is aligned."""
    found = []
    signs = bytes(0x80 if sample >= 0 else 0 for sample in samples)
    offset = 0
    while offset + FRAME_SAMPLES <= len(signs):
        number = number_of(signs[offset : offset + FRAME_SAMPLES])
        if number is None:
            offset += 1
            continue
        exact = frame(number)
        offset = min(range(offset, offset + 4), key=lambda at: _unlike(signs[at : at + FRAME_SAMPLES], exact))
        found.append((offset, number))
        offset += FRAME_SAMPLES
    return found


def _unlike(signs: bytes, payload: bytes) -> int:
    """In how many samples the signs differ; a missing one differs."""
    same = sum((a ^ b) & 0x80 == 0 for a, b in zip(signs, payload, strict=False))
    return len(payload) - same


def pack(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool = False
) -> bytes:
    """An RTP packet without CSRC or extension."""
    head = struct.pack(
        "!BBHII",
        0x80,
        payload_type | (0x80 if marker else 0),
        sequence & 0xFFFF,
        timestamp & 0xFFFFFFFF,
        ssrc,
    )
    return head + payload


def unpack(packet: bytes) -> tuple[int, int, int, int, bytes] | None:
    """(payload type, sequence, timestamp, ssrc, payload), None if it is no RTP version 2 packet."""
    if len(packet) < 12 or packet[0] >> 6 != 2:
        return None
    _, kind, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", packet)
    start = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if len(packet) < start + 4:
            return None
        start += 4 + 4 * struct.unpack_from("!H", packet, start + 2)[0]
    return kind & 0x7F, sequence, timestamp, ssrc, packet[start:]


def store(heard: Heard) -> bytes:
    """One record of a call's packet log."""
    source = bytes(int(part) for part in heard.source.split("."))
    number = -1 if heard.number is None else heard.number
    return _HEARD.pack(
        heard.at_s,
        source,
        heard.port,
        heard.payload_type,
        heard.ssrc,
        heard.sequence,
        heard.size,
        heard.timestamp,
        number,
    )


def load(path: Path) -> list[Heard]:
    """A call's packet log in order of arrival; a record cut short by a crash is left out."""
    data = path.read_bytes()
    whole = len(data) - len(data) % _HEARD.size
    found = []
    for at, source, port, kind, ssrc, sequence, size, timestamp, number in _HEARD.iter_unpack(data[:whole]):
        dotted = ".".join(map(str, source))
        found.append(
            Heard(at, dotted, port, kind, ssrc, sequence, size, timestamp, None if number < 0 else number)
        )
    return found


def gaps(times_s: Iterable[float], *, longer_than_s: float = 0.035) -> list[tuple[float, float]]:
    """(start, length in seconds) of every silence; length is what exceeds the 20 ms between two frames."""
    found = []
    last: float | None = None
    for at in times_s:
        if last is not None and at - last > longer_than_s:
            found.append((last, at - last - FRAME_S))
        last = at
    return found


def _expand(byte: int) -> int:
    """A-law to linear 16 bit (G.711 table 1a)."""
    byte ^= 0x55
    exponent, mantissa = byte >> 4 & 7, byte & 15
    value = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return value if byte & 0x80 else -value


def _expand_mu(byte: int) -> int:
    """µ-law to linear 16 bit (G.711 table 2a)."""
    byte = ~byte & 0xFF
    value = (((byte & 15) << 3) + 0x84 << (byte >> 4 & 7)) - 0x84
    return -value if byte & 0x80 else value


_LINEAR: Final = {
    PCMA: [_expand(byte) for byte in range(256)],
    PCMU: [_expand_mu(byte) for byte in range(256)],
}


def linear(payload_type: int, payload: bytes) -> "array[int] | None":
    """A G.711 payload as 16-bit samples; None for another codec."""
    table = _LINEAR.get(payload_type)
    return array("h", [table[byte] for byte in payload]) if table is not None else None


class Recorder:
    """A WAV of what was heard, on the clock of arrival: a hole in the stream is a hole in the file."""

    def __init__(self, path: Path) -> None:
        self._file = wave.open(str(path), "wb")  # noqa: SIM115  lives as long as the call
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(8000)
        self._start_s: float | None = None
        self._written = 0

    def add(self, at_s: float, payload_type: int, payload: bytes) -> None:
        """One packet; up to 60 ms of jitter do not tear the audio. Other codecs than G.711 are left out."""
        samples = linear(payload_type, payload)
        if samples is None:
            return
        if self._start_s is None:
            self._start_s = at_s
        due = int((at_s - self._start_s) * 8000)
        if due - self._written > 480:
            self._file.writeframesraw(bytes(2 * (due - self._written)))
            self._written = due
        self._file.writeframesraw(samples.tobytes())
        self._written += len(payload)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
