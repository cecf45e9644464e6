"""Routes, guard and probes together: an unconfirmed uplink may be asked about, and carries nothing else."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from gateway.inbox import Inbox
from gateway.uplinks.guard import contents
from gateway.uplinks.model import KernelPlan, ProbeAnswered, ProbeRefused, SendProbe, UplinkPath
from gateway.uplinks.netlink import Kernel
from gateway.uplinks.nft import Nft
from gateway.uplinks.probe import Prober
from gateway.uplinks.routes import desired, diff
from tests.netns import Net, Space

pytestmark = pytest.mark.root

PROVIDERS = {4: "192.0.2.10", 6: "2001:db8:f::10"}


@pytest.fixture
def box() -> Iterator[Space]:
    """A box whose reverse-path filter is strict, both uplinks leading to the provider."""
    with Net() as net:
        made, far = net.space("box"), net.space("far")
        made.sysctl("net.ipv4.conf.all.rp_filter", "1")
        for index in (1, 2):
            net.wire(made, f"w{index}", far, f"i{index}")
            made.ip("addr", "add", f"10.0.{index}.2/24", "dev", f"w{index}")
            far.ip("addr", "add", f"10.0.{index}.1/24", "dev", f"i{index}")
            made.ip("addr", "add", f"2001:db8:{index}::2/64", "dev", f"w{index}", "nodad")
            far.ip("addr", "add", f"2001:db8:{index}::1/64", "dev", f"i{index}", "nodad")
        far.ip("addr", "add", f"{PROVIDERS[4]}/32", "dev", "lo")
        far.ip("addr", "add", f"{PROVIDERS[6]}/128", "dev", "lo", "nodad")
        yield made


def path(index: int, version: int) -> UplinkPath:
    """The first uplink is confirmed, the second is not."""
    four = version == 4
    return UplinkPath(
        index,
        f"u{index}",
        f"w{index}",
        ip_address(f"10.0.{index}.2" if four else f"2001:db8:{index}::2"),
        ip_network(f"10.0.{index}.0/24" if four else f"2001:db8:{index}::/64"),
        ip_address(f"10.0.{index}.1" if four else f"2001:db8:{index}::1"),
        index == 1,
    )


PLAN = KernelPlan(
    paths=tuple(path(index, version) for index in (1, 2) for version in (4, 6)),
    providers=(ip_network("192.0.2.0/28"), ip_network("2001:db8:f::/64")),
    trunk=1,
    internet=(1, 2),
)


@pytest.mark.parametrize("version", [4, 6])
def test_probes_pass_by_both_uplinks_and_calls_by_the_confirmed_one(box: Space, version: int) -> None:
    async def work() -> None:
        inbox: Inbox[Any] = Inbox()
        kernel, prober, provider = Kernel(inbox, ("w1", "w2")), Prober(inbox), PROVIDERS[version]
        await kernel.open()
        while len(inbox):
            await inbox.next()
        Nft().apply(contents(PLAN))
        await kernel.apply(diff(await kernel.snapshot(), desired(PLAN)))
        for index in (1, 2):
            way = path(index, version)
            prober.send(SendProbe(way.name, "icmp", provider, index), way, ip_address(provider))
            answered = await inbox.next(time.monotonic() + 3)
            assert isinstance(answered, ProbeAnswered), answered
            assert answered.uplink == way.name
            family = socket.AF_INET if version == 4 else socket.AF_INET6
            with socket.socket(family, socket.SOCK_DGRAM) as call:
                call.bind((str(way.address), 0))
                if index == 1:
                    call.sendto(b"x", (provider, 5060))
                else:
                    with pytest.raises(OSError, match=r"denied|not permitted"):
                        call.sendto(b"x", (provider, 5060))
        wrong = replace(path(2, version), address=path(1, version).address)
        prober.send(SendProbe("u2", "icmp", provider, 9), wrong, ip_address(provider))
        refused = await inbox.next(time.monotonic() + 3)
        assert isinstance(refused, ProbeRefused), "a pair that is not declared does not even probe"
        prober.close()
        await kernel.close()

    box.inside(work)
