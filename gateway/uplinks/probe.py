"""Door: probe sockets. Each is bound to one uplink's address and device and bears its probe mark.

So a probe leaves by its own uplink or not at all, whatever the routes of the moment say. Answers, late ones
too, are posted when they come, or gathered where nobody is in a hurry; what nobody asked for is counted.
"""

import asyncio
import errno
import itertools
import math
import os
import secrets
import socket
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from gateway.inbox import Inbox
from gateway.uplinks import packets
from gateway.uplinks.model import Address, Gathered, ProbeAnswered, ProbeRefused, SendProbe, UplinkPath
from gateway.uplinks.routes import probe_mark

REMEMBERED: Final = 256
"""Probes of one socket that may still be answered; at the fastest pace about a minute's."""
LONGEST_UNREAD_S: Final = 2.0
"""The loop turns at least every second: what seems to have lain for longer has met a clock that was set."""
_BATCH: Final = 32
_SO_TIMESTAMPNS: Final = 35
_ICMP_FILTER: Final = 1
_SOL_RAW: Final = 255
_ICMPV6_FILTER: Final = 1
_PASSING: Final = (errno.EPERM, errno.EAGAIN, errno.ENOBUFS)
"""The guard said no, or a queue was full: the socket itself is sound."""


@dataclass(frozen=True, slots=True)
class _Sent:
    probe: SendProbe
    host: str
    at_s: float


class _Place:
    """One socket: an uplink's address, for echoes or for datagrams (SIP and STUN)."""

    def __init__(self, path: UplinkPath, echo: bool) -> None:
        self.version = path.address.version
        self.echo = echo
        self.identifier = secrets.randbelow(0x10000)
        self.sent: OrderedDict[bytes, _Sent] = OrderedDict()
        self.sent_s = -math.inf
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        kind = socket.SOCK_RAW if echo else socket.SOCK_DGRAM
        protocol = (socket.IPPROTO_ICMP if self.version == 4 else socket.IPPROTO_ICMPV6) if echo else 0
        self.socket = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, probe_mark(path.index))
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, path.device.encode())
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if echo:
                self._hear_replies_only()
            self.socket.bind((str(path.address), 0))
        except OSError:
            self.socket.close()
            raise
        self.local, self.local_port = path.address, int(self.socket.getsockname()[1])

    def _hear_replies_only(self) -> None:
        """Keep other ICMP from waking us (icmp(7): the mask blocks; ICMPv6, RFC 3542 §3.2: likewise)."""
        if self.version == 4:
            self.socket.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("I", ~(1 << 0) & 0xFFFFFFFF))
            return
        blocked = [0xFFFFFFFF] * 8
        blocked[129 >> 5] &= ~(1 << (129 & 31))
        self.socket.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, struct.pack("8I", *blocked))


_Key = tuple[str, str, Address, int, bool]


