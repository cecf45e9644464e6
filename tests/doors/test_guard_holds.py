"""Law 2 in a real kernel: whatever happens to links, addresses and routes, and however wrongly a socket is
bound, the provider never sees a packet of a pair of device and address that is not admitted."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import pytest

from gateway.errors import DoorError
from gateway.inbox import Inbox
from gateway.uplinks.guard import boot, contents
from gateway.uplinks.model import Address, KernelPlan, UplinkPath
from gateway.uplinks.netlink import Kernel
from gateway.uplinks.nft import Nft
from gateway.uplinks.routes import desired, diff, flow_mark, probe_mark
from tests.netns import Net, Space

pytestmark = pytest.mark.root

EVENTS = 300
INDEXES = (1, 2, 3)
PROVIDERS = {4: ip_address("192.0.2.10"), 6: ip_address("2001:db8:f::10")}
PORT, PROBE_PORT = 5060, 9001
"""Probes go to a port of their own, so that the capture tells them from calls."""
Pair = tuple[str, Address]


def address(index: int, version: int) -> Address:
    """The box's address on uplink `index`."""
    return ip_address(f"10.0.{index}.2" if version == 4 else f"2001:db8:{index}::2")


def interface(index: int, version: int) -> str:
    """The same with its prefix length."""
    return f"{address(index, version)}/{24 if version == 4 else 64}"


def plan_of(admitted: set[int], trunk: int | None) -> KernelPlan:
    """All three uplinks, both families, `admitted` of them for the trunk."""
    return KernelPlan(
        paths=tuple(
            UplinkPath(
                index,
                f"u{index}",
                f"w{index}",
                address(index, version),
                ip_network(interface(index, version), strict=False),
                ip_address(f"10.0.{index}.1" if version == 4 else f"2001:db8:{index}::1"),
                index in admitted,
            )
            for index in INDEXES
            for version in (4, 6)
        ),
        providers=(ip_network("192.0.2.0/28"), ip_network("2001:db8:f::/64")),
        trunk=trunk,
        internet=INDEXES,
        lan=("lan0",),
    )


@dataclass
class World:
    """The box, what stands behind its three uplinks, and a host of the office."""

    box: Space
    far: Space
    office: Space
    capture: list[tuple[str, socket.socket]] = field(default_factory=list)

    def arrivals(self) -> set[tuple[str, Address, int, int]]:
        """(device of the box, source, port, epoch) of the UDP packets that came for the provider."""
        found = set()
        for device, wire in self.capture:
            while True:
                try:
                    packet, where = wire.recvfrom(2048)
                except BlockingIOError:
                    break
                except OSError:  # told once that the device went down; what came before is still there
                    continue
                if where[2] != socket.PACKET_OUTGOING and (seen := udp(packet)):
                    found.add((device, *seen))
        return found


def udp(packet: bytes) -> tuple[Address, int, int] | None:
    """(source, destination port, epoch that the payload tells) of a UDP packet to the provider."""
    if packet[0] >> 4 == 4:
        if packet[9] != 17 or packet[16:20] != PROVIDERS[4].packed:
            return None
        port, epoch = struct.unpack_from("!H4xI", packet, 22)
        return IPv4Address(packet[12:16]), int(port), int(epoch)
    if packet[6] != 17 or packet[24:40] != PROVIDERS[6].packed:
        return None
    port, epoch = struct.unpack_from("!H4xI", packet, 42)
    return IPv6Address(packet[8:24]), int(port), int(epoch)


