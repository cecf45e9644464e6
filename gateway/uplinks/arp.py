"""Door: AF_PACKET sockets for ARP. Tells when another host uses an address of ours; defends nothing.

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

from gateway.uplinks.model import Address

PROBES: Final = 3  # PROBE_NUM, RFC 5227 §1.1
PROBE_INTERVAL_S: Final = 1.0  # PROBE_MIN
ASK_AGAIN_S: Final = 10.0
FORGET_S: Final = 25.0

_ETH_P_ARP: Final = 0x0806
_ARPHRD_ETHER: Final = 1
_BROADCAST: Final = b"\xff" * 6
_PACKET: Final = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_NOBODY: Final = IPv4Address(0)


class _Wire:
    """One device's socket, the addresses that it answers for, and when each was last claimed by another."""

    def __init__(self, name: str, ifindex: int) -> None:
        self.ifindex = ifindex
        self.addresses: frozenset[IPv4Address] = frozenset()
        self.claims: dict[IPv4Address, float] = {}
        self.timers: dict[IPv4Address, asyncio.TimerHandle] = {}
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK)
        try:
            self.socket.bind((name, _ETH_P_ARP))
        except OSError:
            self.socket.close()
            raise

    @property
    def hardware(self) -> bytes:
        """Our hardware address now; empty where the device is no Ethernet."""
        with contextlib.suppress(OSError):
            _, _, _, kind, address = self.socket.getsockname()
            return bytes(address) if kind == _ARPHRD_ETHER else b""
        return b""


class Arp:
    """All configured devices. `changed(device)` is called when `claimed(device)` has another answer."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._wires: dict[str, _Wire] = {}

    def follow(self, device: str, ifindex: int) -> None:
        """Listen on `device`; `ifindex` 0: it is down or gone."""
        wire = self._wires.get(device)
        if wire is not None and wire.ifindex == ifindex:
            return
        if wire is not None:
            self._leave(device)
        if ifindex:
            with contextlib.suppress(OSError):  # gone again: its next link event brings us back
                wire = self._wires[device] = _Wire(device, ifindex)
                asyncio.get_running_loop().add_reader(wire.socket, self._heard, device)

    def guard(self, device: str, addresses: frozenset[Address]) -> None:
        """These IPv4 addresses are ours on `device`; new ones are asked about at once."""
        wire = self._wires.get(device)
        if wire is None:
            return
        mine = frozenset(a for a in addresses if isinstance(a, IPv4Address))
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
        if isinstance(address, IPv4Address):
            self._send(device, sender=address, target=address)

    def close(self) -> None:
        """Leave all wires."""
        for device in list(self._wires):
            self._leave(device)

    def _leave(self, device: str) -> None:
        wire = self._wires.pop(device)
        asyncio.get_running_loop().remove_reader(wire.socket)
        for timer in wire.timers.values():
            timer.cancel()
        wire.socket.close()

    def _ask(self, device: str, address: IPv4Address, times: int) -> None:
        """Send an ARP probe, now and `times` - 1 times more; then go on as long as somebody claims it."""
        wire = self._wires[device]
        loop = asyncio.get_running_loop()
        if address in wire.claims and loop.time() - wire.claims[address] > FORGET_S:
            del wire.claims[address]
            loop.call_soon(self._changed, device)
        wire.timers.pop(address, None)
        self._send(device, sender=_NOBODY, target=address)
        if times > 1 or address in wire.claims:
            delay_s = PROBE_INTERVAL_S if times > 1 else ASK_AGAIN_S
            wire.timers[address] = loop.call_later(delay_s, self._ask, device, address, times - 1)

    def _send(self, device: str, *, sender: IPv4Address, target: IPv4Address) -> None:
        wire = self._wires.get(device)
        if wire is None or not (hardware := wire.hardware):
            return
        frame = _PACKET.pack(
            *(_BROADCAST, hardware, _ETH_P_ARP, 1, 0x0800, 6, 4, 1),
            *(hardware, sender.packed, bytes(6), target.packed),
        )
        with contextlib.suppress(OSError):  # a dead wire has no neighbours to tell
            wire.socket.send(frame)

    def _heard(self, device: str) -> None:
        wire = self._wires[device]
        for _ in range(64):
            try:
                frame = wire.socket.recv(128)
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
    if (ether, kind, protocol, length, size) != (_ETH_P_ARP, 1, 0x0800, 6, 4) or sender == bytes(4):
        return None
    return hardware, IPv4Address(sender)