class Prober:
    """All probes of all uplinks. Use it on the loop that reads `inbox`.

    `ignored` counts packets that came to our sockets and answered nothing that we asked.
    """

    def __init__(self, inbox: Inbox[Any]) -> None:
        self._inbox = inbox
        self._places: dict[_Key, _Place] = {}
        self._sequence = itertools.count(1)
        self._relaxed = False
        self.ignored = 0

    def send(self, probe: SendProbe, path: UplinkPath, target: Address, port: int = 0) -> None:
        """Send `probe` out of `path` to `target`; `port` for SIP and STUN.

        Posts ProbeAnswered when it comes back, or at once ProbeRefused with the kernel's words.
        """
        try:
            place = self._place(path, echo=probe.kind == "icmp")
            token = os.urandom(packets.TOKEN_BYTES)
            packet = self._packet(probe, place, target, port, token)
            place.sent_s = time.monotonic()
            place.sent[token] = _Sent(probe, str(target), place.sent_s)
            while len(place.sent) > REMEMBERED:
                place.sent.popitem(last=False)
            place.socket.sendto(packet, (place.sent[token].host, 0 if place.echo else port))
        except OSError as error:
            if error.errno not in _PASSING:
                # The socket may hang on a device that is gone, though its like is back: a new one, then.
                self._forget(path, echo=probe.kind == "icmp")
            why = error.strerror or str(error)
            self._inbox.post(ProbeRefused(probe.uplink, probe.kind, probe.target, probe.sequence, why))

    def relax(self, on: bool) -> None:
        """While on, answers wake nobody: the kernel keeps them, with their time, until `gather`."""
        if on == self._relaxed:
            return
        self._relaxed = on
        loop = asyncio.get_running_loop()
        for key, place in self._places.items():
            if on:
                loop.remove_reader(place.socket)
            else:
                loop.add_reader(place.socket, self._readable, key)

    def gather(self) -> list[Gathered]:
        """All answers that lie in the sockets, by uplink."""
        found: dict[str, list[ProbeAnswered]] = {}
        asked_s = time.monotonic() - LONGEST_UNREAD_S
        for key, place in list(self._places.items()):
            if place.sent and place.sent_s > asked_s and (answers := self._read_all(key)):
                found.setdefault(key[0], []).extend(answers)
        return [Gathered(uplink, tuple(answers)) for uplink, answers in found.items()]

    def forget(self, uplink: str) -> None:
        """Close the sockets of `uplink`; answers under way are lost."""
        for key in [k for k in self._places if k[0] == uplink]:
            self._close(key)

    def close(self) -> None:
        """Close all sockets."""
        for key in list(self._places):
            self._close(key)

    def _place(self, path: UplinkPath, *, echo: bool) -> _Place:
        key = (path.name, path.device, path.address, path.index, echo)
        place = self._places.get(key)
        if place is None:
            # An uplink has one socket of a kind in each family: an old address leaves none behind.
            self._forget(path, echo=echo)
            place = self._places[key] = _Place(path, echo)
            if not self._relaxed:
                asyncio.get_running_loop().add_reader(place.socket, self._readable, key)
        return place

    def _forget(self, path: UplinkPath, *, echo: bool) -> None:
        version = path.address.version
        for key in [k for k in self._places if (k[0], k[2].version, k[4]) == (path.name, version, echo)]:
            self._close(key)

    def _packet(self, probe: SendProbe, place: _Place, target: Address, port: int, token: bytes) -> bytes:
        match probe.kind:
            case "icmp":
                return packets.echo_request(place.version, place.identifier, next(self._sequence), token)
            case "options":
                return packets.options_request(target, port, place.local, place.local_port, token)
            case "stun":
                return packets.binding_request(token)

    def _close(self, key: _Key) -> None:
        place = self._places.pop(key)
        asyncio.get_running_loop().remove_reader(place.socket)
        place.socket.close()

    def _readable(self, key: _Key) -> None:
        for answered in self._read_all(key):
            self._inbox.post(answered)

    def _read_all(self, key: _Key) -> list[ProbeAnswered]:
        place = self._places[key]
        found: list[ProbeAnswered] = []
        for _ in range(_BATCH):
            try:
                packet, ancillary, _, source = place.socket.recvmsg(packets.MAX_BYTES, 64)
            except BlockingIOError:
                break
            except OSError:
                # The device went. Its next probe makes a new socket, or is refused with a reason.
                self._close(key)
                break
            answered = self._answered(place, packet, str(source[0]), _unread_s(ancillary))
            if answered is None:
                self.ignored += 1
            else:
                found.append(answered)
        return found

    def _answered(self, place: _Place, packet: bytes, source: str, unread_s: float) -> ProbeAnswered | None:
        answer = self._read(place, packet)
        sent = place.sent.get(answer.token) if answer is not None else None
        if answer is None or sent is None or sent.host != source.partition("%")[0]:
            return None
        if (answer.sip_code is not None) != (sent.probe.kind == "options"):
            return None
        del place.sent[answer.token]
        return ProbeAnswered(
            uplink=sent.probe.uplink,
            kind=sent.probe.kind,
            target=sent.probe.target,
            sequence=sent.probe.sequence,
            rtt_s=max(0.0, time.monotonic() - unread_s - sent.at_s),
            observed=answer.observed,
            sip_code=answer.sip_code,
            unread_s=unread_s,
        )

    def _read(self, place: _Place, packet: bytes) -> packets.Answer | None:
        if place.echo:
            return packets.read_echo(place.version, packet, place.identifier)
        return packets.read_options(packet) if packet.startswith(b"SIP/") else packets.read_binding(packet)


def _unread_s(ancillary: list[tuple[int, int, bytes]]) -> float:
    """How long a packet lay in the kernel (SO_TIMESTAMPNS); 0 where that is unknown or the clock was set."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) == 16:
            seconds, nanoseconds = struct.unpack("qq", data)
            unread_s = time.time() - (seconds + nanoseconds * 1e-9)
            return unread_s if 0 <= unread_s < LONGEST_UNREAD_S else 0.0
    return 0.0