@contextlib.contextmanager
def made_world() -> Iterator[World]:
    """Three uplinks to one far end that owns the provider's addresses; an office behind lan0."""
    with Net() as net:
        made = World(net.space("box"), net.space("far"), net.space("lan"))
        for index in INDEXES:
            net.wire(made.box, f"w{index}", made.far, f"i{index}")
            for version in (4, 6):
                extra = ("nodad",) if version == 6 else ()
                made.box.ip("addr", "add", interface(index, version), "dev", f"w{index}", *extra)
                router = f"10.0.{index}.1/24" if version == 4 else f"2001:db8:{index}::1/64"
                made.far.ip("addr", "add", router, "dev", f"i{index}", *extra)
        made.far.ip("addr", "add", "192.0.2.10/32", "dev", "lo")
        made.far.ip("addr", "add", "2001:db8:f::10/128", "dev", "lo", "nodad")
        net.wire(made.box, "lan0", made.office, "eth0")
        made.box.ip("addr", "add", "192.168.50.1/24", "dev", "lan0")
        made.office.ip("addr", "add", "192.168.50.10/24", "dev", "eth0")
        made.office.ip("route", "add", "default", "via", "192.168.50.1")
        for index in INDEXES:

            def listen(device: str = f"i{index}") -> socket.socket:
                wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0x0300)
                wire.bind((device, 3))
                return wire

            made.capture.append((f"w{index}", made.far.call(listen)))
        yield made
        for _, wire in made.capture:
            wire.close()


@pytest.fixture
def world() -> Iterator[World]:
    """The world for one test."""
    with made_world() as made:
        yield made


class Sender:
    """One UDP socket that sends to the provider, bound in one of all the wrong (and right) ways."""

    def __init__(
        self, version: int, *, source: Address | None = None, device: str = "", mark: int = 0, port: int = 0
    ) -> None:
        self.version, self.mark = version, mark
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        level, freebind = (socket.IPPROTO_IP, 15) if version == 4 else (socket.IPPROTO_IPV6, 78)
        self.socket.setsockopt(level, freebind, 1)
        if mark:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        if device:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        if source or port:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.socket.bind((str(source) if source else "", port))

    def fire(self, payload: bytes) -> None:
        """One packet."""
        probing = self.mark & 0xFF80 == probe_mark(0)
        with contextlib.suppress(OSError):
            self.socket.sendto(payload, (str(PROVIDERS[self.version]), PROBE_PORT if probing else PORT))


class Forger:
    """A raw socket that writes its own IPv4 source (IP_HDRINCL)."""

    def __init__(self, source: Address, device: str) -> None:
        self.source = source
        self.socket = socket.socket(
            socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW
        )
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())

    def fire(self, payload: bytes) -> None:
        """One forged packet."""
        datagram = struct.pack("!HHHH", 5060, PORT, 8 + len(payload), 0) + payload
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0)
        with contextlib.suppress(OSError):
            packet = header + self.source.packed + PROVIDERS[4].packed + datagram
            self.socket.sendto(packet, (str(PROVIDERS[4]), 0))


def senders() -> list[Sender | Forger]:
    """Every binding that a program could have, sensible or not."""
    made: list[Sender | Forger] = []
    for version in (4, 6):
        made.append(Sender(version))
        made.append(Sender(version, port=5060))
        for index in INDEXES:
            device = f"w{index}"
            made.append(Sender(version, device=device))
            made.append(Sender(version, source=address(index, version)))
            made.append(Sender(version, source=address(index, version), port=5060))
            made.append(Sender(version, mark=flow_mark(index)))
            made.append(Sender(version, mark=probe_mark(index)))
            for other in INDEXES:
                made.append(Sender(version, source=address(other, version), device=device))
                made.append(
                    Sender(version, source=address(other, version), device=device, mark=probe_mark(index))
                )
                if version == 4:
                    made.append(Forger(address(other, 4), device))
    made.append(Sender(4, source=ip_address("192.168.50.1")))
    return made


