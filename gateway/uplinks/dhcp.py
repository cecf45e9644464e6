"""Door: sockets for DHCPv4. One client per device; it only reports, the netlink door sets the address.

No address is ours yet, so broadcasts go out by a packet socket under an IP header of our own, and all replies
come in by it (a filter in the kernel passes UDP to port 68 alone).
"""

import asyncio
import contextlib
import socket
import struct
import time
from ipaddress import IPv4Address
from random import SystemRandom
from typing import Any, Final

from gateway.inbox import Inbox
from gateway.uplinks.dhcpwords import CLIENT_PORT, SERVER_PORT, decode, encode
from gateway.uplinks.lease import Action, Client, Event, LinkDown, LinkUp, Tell
from gateway.uplinks.lent import PacketSockets
from gateway.uplinks.model import LeaseSeen
from gateway.uplinks.packetsocket import ETH_P_IP
from gateway.uplinks.sysfs import Carrier

LINK_POLL_S: Final = 0.5
_BROADCAST: Final = b"\xff" * 6
_BATCH: Final = 16


class Dhcp:
    """The DHCP client of `device`: `run()` it in a task group; it posts LeaseSeen to `inbox`.

    It follows the carrier itself, keeps its lease over a lost link, and releases nothing at its end: a
    restart asks for `remembered` first.
    """

    def __init__(
        self,
        inbox: Inbox[Any],
        device: str,
        remembered: IPv4Address | None = None,
        sockets: PacketSockets | None = None,
    ) -> None:
        self._inbox = inbox
        self._sockets = sockets or PacketSockets()
        self._device = device
        self._client = Client(device, SystemRandom(), remembered)
        self._carrier = Carrier(device)
        self._socket: socket.socket | None = None
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            while True:
                await self._look()
                if self._client.due is not None and self._client.due <= time.monotonic():
                    self._feed(None)
                self._wake.clear()
                due = self._client.due
                wait_s = LINK_POLL_S if due is None else min(LINK_POLL_S, max(0.0, due - time.monotonic()))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
        finally:
            self._leave()
            self._carrier.close()

    async def _look(self) -> None:
        """Follow the link: a socket stands exactly while there is a carrier."""
        carrier = bool(self._carrier.read())
        if carrier and self._socket is None:
            with contextlib.suppress(OSError):  # gone between two looks: again in a moment
                self._socket = await self._sockets.open("dhcp", self._device)
                asyncio.get_running_loop().add_reader(self._socket, self._readable)
                self._feed(LinkUp())
        elif not carrier and self._socket is not None:
            self._leave()
            self._feed(LinkDown())

    def _leave(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _feed(self, event: Event | None) -> None:
        for action in self._client.receive(event, time.monotonic()):
            self._perform(action)
        self._wake.set()

    def _perform(self, action: Action) -> None:
        match action:
            case LeaseSeen():
                self._inbox.post(action)
            case Tell():
                with contextlib.suppress(OSError):  # a lost message is asked again
                    self._tell(action)

    def _tell(self, tell: Tell) -> None:
        if self._socket is None:
            return
        message = encode(tell.query, self._hardware())
        if tell.to is None or tell.query.current is None:
            source = tell.query.current or IPv4Address(0)
            self._socket.sendto(_datagram(source, message), (self._device, ETH_P_IP, 0, 0, _BROADCAST))
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as unicast:
            unicast.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            unicast.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._device.encode())
            unicast.bind((str(tell.query.current), CLIENT_PORT))
            unicast.sendto(message, (str(tell.to), SERVER_PORT))

    def _hardware(self) -> bytes:
        assert self._socket is not None
        return bytes(self._socket.getsockname()[4])[:6].ljust(6, b"\0")

    def _readable(self) -> None:
        for _ in range(_BATCH):
            if self._socket is None:
                return
            try:
                packet = self._socket.recv(2048)
            except OSError:
                return
            message = _payload(packet)
            reply = decode(message, self._hardware()) if message is not None else None
            if reply is not None:
                self._feed(reply)


def _datagram(source: IPv4Address, message: bytes) -> bytes:
    """`message` under UDP (without checksum, RFC 768 allows it) and IP, to everybody on the wire."""
    udp = struct.pack("!HHHH", CLIENT_PORT, SERVER_PORT, 8 + len(message), 0) + message
    ends = source.packed + b"\xff" * 4
    head = struct.pack("!BBHHHBBH", 0x45, 0x10, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0) + ends
    total: int = sum(struct.unpack("!10H", head))
    total = (total >> 16) + (total & 0xFFFF)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return head[:10] + struct.pack("!H", checksum) + head[12:] + udp


def _payload(packet: bytes) -> bytes | None:
    """What UDP carries in an IPv4 packet."""
    if len(packet) < 28:
        return None
    start = (packet[0] & 0x0F) * 4 + 8
    return packet[start:] if start >= 28 else None
