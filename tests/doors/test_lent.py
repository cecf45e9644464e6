"""Packet sockets, borrowed from the lender's real process and opened here: ARP and DHCP must not tell."""

import asyncio
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest

from gateway import lender
from gateway.inbox import Inbox
from gateway.uplinks.dhcp import Dhcp
from gateway.uplinks.lent import PacketSockets
from gateway.uplinks.model import AddressesSeen
from gateway.uplinks.netlink import Kernel
from gateway.uplinks.rtnl import Rtnl
from tests.doors.test_dhcp import has, serve, until
from tests.netns import Net, Space

pytestmark = pytest.mark.root

ETH_P_ALL = 0x0003
SO_DETACH_FILTER = 27


@pytest.fixture
def spaces() -> Iterator[tuple[Space, Space]]:
    """A box and its ISP."""
    with Net() as net:
        box, isp = net.space("box"), net.space("isp")
        net.wire(box, "w1", isp, "i1")
        isp.ip("addr", "add", "100.64.8.1/24", "dev", "i1")
        yield box, isp


def lend(box: Space, path: Path) -> None:
    """A lender, started on demand as systemd does."""
    activate = "/usr/bin/systemd-socket-activate"
    if not Path(activate).exists():
        pytest.skip("systemd-socket-activate is not installed")
    box.start(activate, "--seqpacket", "-l", str(path), sys.executable, "-m", "gateway.lender")
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(params=["borrowed", "opened here"])
def sockets(request: pytest.FixtureRequest, spaces: tuple[Space, Space], tmp_path: Path) -> PacketSockets:
    """Both ways to a packet socket; where nobody lends, the file is not there."""
    path = tmp_path / "packets.sock"
    if request.param == "borrowed":
        lend(spaces[0], path)
    return PacketSockets(path)


def test_another_host_s_claim_is_heard(spaces: tuple[Space, Space], sockets: PacketSockets) -> None:
    box, isp = spaces
    box.ip("addr", "add", "100.64.8.2/24", "dev", "w1")
    isp.ip("addr", "add", "100.64.8.2/24", "dev", "i1")

    async def work() -> None:
        inbox: Inbox[Any] = Inbox()
        kernel = Kernel(inbox, ("w1",), sockets=sockets)
        await kernel.open()
        running = asyncio.create_task(kernel.run())
        try:
            deadline, seen = time.monotonic() + 10, []
            while (item := await inbox.next(deadline)) is not None:
                seen.append(item)
                if isinstance(item, AddressesSeen) and item.conflict:
                    assert item.conflict == {ip_address("100.64.8.2")}
                    return
            raise AssertionError(f"no conflict; but: {seen}")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await kernel.close()

    box.inside(work)


def test_an_address_that_is_set_before_there_is_a_socket_is_announced(
    spaces: tuple[Space, Space], sockets: PacketSockets
) -> None:
    box, isp = spaces

    async def work() -> None:
        heard = isp.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        isp.call(lambda: heard.bind(("i1", 0x0806)))
        kernel = Kernel(Inbox(), ("w1",), sockets=sockets)
        await kernel.open()
        await kernel.set_address("w1", ip_interface("100.64.8.2/24"))
        running = asyncio.create_task(kernel.run())
        try:
            async with asyncio.timeout(10):
                packet = b""
                while packet[14:18] != ip_address("100.64.8.2").packed:  # the sender of the announcement
                    packet = await asyncio.get_running_loop().sock_recv(heard, 128)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await kernel.close()
            heard.close()

    box.inside(work)


def test_a_lease_is_got(spaces: tuple[Space, Space], sockets: PacketSockets, tmp_path: Path) -> None:
    box, isp = spaces
    serve(isp, tmp_path, "100.64.8.10")

    async def work() -> None:
        inbox: Inbox[Any] = Inbox()
        client = asyncio.create_task(Dhcp(inbox, "w1", None, sockets).run())
        try:
            await until(inbox, has("100.64.8.10"))
        finally:
            client.cancel()
            await asyncio.gather(client, return_exceptions=True)

    box.inside(work)


def test_who_holds_the_socket_hears_nothing_else(spaces: tuple[Space, Space], sockets: PacketSockets) -> None:
    box, isp = spaces

    async def work() -> None:
        with await sockets.open("arp", "w1") as held:
            with pytest.raises(PermissionError):
                held.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            held.bind(("w1", ETH_P_ALL))
            box.ip("addr", "add", "100.64.8.2/24", "dev", "w1")
            isp.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "100.64.8.2")
            kinds = set()
            with pytest.raises(BlockingIOError):
                while True:
                    kinds.add(held.recv(128)[12:14])
            assert kinds == {b"\x08\x06"}

    box.inside(work)


def refusal(box: Space, ask: Callable[[], Awaitable[Any]]) -> int | None:
    """The errno of what is refused."""

    async def work() -> int | None:
        with pytest.raises(OSError) as caught:
            await ask()
        return caught.value.errno

    return box.inside(work)


def test_what_is_not_lent(spaces: tuple[Space, Space], tmp_path: Path) -> None:
    box, path = spaces[0], tmp_path / "packets.sock"
    lend(box, path)
    sockets = PacketSockets(path)
    assert refusal(box, lambda: sockets.open("arp", "w7")) == errno.ENODEV
    for kind, device in (("all", "w1"), ("arp", ""), ("arp", "w1 w1"), ("arp", "w" * 16), ("dhcp", "w1\0")):
        assert refusal(box, lambda k=kind, d=device: sockets.open(k, d)) == errno.EINVAL  # type: ignore[misc]


def test_another_user_gets_nothing(spaces: tuple[Space, Space], tmp_path: Path) -> None:
    path = tmp_path / "packets.sock"
    lend(spaces[0], path)
    os.chown(path, 65534, -1)  # now it is root who is somebody else
    assert refusal(spaces[0], lambda: PacketSockets(path).open("arp", "w1")) == errno.EACCES


def test_a_socket_file_that_nobody_serves_is_passed_over(spaces: tuple[Space, Space], tmp_path: Path) -> None:
    path = tmp_path / "packets.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(path))

    async def work() -> None:
        (await PacketSockets(path).open("arp", "w1")).close()

    spaces[0].inside(work)


def test_an_idle_lender_ends(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "packets.sock"))
        listener.listen()
        lender.serve(listener, idle_s=0.01)


def test_a_lender_without_a_socket_says_what_to_do() -> None:
    done = subprocess.run([sys.executable, "-m", "gateway.lender"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "gateway-packets.socket" in done.stderr


def test_forwarding_is_switched_on_and_seen(spaces: tuple[Space, Space]) -> None:
    async def work() -> tuple[bool, bool]:
        spaces[0].sysctl("net.ipv4.ip_forward", "0")
        rtnl = Rtnl()
        before = rtnl.forwards_ipv4()
        kernel = Kernel(Inbox(), ("w1",), ("lan0",))
        await kernel.open()
        await kernel.close()
        after = rtnl.forwards_ipv4()
        rtnl.close()
        return before, after

    assert spaces[0].inside(work) == (False, True)
