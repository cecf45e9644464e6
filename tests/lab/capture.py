"""Traffic as it was on the wire of a namespace: tcpdump writes it, a reader of our own reads it."""

import ipaddress
import json
import os
import select
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.lab.netns import LabError, Site

_MAGIC_MICRO: Final = 0xA1B2C3D4
_MAGIC_NANO: Final = 0xA1B23C4D
_SLL2: Final = 276
_OUTGOING: Final = 4
_IPV4: Final = 0x0800
_IPV6: Final = 0x86DD
_ARP: Final = 0x0806
_PROTOCOLS: Final = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}
_SIP_WORDS: Final = tuple(
    f"{word} ".encode()
    for word in (
        *("SIP/2.0", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "UPDATE", "INFO", "PRACK"),
        *("REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE"),
    )
)


@dataclass(frozen=True, slots=True)
class RtpHead:
    """What an RTP header says (RFC 3550 §5.1)."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet at one device; Unix time in seconds. `payload` may be cut short, `size` is whole.

    `sip` is the first line of a SIP message or empty; `rtp` is None for everything else than RTP.
    """

    at_s: float
    device: str
    outgoing: bool
    source: str
    destination: str
    protocol: str
    source_port: int = 0
    destination_port: int = 0
    size: int = 0
    payload: bytes = b""
    sip: str = ""
    rtp: RtpHead | None = None

    @property
    def call_id(self) -> str:
        """The Call-ID of a SIP message, empty without one (or cut off)."""
        for line in self.payload.split(b"\r\n") if self.sip else ():
            name, _, value = line.partition(b":")
            if name.strip().lower() in (b"call-id", b"i"):
                return value.strip().decode(errors="replace")
        return ""


class Capture:
    """tcpdump on every device of a namespace, from construction on. Use as a context manager, or stop() it.

    `expression` is pcap-filter syntax. Raises LabError if tcpdump does not start.
    """

    def __init__(
        self, site: Site, name: str, path: Path, *, expression: str = "", length: int = 1024
    ) -> None:
        self.path = path
        self._site, self._name = site, name
        argv = ["tcpdump", "-i", "any", "-n", "-U", "--immediate-mode", "-B", "16384", "-s", str(length)]
        self._child: subprocess.Popen[bytes] = site.popen(
            name, [*argv, "-Z", "root", "-w", str(path), *expression.split()], stderr=subprocess.PIPE
        )
        self._devices: dict[int, str] = {}
        assert self._child.stderr is not None
        said = b""
        while b"listening on" not in said:
            ready, _, _ = select.select([self._child.stderr], [], [], 5)
            # not readline: a line that it has buffered already would be waited for in vain
            more = os.read(self._child.stderr.fileno(), 4096) if ready else b""
            said += more
            if not more:
                raise LabError(f"tcpdump in {name}: {said.decode(errors='replace').strip()}")
        self._learn_devices()

    def __enter__(self) -> "Capture":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _learn_devices(self) -> None:
        listed: list[dict[str, Any]] = json.loads(self._site.run(["ip", "-j", "link"], name=self._name))
        self._devices |= {link["ifindex"]: link["ifname"] for link in listed}

    def stop(self) -> None:
        """End the capture and complete its file; may be called twice."""
        if self._child.poll() is None:
            self._learn_devices()
            time.sleep(0.02)  # what the kernel has just handed over still has to be written
            self._site.stop(self._child)

    def packets(self) -> list[Packet]:
        """Every packet so far, in order. May be asked while the capture runs."""
        if self._child.poll() is None:
            self._learn_devices()
        return list(read(self.path, self._devices))


def read(path: Path, devices: dict[int, str] | None = None) -> Iterator[Packet]:
    """The packets of a pcap file of link type LINUX_SLL2, but for a last one cut short. Raises LabError."""
    data = path.read_bytes()
    if len(data) < 24:
        return
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    if magic not in (_MAGIC_MICRO, _MAGIC_NANO) or link != _SLL2:
        raise LabError(f"{path}: no pcap of link type LINUX_SLL2 (magic {magic:#x}, link type {link})")
    unit = 1e-9 if magic == _MAGIC_NANO else 1e-6
    names = devices or {}
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, captured, original = struct.unpack_from("<IIII", data, at)
        at += 16
        if at + captured > len(data):
            return
        kind, _, index, _, direction = struct.unpack_from("!HHIHB", data, at)
        head = (seconds + fraction * unit, names.get(index, str(index)), direction == _OUTGOING)
        packet = _network(kind, data[at + 20 : at + captured], head, original - 20)
        if packet is not None:
            yield packet
        at += captured


def _network(kind: int, data: bytes, head: tuple[float, str, bool], size: int) -> Packet | None:
    if kind == _IPV4 and len(data) >= 20:
        start, number = (data[0] & 15) * 4, data[9]
        source, destination = (str(ipaddress.IPv4Address(data[i : i + 4])) for i in (12, 16))
        first = not struct.unpack_from("!H", data, 6)[0] & 0x1FFF
    elif kind == _IPV6 and len(data) >= 40:
        start, number, first = 40, data[6], True
        source, destination = (str(ipaddress.IPv6Address(data[i : i + 16])) for i in (8, 24))
    elif kind == _ARP and len(data) >= 28:
        source, destination = (str(ipaddress.IPv4Address(data[i : i + 4])) for i in (14, 24))
        return Packet(*head, source, destination, "arp", size=size, payload=data)
    else:
        return None
    protocol = _PROTOCOLS.get(number, str(number))
    rest = data[start:]
    if protocol not in ("udp", "tcp") or not first or len(rest) < 8:
        return Packet(*head, source, destination, protocol, size=size, payload=rest)
    source_port, destination_port = struct.unpack_from("!HH", rest)
    body = rest[8:] if protocol == "udp" else rest[(rest[12] >> 4) * 4 :] if len(rest) > 12 else b""
    line = body.split(b"\r\n", 1)[0].decode(errors="replace") if body.startswith(_SIP_WORDS) else ""
    media = _rtp(body) if protocol == "udp" and not line else None
    ports = int(source_port), int(destination_port)
    return Packet(*head, source, destination, protocol, *ports, size=size, payload=body, sip=line, rtp=media)


def _rtp(body: bytes) -> RtpHead | None:
    """RTP and not RTCP (RFC 5761 §4), STUN or DNS: version 2, a payload type that audio uses."""
    if len(body) < 12 or body[0] >> 6 != 2 or 64 <= body[1] & 0x7F <= 95 or body[1] & 0x7F in range(35, 64):
        return None
    _, kind, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", body)
    return RtpHead(kind & 0x7F, sequence, timestamp, ssrc)
