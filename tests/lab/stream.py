"""One RTP stream of the exact far end: sends every 20 ms, logs each packet with the kernel's time stamp."""

import asyncio
import re
import secrets
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab import rtp

_SO_TIMESTAMPNS: Final = 35
_MIRROR: Final = {
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
    "sendrecv": "sendrecv",
}


@dataclass(frozen=True, slots=True)
class Sdp:
    """What one side offers or answers (RFC 4566). `event_type`: the payload type of telephone-event."""

    host: str
    port: int
    payload_type: int
    direction: str = "sendrecv"
    event_type: int | None = None

    def encode(self, version: int) -> str:
        """The body; `version` rises with each offer or answer of a dialog."""
        name = "PCMA" if self.payload_type == rtp.PCMA else "PCMU"
        kinds, lines = str(self.payload_type), [f"a=rtpmap:{self.payload_type} {name}/8000"]
        if self.event_type is not None:
            kinds += f" {self.event_type}"
            lines += [f"a=rtpmap:{self.event_type} telephone-event/8000", f"a=fmtp:{self.event_type} 0-15"]
        return "\r\n".join(
            [
                "v=0",
                f"o=- 1 {version} IN IP4 {self.host}",
                "s=-",
                f"c=IN IP4 {self.host}",
                "t=0 0",
                f"m=audio {self.port} RTP/AVP {kinds}",
                *lines,
                "a=ptime:20",
                f"a={self.direction}",
                "",
            ]
        )


def parse_sdp(body: str) -> Sdp | None:
    """The first audio stream with G.711; None if there is none."""
    media = re.search(r"^m=audio (\d+) RTP/S?AVPF? ([\d ]+)", body, re.M)
    host = re.findall(r"^c=IN IP[46] (\S+)", body, re.M)
    if not media or not host:
        return None
    kinds = [int(kind) for kind in media[2].split()]
    chosen = next((kind for kind in (rtp.PCMA, rtp.PCMU) if kind in kinds), None)
    if chosen is None:
        return None
    direction = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", body, re.M)
    event = re.search(r"^a=rtpmap:(\d+) telephone-event/8000", body, re.M)
    return Sdp(
        host[-1],
        int(media[1]),
        chosen,
        direction[1] if direction else "sendrecv",
        int(event[1]) if event else None,
    )


def mirror(direction: str) -> str:
    """The answer's direction to an offer's (RFC 3264 §6.1)."""
    return _MIRROR[direction]


class Stream:
    """Bound to `address`:an even port at once; sends when `peer` is known, `sending` is true and not paused.

    `source` is "numbers", "speech" (A-law bytes, looped) or "echo".
    """

    def __init__(self, address: str, log: Path, on_digit: Callable[[str], None]) -> None:
        self._socket = _even_port(address)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.address, self.port = self._socket.getsockname()
        self.peer: tuple[str, int] | None = None
        self.payload_type = rtp.PCMA
        self.event_type: int | None = None
        self.source, self.speech = "numbers", b""
        self.sending, self.paused = True, False
        self.sent = self.received = 0
        self.recorder: rtp.Recorder | None = None
        self._on_digit, self._last_event = on_digit, -1
        self._ssrc, self._sequence = secrets.randbits(32), secrets.randbits(15)
        self._log = log.open("ab", buffering=1 << 16)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._receive)
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin the 20 ms clock; may be called twice."""
        if self._timer is None:
            self._due_s = self._loop.time()
            self._tick()

    def continue_from(self, other: "Stream") -> None:
        """Go on with another stream's numbering (a dialog that replaces another)."""
        self.sent = other.sent
        self.source, self.speech = other.source, other.speech

    def _tick(self) -> None:
        self._due_s += rtp.FRAME_S
        self._timer = self._loop.call_at(self._due_s, self._tick)
        if self.source == "echo":
            return
        if self.source == "speech" and self.speech:
            at = self.sent * rtp.FRAME_SAMPLES % max(1, len(self.speech) - rtp.FRAME_SAMPLES)
            self.send(self.speech[at : at + rtp.FRAME_SAMPLES])
        else:
            self.send(rtp.frame(self.sent, self.payload_type))

    def send(self, payload: bytes) -> None:
        """One frame; while held or paused time goes on but nothing leaves."""
        number, self.sent = self.sent, self.sent + 1
        if self.peer is None or not self.sending or self.paused or self.peer[1] == 0:
            return
        packet = rtp.pack(self.payload_type, self._sequence, number * rtp.FRAME_SAMPLES, self._ssrc, payload)
        self._sequence += 1
        try:
            self._socket.sendto(packet, self.peer)
        except OSError:  # ICMP of an earlier packet, or a full queue: the network's affair
            return

    def _receive(self) -> None:
        for _ in range(32):
            try:
                packet, ancillary, _, source = self._socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            except OSError:
                continue
            parsed = rtp.unpack(packet)
            if parsed is None:
                continue
            kind, sequence, timestamp, ssrc, payload = parsed
            seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2][:16])
            at_s = seconds + nanoseconds / 1e9
            self.received += 1
            number = rtp.number_of(payload) if kind in (rtp.PCMA, rtp.PCMU) else None
            heard = rtp.Heard(
                at_s, source[0], source[1], kind, ssrc, sequence, len(payload), timestamp, number
            )
            self._log.write(rtp.store(heard))
            if kind == self.event_type:
                if len(payload) >= 4 and payload[1] & 0x80 and timestamp != self._last_event:
                    self._last_event = timestamp
                    self._on_digit("0123456789*#ABCD"[payload[0] & 15])
                continue
            if self.recorder is not None:
                self.recorder.add(at_s, kind, payload)
            if self.source == "echo":
                self.send(payload)

    def flush(self) -> None:
        """Make the log complete on disk."""
        self._log.flush()

    def close(self) -> None:
        """Stop; may be called twice."""
        if self._log.closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._log.close()
        if self.recorder is not None:
            self.recorder.close()


def _even_port(address: str) -> socket.socket:
    for _ in range(200):
        handle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            handle.bind((address, 40000 + 2 * secrets.randbelow(10000)))
        except OSError:
            handle.close()
            continue
        return handle
    raise OSError(f"no free RTP port on {address}")