class Play:
    """The run: one random event after the other, all senders firing in between, each capture judged."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.admitted: set[int] = set()
        self.plan = plan_of(set(), None)
        self.senders: list[Any] = []
        self.epochs: list[set[Pair]] = [set()]
        self.good = 0
        self.bad: list[tuple[int, str, Address, int]] = []

    async def run(self, events: int, *, guarded: bool = True) -> None:
        inbox: Inbox[Any] = Inbox()
        kernel = Kernel(inbox, ("w1", "w2", "w3"), ("lan0",))
        packet_filter = Nft() if guarded else None
        if packet_filter is not None:
            packet_filter.load(boot(self.plan.providers))
        await kernel.open()
        watching = asyncio.create_task(kernel.run())
        self.senders = senders()
        office = self.world.office.call(lambda: Sender(4, port=7000))  # one connection, always the same
        self.senders.append(office)
        try:
            for number in range(events):
                before = self.allowed()
                self.event()
                self.epochs.append(before | self.allowed())  # either is right while the kernel is led over
                self.fire()
                await self.reconcile(kernel, packet_filter, number)
                self.epochs.append(self.allowed())
                self.fire()
                self.judge()
        finally:
            for sender in self.senders:
                sender.socket.close()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await kernel.close()

    def fire(self) -> None:
        # A packet can wait for its neighbour's address behind the guard: it is judged by when it was sent.
        payload = struct.pack("!I", len(self.epochs) - 1) + b"x" * 16
        for sender in self.senders:
            sender.fire(payload)

    def allowed(self) -> set[Pair]:
        """Pairs that calls may bear."""
        return {(p.device, p.address) for p in self.plan.paths if p.admitted}

    def judge(self) -> None:
        """Compare what arrived with what was allowed when it was sent."""
        declared = {(p.device, p.address) for p in self.plan.paths}
        for device, source, port, epoch in self.world.arrivals():
            if (device, source) in (declared if port == PROBE_PORT else self.epochs[epoch]):
                self.good += 1
            else:
                self.bad.append((epoch, device, source, port))

    async def reconcile(self, kernel: Kernel, packet_filter: Nft | None, number: int) -> None:
        """Lead the kernel to the plan, step by step, packets leaving after every step."""
        if packet_filter is not None:
            packet_filter.apply(contents(self.plan))
        for change in diff(await kernel.snapshot(), desired(self.plan)):
            with contextlib.suppress(DoorError):  # an address or a device is missing just now
                await kernel.apply([change])
            self.fire()
        if number % 7 == 0:
            for index in INDEXES:
                if index not in self.admitted:
                    await kernel.flush_conntrack(index)

    def event(self) -> None:
        """Something happens to the network, or the owner or the provider changes his mind."""
        box, far, pick = self.world.box, self.world.far, self.random
        index, other, version = pick.choice(INDEXES), pick.choice(INDEXES), pick.choice((4, 6))
        family = f"-{version}"
        provider = str(self.plan.providers[0 if version == 4 else 1])
        router = f"10.0.{index}.1" if version == 4 else f"2001:db8:{index}::1"
        extra = ("nodad",) if version == 6 else ()
        match pick.randrange(12):
            case 0 | 1 | 2 | 3:
                self.admitted = {i for i in INDEXES if pick.random() < 0.4}
                trunk = pick.choice(sorted(self.admitted)) if self.admitted else None
                self.plan = plan_of(self.admitted, trunk)
            case 4:
                self.try_ip(far, "link", "set", f"i{index}", pick.choice(("up", "down")))
            case 5:
                self.try_ip(box, "link", "set", f"w{index}", pick.choice(("up", "up", "down")))
            case 6:
                self.try_ip(box, "addr", "del", interface(index, version), "dev", f"w{index}")
            case 7:
                self.try_ip(box, "addr", "add", interface(index, version), "dev", f"w{index}", *extra)
            case 8:  # another one's address on this device
                verb = pick.choice(("add", "del"))
                self.try_ip(
                    box, "addr", verb, interface(other, version), "dev", f"w{index}", *extra[: verb == "add"]
                )
            case 9:  # somebody else's default route
                self.try_ip(box, family, "route", "replace", "default", "via", router, "dev", f"w{index}")
            case 10:  # somebody else's rule, before all of ours
                verb = pick.choice(("add", "del"))
                self.try_ip(box, family, "rule", verb, "to", provider, "lookup", "main", "priority", "10")
            case _:
                self.try_ip(box, family, "rule", "del", "priority", "199")

    def try_ip(self, space: Space, *words: str) -> None:
        with contextlib.suppress(RuntimeError):  # it was so already, or cannot be just now
            space.ip(*words)


def test_no_packet_of_an_unadmitted_pair_reaches_the_provider(world: World) -> None:
    play = Play(world, seed=5)
    world.box.inside(lambda: play.run(EVENTS))
    assert play.bad == []
    assert play.good > EVENTS


def test_without_the_guard_they_would(world: World) -> None:
    """That the test above can fail: the same play, its guard taken away, leaks."""
    play = Play(world, seed=3)
    world.box.inside(lambda: play.run(12, guarded=False))
    assert play.bad
