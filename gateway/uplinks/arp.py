"""Door: ARP by packet sockets. Tells when another host uses an address of ours; defends nothing.

A claim is any ARP packet whose sender address is ours and whose hardware address is not (RFC 5227 §2.4). It
is asked about again every 10 s and forgotten after 25 s of silence.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Final

from gateway.uplinks.lent import PacketSockets
from gateway.uplinks.model import Address
from gateway.uplinks.packetsocket import ETH_P_ARP

PROBES: Final = 3  # PROBE_NUM, RFC 5227 §1.1
PROBE_INTERVAL_S: Final = 1.0  # PROBE_MIN
ASK_AGAIN_S: Final = 10.0
FORGET_S: Final = 25.0
OPEN_AGAIN_S: Final = 1.0

_ARPHRD_ETHER: Final = 1
_BROADCAST: Final = b"\xff" * 6
_PACKET: Final = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_NOBODY: Final = IPv4Address(0)


class _Wire:
    """One device's socket (None: not open yet), the addresses that it answers for, when each was last claimed
    by another, and what is to be announced as soon as there is a socket."""

    def __init__(self, ifindex: int) -> None:
        self.ifindex = ifindex
        self.socket: socket.socket | None = None
        self.addresses: frozenset[IPv4Address] = frozenset()
        self.claims: dict[IPv4Address, float] = {}
        self.timers: dict[IPv4Address, asyncio.TimerHandle] = {}
        self.owed: set[IPv4Address] = set()

    @property
    def hardware(self) -> bytes:
        """Our hardware address now; empty where the device is no Ethernet."""
        if self.socket is None:
            return b""
        with contextlib.suppress(OSError):
            _, _, _, kind, address = self.socket.getsockname()
            return bytes(address) if kind == _ARPHRD_ETHER else b""
        return b""


class Arp:
    """All configured devices; `run()` it in a task group, for sockets take time to come.

    `changed(device)` is called when `claimed(device)` has another answer.
    """

    def __init__(self, changed: Callable[[str], None], sockets: PacketSockets) -> None:
        self._changed = changed
        self._sockets = sockets
        self._wanted = asyncio.Event()
        self._wires: dict[str, _Wire] = {}

    async def run(self) -> None:
        """Open what is wanted, until cancelled."""
        while True:
            self._wanted.clear()
            for device, wire in list(self._wires.items()):
                if wire.socket is None:
                    await self._open(device, wire)
            missing = any(wire.socket is None for wire in self._wires.values())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OPEN_AGAIN_S if missing else None):
                    await self._wanted.wait()

    def follow(self, device: str, ifindex: int) -> None:
        """Listen on `device`; `ifindex` 0: it is down or gone."""
        wire = self._wires.get(device)
        if wire is not None and wire.ifindex == ifindex:
            return
        if wire is not None:
            self._leave(device)
        if ifindex:
            self._wires[device] = _Wire(ifindex)
            self._wanted.set()

    def guard(self, device: str, addresses: frozenset[Address]) -> None:
        """These IPv4 addresses are ours on `device`; new ones are asked about at once."""
        wire = self._wires.get(device)
        if wire is None:
            return
        mine = frozenset(a for a in addresses if isinstance(a, IPv4Address))
        wire.owed -= wire.addresses - mine
        fresh, wire.addresses = mine - wire.addresses, mine
        for address in [a for a in wire.timers if a not in mine]:
            wire.timers.pop(address).cancel()
            wire.claims.pop(address, None)
        for address in fresh:
            self._ask(device, address, PROBES)

    def claimed(self, device: str) -> frozenset[Address]:
        """Our addresses that another host on the wire claims."""
        wire = self._wires.get(device)
        return frozenset(wire.claims) if wire is not None else frozenset()

    def announce(self, device: str, address: Address) -> None:
        """Gratuitous ARP: neighbours that knew another hardware address learn ours (RFC 5227 §3)."""
        wire = self._wires.get(device)
        if wire is None or not isinstance(address, IPv4Address):
            return
        if wire.socket is None:
            wire.owed.add(address)
        else:
            self._send(device, sender=address, target=address)

    def close(self) -> None:
        """Leave all wires."""
        for device in list(self._wires):
            self._leave(device)

    async def _open(self, device: str, wire: _Wire) -> None:
        try:
            opened = await self._sockets.open("arp", device)
        except OSError:
            return
        if self._wires.get(device) is not wire:
            opened.close()
            return
        wire.socket = opened
        asyncio.get_running_loop().add_reader(opened, self._heard, device, wire, opened)
        for address in wire.addresses:
            self._ask(device, address, PROBES)
        for address in wire.owed:
            self._send(device, sender=address, target=address)
        wire.owed.clear()

    def _leave(self, device: str) -> None:
        wire = self._wires.pop(device)
        for timer in wire.timers.values():
            timer.cancel()
        if wire.socket is not None:
            asyncio.get_running_loop().remove_reader(wire.socket)
            wire.socket.close()

    def _ask(self, device: str, address: IPv4Address, times: int) -> None:
        """Send an ARP probe, now and `times` - 1 times more; then go on as long as somebody claims it."""
        wire = self._wires[device]
        loop = asyncio.get_running_loop()
        if address in wire.claims and loop.time() - wire.claims[address] > FORGET_S:
            del wire.claims[address]
            loop.call_soon(self._changed, device)
        if timer := wire.timers.pop(address, None):
            timer.cancel()
        self._send(device, sender=_NOBODY, target=address)
        if times > 1 or address in wire.claims:
            delay_s = PROBE_INTERVAL_S if times > 1 else ASK_AGAIN_S
            wire.timers[address] = loop.call_later(delay_s, self._ask, device, address, times - 1)

    def _send(self, device: str, *, sender: IPv4Address, target: IPv4Address) -> None:
        wire = self._wires.get(device)
        if wire is None or wire.socket is None or not (hardware := wire.hardware):
            return
        frame = _PACKET.pack(
            *(_BROADCAST, hardware, ETH_P_ARP, 1, 0x0800, 6, 4, 1),
            *(hardware, sender.packed, bytes(6), target.packed),
        )
        with contextlib.suppress(OSError):  # a dead wire has no neighbours to tell
            wire.socket.send(frame)

    def _heard(self, device: str, wire: _Wire, opened: socket.socket) -> None:
        for _ in range(64):
            try:
                frame = opened.recv(128)
            except OSError:
                return
            claim = _claim(frame)
            if claim is None:
                continue
            hardware, address = claim
            if address in wire.addresses and hardware != wire.hardware:
                self._note(device, wire, address)

    def _note(self, device: str, wire: _Wire, address: IPv4Address) -> None:
        loop = asyncio.get_running_loop()
        new = address not in wire.claims
        wire.claims[address] = loop.time()
        if new:
            if address not in wire.timers:
                wire.timers[address] = loop.call_later(ASK_AGAIN_S, self._ask, device, address, 1)
            self._changed(device)


def _claim(frame: bytes) -> tuple[bytes, IPv4Address] | None:
    """(hardware address, IPv4 address) that the sender of an ARP frame says are his; None: no such claim."""
    if len(frame) < _PACKET.size:
        return None
    _, _, ether, kind, protocol, length, size, _, hardware, sender, _, _ = _PACKET.unpack_from(frame)
    if (ether, kind, protocol, length, size) != (ETH_P_ARP, 1, 0x0800, 6, 4) or sender == bytes(4):
        return None
    return hardware, IPv4Address(sender)
