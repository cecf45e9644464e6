"""The probe door in namespaces: real echoes, a far end that answers SIP and STUN, and one that lies."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from gateway.inbox import Inbox
from gateway.uplinks.model import Address, ProbeAnswered, ProbeKind, ProbeRefused, SendProbe, UplinkPath
from gateway.uplinks.probe import Prober
from tests.doors.test_netlink import path
from tests.netns import Net, Space

pytestmark = pytest.mark.root


@pytest.fixture
def spaces() -> Iterator[tuple[Space, Space]]:
    """A box whose two uplinks lead to one far end; no default route anywhere."""
    with Net() as net:
        box, far = net.space("box"), net.space("far")
        for index in (1, 2):
            net.wire(box, f"w{index}", far, f"i{index}")
            box.ip("addr", "add", f"10.0.{index}.2/24", "dev", f"w{index}")
            far.ip("addr", "add", f"10.0.{index}.1/24", "dev", f"i{index}")
            box.ip("addr", "add", f"2001:db8:{index}::2/64", "dev", f"w{index}", "nodad")
            far.ip("addr", "add", f"2001:db8:{index}::1/64", "dev", f"i{index}", "nodad")
        yield box, far


class Probes:
    """A prober and what it posted."""

    def __init__(self) -> None:
        self.inbox: Inbox[Any] = Inbox()
        self.prober = Prober(self.inbox)

    async def one(
        self, kind: ProbeKind, way: UplinkPath, target: Address, port: int = 0, within_s: float = 5.0
    ) -> Any:
        """Send one probe; what became of it, or None."""
        self.prober.send(SendProbe(way.name, kind, "far", 7), way, target, port)
        return await self.inbox.next(time.monotonic() + within_s)


@asynccontextmanager
async def probes() -> AsyncIterator[Probes]:
    """A prober that is closed at the end."""
    made = Probes()
    try:
        yield made
    finally:
        made.prober.close()


def far_end(space: Space, answer: Callable[[bytes, tuple[str, int]], bytes | None]) -> socket.socket:
    """A UDP socket in `space` on port 5060."""

    def listen() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        made.bind(("0.0.0.0", 5060))
        return made

    made = space.call(listen)

    def readable() -> None:
        packet, source = made.recvfrom(4096)
        reply = answer(packet, source)
        if reply is not None:
            made.sendto(reply, source)

    asyncio.get_running_loop().add_reader(made, readable)
    return made


def sip_answer(packet: bytes, source: tuple[str, int]) -> bytes:
    """What a server says to OPTIONS, with what it sees."""
    lines = packet.decode().split("\r\n")
    via = next(line for line in lines if line.startswith("Via:")).replace(
        ";rport;", f";rport={source[1]};received=198.51.100.20;"
    )
    return f"SIP/2.0 200 OK\r\n{via}\r\nCSeq: 1 OPTIONS\r\n\r\n".encode()


def stun_answer(packet: bytes, source: tuple[str, int]) -> bytes:
    """A binding response with the mapped address."""
    plain = socket.inet_aton(source[0])
    value = struct.pack("!BBH", 0, 1, 1) + bytes(a ^ b for a, b in zip(plain, packet[4:8], strict=True))
    return struct.pack("!HH", 0x0101, 12) + packet[4:20] + struct.pack("!HH", 0x0020, 8) + value


@pytest.mark.parametrize("version", [4, 6])
def test_an_echo_comes_back_by_its_own_uplink(spaces: tuple[Space, Space], version: int) -> None:
    async def work() -> None:
        async with probes() as p:
            for index in (1, 2):
                way = path(index, version)
                target = ip_address(f"10.0.{index}.1" if version == 4 else f"2001:db8:{index}::1")
                answered = await p.one("icmp", way, target)
                assert isinstance(answered, ProbeAnswered), answered
                assert (answered.uplink, answered.kind, answered.target) == (way.name, "icmp", "far")
                assert answered.sequence == 7
                assert 0 < answered.rtt_s < 1

    spaces[0].inside(work)


def test_options_and_stun_tell_what_the_far_side_sees(spaces: tuple[Space, Space]) -> None:
    box, far = spaces

    async def work() -> None:
        def answer(packet: bytes, source: tuple[str, int]) -> bytes:
            return (
                sip_answer(packet, source) if packet.startswith(b"OPTIONS") else stun_answer(packet, source)
            )

        with far_end(far, answer) as end:
            async with probes() as p:
                target = ip_address("10.0.1.1")
                options = await p.one("options", path(1), target, 5060)
                assert (options.sip_code, str(options.observed)) == (200, "198.51.100.20")
                stun = await p.one("stun", path(1), target, 5060)
                assert (stun.sip_code, str(stun.observed)) == (None, "10.0.1.2")
            asyncio.get_running_loop().remove_reader(end)

    box.inside(work)


def test_liars_are_counted_and_not_believed(spaces: tuple[Space, Space]) -> None:
    box, far = spaces

    async def work() -> None:
        async with probes() as p:

            def lie(packet: bytes, source: tuple[str, int]) -> bytes:
                stranger = far.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                with stranger:
                    far.ip("addr", "add", "10.0.1.66/24", "dev", "i1")
                    stranger.bind(("10.0.1.66", 5060 + 1))
                    stranger.sendto(sip_answer(packet, source), source)  # right words, wrong mouth
                return b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK" + b"0" * 16 + b"\r\n\r\n"

            with far_end(far, lie) as end:
                assert await p.one("options", path(1), ip_address("10.0.1.1"), 5060, within_s=0.5) is None
                assert p.prober.ignored == 2
                asyncio.get_running_loop().remove_reader(end)

    box.inside(work)


def test_what_the_kernel_will_not_send_is_refused_at_once(spaces: tuple[Space, Space]) -> None:
    box, _ = spaces
    box.run(
        "nft",
        "table ip g { chain o { type filter hook postrouting priority 300; ip daddr 10.0.1.1 drop; }; }",
    )

    async def work() -> None:
        async with probes() as p:
            cases = {
                "guard": (path(1), "10.0.1.1", "not permitted"),
                "address": (replace(path(1), address=ip_address("10.9.9.9")), "10.0.1.1", "assign"),
                "device": (replace(path(1), device="w9"), "10.0.1.1", "No such device"),
            }
            for way, target, words in cases.values():
                refused = await p.one("icmp", way, ip_address(target))
                assert isinstance(refused, ProbeRefused)
                assert words in refused.why
            box.ip("link", "set", "w2", "down")
            refused = await p.one("icmp", path(2), ip_address("10.0.2.1"))
            assert isinstance(refused, ProbeRefused)

    box.inside(work)


def test_a_device_that_comes_back_is_probed_again(spaces: tuple[Space, Space]) -> None:
    box, far = spaces

    async def work() -> None:
        async with probes() as p:
            target = ip_address("10.0.2.1")
            assert isinstance(await p.one("icmp", path(2), target), ProbeAnswered)
            box.ip("link", "del", "w2")
            while not isinstance(await p.one("icmp", path(2), target, within_s=0.2), ProbeRefused):
                pass
            box.ip("link", "add", "w2", "type", "veth", "peer", "name", "i2")
            box.ip("link", "set", "i2", "netns", far.name)
            box.ip("addr", "add", "10.0.2.2/24", "dev", "w2")
            far.ip("addr", "add", "10.0.2.1/24", "dev", "i2")
            box.ip("link", "set", "w2", "up")
            far.ip("link", "set", "i2", "up")
            while not isinstance(await p.one("icmp", path(2), target, within_s=1), ProbeAnswered):
                pass

    box.inside(work)


def test_an_address_that_changed_leaves_no_socket_behind(spaces: tuple[Space, Space]) -> None:
    box, _ = spaces
    box.ip("addr", "add", "10.0.1.9/24", "dev", "w1")

    async def work() -> None:
        async with probes() as p:
            for address in ("10.0.1.2", "10.0.1.9", "10.0.1.2"):
                way = replace(path(1), address=ip_address(address))
                assert isinstance(await p.one("icmp", way, ip_address("10.0.1.1")), ProbeAnswered)
                assert len(p.prober._places) == 1
            p.prober.forget("u1")
            assert len(p.prober._places) == 0

    box.inside(work)
