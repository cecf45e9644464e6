"""The DHCP door against dnsmasq and udhcpd in namespaces."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from gateway.inbox import Inbox
from gateway.uplinks.dhcp import Dhcp
from gateway.uplinks.model import LeaseSeen
from gateway.uplinks.netlink import Kernel
from tests.netns import Net, Space

pytestmark = pytest.mark.root


@pytest.fixture
def spaces() -> Iterator[tuple[Space, Space]]:
    """A box without an address, and its ISP."""
    with Net() as net:
        box, isp = net.space("box"), net.space("isp")
        net.wire(box, "w1", isp, "i1")
        isp.ip("addr", "add", "100.64.8.1/24", "dev", "i1")
        yield box, isp


def serve(isp: Space, folder: Path, first: str, lease: str = "2m") -> Any:
    """dnsmasq, handing out one address."""
    return isp.start(
        "dnsmasq", "--keep-in-foreground", "--port=0", "--interface=i1", "--bind-interfaces", "--no-ping",
        "--conf-file=/dev/null", "--dhcp-authoritative", f"--dhcp-range={first},{first},{lease}",
        "--dhcp-option=option:dns-server,192.0.2.53", f"--dhcp-leasefile={folder}/{first}.leases",
        f"--pid-file={folder}/{first}.pid", "--user=root", "--log-facility=-",
    )  # fmt: skip


@asynccontextmanager
async def client(remembered: IPv4Address | None = None) -> AsyncIterator[Inbox[Any]]:
    """A client at work on w1; its lease is put on the device, as the daemon does."""
    inbox: Inbox[Any] = Inbox()
    leases: Inbox[Any] = Inbox()
    kernel = Kernel(Inbox(), ("w1",))
    await kernel.open()
    dhcp = asyncio.create_task(Dhcp(leases, "w1", remembered).run())

    async def obey() -> None:
        current = None
        while True:
            seen: Any = await leases.next()
            if seen.address is not None:
                await kernel.set_address("w1", seen.address, instead_of=current)
            elif current is not None:
                await kernel.remove_address("w1", current)
            current = seen.address
            inbox.post(seen)

    obeying = asyncio.create_task(obey())
    try:
        yield inbox
    finally:
        for task in (dhcp, obeying):
            task.cancel()
        await asyncio.gather(dhcp, obeying, return_exceptions=True)
        await kernel.close()


async def until(inbox: Inbox[Any], wanted: Callable[[LeaseSeen], bool], within_s: float = 20.0) -> LeaseSeen:
    """The first report that is wanted."""
    deadline = time.monotonic() + within_s
    seen = []
    while (item := await inbox.next(deadline)) is not None:
        assert isinstance(item, LeaseSeen)
        if wanted(item):
            return item
        seen.append(item)
    raise AssertionError(f"not seen; but: {seen}")


def has(address: str | None) -> Callable[[LeaseSeen], bool]:
    """Does the report give this address?"""
    return lambda seen: (str(seen.address.ip) if seen.address else None) == address


def test_a_lease_is_got_kept_lost_and_found_elsewhere(spaces: tuple[Space, Space], tmp_path: Path) -> None:
    box, isp = spaces

    async def work() -> None:
        first = serve(isp, tmp_path, "100.64.8.10")
        async with client() as inbox:
            seen = await until(inbox, has("100.64.8.10"))
            assert seen.address is not None and seen.address.network.prefixlen == 24
            assert seen.gateway == ip_address("100.64.8.1")
            assert seen.resolvers == (ip_address("192.0.2.53"),)
            first.terminate()
            first.wait()
            serve(isp, tmp_path, "100.64.8.17")
            isp.ip("link", "set", "i1", "down")
            await asyncio.sleep(0.5)  # the client looks at the carrier every 0.2 s
            isp.ip("link", "set", "i1", "up")
            await until(inbox, has(None))  # refused: it is another network's now
            await until(inbox, has("100.64.8.17"))
            addresses = box.ip("-4", "addr", "show", "dev", "w1")
            assert "100.64.8.17/24" in addresses
            assert "100.64.8.10" not in addresses

    box.inside(work)


def test_a_server_that_dies_costs_the_address_only_at_the_lease_s_end(
    spaces: tuple[Space, Space], tmp_path: Path
) -> None:
    box, isp = spaces
    (tmp_path / "udhcpd.conf").write_text(
        "start 100.64.8.20\nend 100.64.8.20\ninterface i1\nmin_lease 1\n"
        f"lease_file {tmp_path}/leases\npidfile {tmp_path}/pid\nopt subnet 255.255.255.0\n"
        "opt router 100.64.8.1\nopt lease 4\n"
    )
    (tmp_path / "leases").touch()

    async def work() -> None:
        server = isp.start("udhcpd", "-f", f"{tmp_path}/udhcpd.conf")
        async with client() as inbox:
            await until(inbox, has("100.64.8.20"))
            assert await inbox.next(time.monotonic() + 5) is None  # renewed past its first end
            server.terminate()
            server.wait()
            await until(inbox, has(None))
            isp.start("udhcpd", "-f", f"{tmp_path}/udhcpd.conf")
            await until(inbox, has("100.64.8.20"), within_s=40)

    box.inside(work)


def test_a_restart_asks_for_the_address_it_had(spaces: tuple[Space, Space], tmp_path: Path) -> None:
    box, isp = spaces
    serve(isp, tmp_path, "100.64.8.10")

    async def work() -> None:
        for remembered in (None, IPv4Address("100.64.8.10")):
            async with client(remembered) as inbox:
                await until(inbox, has("100.64.8.10"))

    box.inside(work)


def test_a_device_that_comes_late_is_served(spaces: tuple[Space, Space], tmp_path: Path) -> None:
    box, isp = spaces
    serve(isp, tmp_path, "100.64.8.10")
    box.ip("link", "set", "w1", "down")

    async def work() -> None:
        async with client() as inbox:
            assert await inbox.next(time.monotonic() + 0.5) is None
            box.ip("link", "set", "w1", "up")
            await until(inbox, has("100.64.8.10"))

    box.inside(work)
