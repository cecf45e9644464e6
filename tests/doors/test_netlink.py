"""The netlink door against a real kernel in a namespace."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, TypeVar

import pytest

from gateway.errors import DoorError
from gateway.inbox import Inbox
from gateway.uplinks.model import AddressesSeen, KernelChanged, KernelPlan, LinkSeen, UplinkPath
from gateway.uplinks.netlink import Kernel
from gateway.uplinks.routes import TRUNK_TABLE, Add, Delete, Route, Rule, desired, diff, everything
from tests.netns import Net, Space

pytestmark = pytest.mark.root

T = TypeVar("T")
DEVICES = ("w1", "w2")


def path(index: int, version: int = 4, *, admitted: bool = True) -> UplinkPath:
    """Uplink `index` as the fixture wires it."""
    four = version == 4
    return UplinkPath(
        index,
        f"u{index}",
        f"w{index}",
        ip_address(f"10.0.{index}.2" if four else f"2001:db8:{index}::2"),
        ip_network(f"10.0.{index}.0/24" if four else f"2001:db8:{index}::/64"),
        ip_address(f"10.0.{index}.1" if four else "fe80::1"),
        admitted,
    )


PLAN = KernelPlan(
    paths=(path(1), path(2, admitted=False), path(1, 6)),
    providers=(ip_network("192.0.2.0/28"), ip_network("2001:db8:f::/64")),
    trunk=1,
    internet=(1, 2),
    lan=("lan0",),
)


@pytest.fixture
def spaces() -> Iterator[tuple[Space, Space]]:
    """A box with two uplinks, and the far end of both."""
    with Net() as net:
        box, far = net.space("box"), net.space("far")
        for index in (1, 2):
            net.wire(box, f"w{index}", far, f"i{index}")
            box.ip("addr", "add", f"10.0.{index}.2/24", "dev", f"w{index}")
            far.ip("addr", "add", f"10.0.{index}.1/24", "dev", f"i{index}")
            box.ip("addr", "add", f"2001:db8:{index}::2/64", "dev", f"w{index}", "nodad")
        yield box, far


@asynccontextmanager
async def kernel(devices: tuple[str, ...] = DEVICES) -> AsyncIterator[tuple[Kernel, Inbox[Any]]]:
    """An open door that is watching."""
    inbox: Inbox[Any] = Inbox()
    door = Kernel(inbox, devices)
    await door.open()
    watching = asyncio.create_task(door.run())
    try:
        yield door, inbox
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await door.close()


async def until(inbox: Inbox[Any], wanted: Callable[[Any], bool], within_s: float = 10.0) -> Any:
    """The first item that is wanted; those before it are dropped."""
    deadline = time.monotonic() + within_s
    seen = []
    while (item := await inbox.next(deadline)) is not None:
        if wanted(item):
            return item
        seen.append(item)
    raise AssertionError(f"not seen; but: {seen}")


def link(device: str, **state: Any) -> Callable[[Any], bool]:
    """Is it a LinkSeen of `device` with this state?"""
    return lambda item: (
        isinstance(item, LinkSeen)
        and item.device == device
        and all(getattr(item, key) == value for key, value in state.items())
    )


def test_what_is_wanted_is_what_is_read_back(spaces: tuple[Space, Space]) -> None:
    async def work() -> None:
        async with kernel() as (door, _):
            await door.apply(diff(await door.snapshot(), desired(PLAN)))
            assert await door.snapshot() == desired(PLAN)
            moved = replace(PLAN, trunk=None, internet=(2,), paths=(path(1), path(2)))
            await door.apply(diff(await door.snapshot(), desired(moved)))
            assert await door.snapshot() == desired(moved)
            await door.apply(diff(await door.snapshot(), frozenset()))
            assert await door.snapshot() == frozenset()

    spaces[0].inside(work)


def test_the_kernel_takes_the_ways_that_the_plan_means(spaces: tuple[Space, Space]) -> None:
    box, _ = spaces

    async def work() -> None:
        async with kernel() as (door, _):
            await door.apply(diff(frozenset(), desired(PLAN)))

    box.inside(work)

    def device(*query: str) -> str:
        try:
            words = box.ip("route", "get", *query).split()
        except RuntimeError as error:
            return str(error)
        return words[words.index("dev") + 1]

    assert device("192.0.2.10") == "w1"
    assert device("192.0.2.10", "from", "10.0.1.2") == "w1"
    assert "prohibited" in device("192.0.2.10", "from", "10.0.2.2") or "denied" in device(
        "192.0.2.10", "from", "10.0.2.2"
    )
    assert device("192.0.2.10", "from", "10.0.2.2", "mark", "0x5182") == "w2"
    assert device("198.51.100.1", "from", "10.0.2.2") == "w2"
    assert device("198.51.100.1") == "w1"
    assert device("2001:db8:f::1") == "w1"
    assert device("2001:db8:f::1", "from", "2001:db8:1::2") == "w1"
    assert "denied" in device("2001:db8:f::1", "from", "2001:db8:2::2")


def test_adding_and_deleting_twice_is_no_error(spaces: tuple[Space, Space]) -> None:
    async def work() -> None:
        rule = Rule(4, 199, kind="prohibit", to=ip_network("192.0.2.0/28"))
        route = Route(TRUNK_TABLE, everything(4), 1, device="w1", gateway=ip_address("10.0.1.1"))
        async with kernel() as (door, _):
            await door.apply([Add(rule), Add(rule), Add(route), Add(route)])
            await door.apply([Delete(rule), Delete(rule), Delete(route), Delete(route)])
            assert await door.snapshot() == frozenset()

    spaces[0].inside(work)


def test_what_the_kernel_refuses_is_told_in_its_words(spaces: tuple[Space, Space]) -> None:
    async def work() -> None:
        async with kernel() as (door, _):
            wrong = Route(TRUNK_TABLE, everything(4), 1, device="w1", source=ip_address("10.9.9.9"))
            with pytest.raises(DoorError, match="Invalid"):
                await door.apply([Add(wrong)])
            with pytest.raises(DoorError, match="no such network device"):
                await door.set_link_up("w7")

    spaces[0].inside(work)


def test_other_peoples_routes_and_rules_are_not_ours(spaces: tuple[Space, Space]) -> None:
    box, _ = spaces
    box.ip("route", "add", "default", "via", "10.0.2.1", "table", "101", "metric", "5")
    box.ip("rule", "add", "to", "192.0.2.99", "lookup", "77", "priority", "50")

    async def work() -> None:
        async with kernel() as (door, _):
            assert await door.snapshot() == frozenset()

    box.inside(work)


def test_carrier_loss_and_return_are_told(spaces: tuple[Space, Space]) -> None:
    box, far = spaces

    async def work() -> None:
        async with kernel() as (_, inbox):
            await until(inbox, link("w1", present=True, up=True, carrier=True))
            for _ in range(3):
                far.ip("link", "set", "i1", "down")
                await until(inbox, link("w1", carrier=False, up=True))
                far.ip("link", "set", "i1", "up")
                await until(inbox, link("w1", carrier=True))

    box.inside(work)


def test_a_device_that_vanishes_and_returns_is_followed(spaces: tuple[Space, Space]) -> None:
    box, far = spaces

    async def work() -> None:
        async with kernel() as (door, inbox):
            first = await until(inbox, link("w2", carrier=True))
            box.ip("link", "del", "w2")
            await until(inbox, link("w2", present=False))
            box.ip("link", "add", "w2", "type", "veth", "peer", "name", "w2far")
            box.ip("link", "set", "w2far", "netns", far.name)
            again = await until(inbox, link("w2", present=True))
            assert again.ifindex != first.ifindex
            await door.set_link_up("w2")
            far.ip("link", "set", "w2far", "up")
            await until(inbox, link("w2", up=True, carrier=True))
            far.ip("link", "set", "w2far", "down")
            await until(inbox, link("w2", up=True, carrier=False))

    box.inside(work)


def test_addresses_come_and_go(spaces: tuple[Space, Space]) -> None:
    async def work() -> None:
        async with kernel() as (door, inbox):
            old, new = ip_interface("10.0.1.2/24"), ip_interface("10.0.1.9/24")
            await door.set_address("w1", new, instead_of=old)

            def only_new(item: Any) -> bool:
                four = {a for a in getattr(item, "addresses", ()) if a.version == 4}
                return isinstance(item, AddressesSeen) and item.device == "w1" and four == {new}

            await until(inbox, only_new)
            await door.set_address("w1", new)
            await door.remove_address("w1", new)
            await door.remove_address("w1", new)
            await until(inbox, lambda i: isinstance(i, AddressesSeen) and new not in i.addresses)

    spaces[0].inside(work)


def test_another_host_with_our_address_is_told_and_forgotten(spaces: tuple[Space, Space]) -> None:
    box, far = spaces
    far.ip("addr", "add", "10.0.1.2/24", "dev", "i1")

    async def work() -> None:
        async with kernel() as (_, inbox):
            seen = await until(inbox, lambda i: isinstance(i, AddressesSeen) and bool(i.conflict))
            assert (seen.device, seen.conflict) == ("w1", {ip_address("10.0.1.2")})

    box.inside(work)


def test_an_address_that_ipv6_found_in_use_is_a_conflict(spaces: tuple[Space, Space]) -> None:
    box, far = spaces
    far.ip("addr", "add", "2001:db8:1::77/64", "dev", "i1", "nodad")

    async def work() -> None:
        async with kernel() as (door, inbox):
            await door.set_address("w1", ip_interface("2001:db8:1::77/64"))
            seen = await until(inbox, lambda i: isinstance(i, AddressesSeen) and bool(i.conflict))
            assert seen.conflict == {ip_address("2001:db8:1::77")}

    box.inside(work)


def test_somebody_elses_hand_in_our_tables_is_told_and_our_own_is_not(spaces: tuple[Space, Space]) -> None:
    box, _ = spaces

    async def work() -> None:
        async with kernel() as (door, inbox):
            await door.apply(diff(await door.snapshot(), desired(PLAN)))
            box.ip("link", "set", "lo", "mtu", "65000")  # an event behind all echoes of ours
            box.ip("rule", "del", "priority", "500")
            changed = await until(inbox, lambda i: isinstance(i, KernelChanged))
            assert "rule" in changed.why
            assert diff(await door.snapshot(), desired(PLAN)) == [Add(Rule(4, 500, table=120))]

    box.inside(work)


def test_lost_events_ask_for_a_reconciliation(spaces: tuple[Space, Space]) -> None:
    box, far = spaces

    async def work() -> None:
        async with kernel() as (_, inbox):
            await until(inbox, link("w1", carrier=True))
            far.ip("link", "set", "i1", "down")
            storm = "".join(f"route add 10.{n // 250}.{n % 250}.0/24 dev w2\n" for n in range(256, 12000))
            box.run("ip", "-batch", "-", stdin=storm)  # the loop does not read meanwhile: an overrun
            seen: list[Any] = []

            def lost_and_found(item: Any) -> bool:
                seen.append(item)
                lost = any(isinstance(i, KernelChanged) and "105" in i.why for i in seen)
                return lost and any(link("w1", carrier=False)(i) for i in seen)

            await until(inbox, lost_and_found)
            far.ip("link", "set", "i1", "up")
            await until(inbox, link("w1", carrier=True))

    box.inside(work)


def test_connections_are_forgotten_by_uplink(spaces: tuple[Space, Space]) -> None:
    box, _ = spaces
    box.run(
        "nft",
        "table ip m { chain o { type filter hook output priority 0; "
        "udp dport 5001 ct mark set 0xab005101; udp dport 5002 ct mark set 0x5102; }; }",
    )
    for port in (5001, 5002):
        box.run("bash", "-c", f"echo x > /dev/udp/10.0.1.1/{port}")

    async def work() -> None:
        async with kernel() as (door, _):
            await door.flush_conntrack(1)

    box.inside(work)
    left = box.run("conntrack", "-L", "-p", "udp")
    assert "dport=5002" in left
    assert "dport=5001" not in left


def test_addresses_that_we_put_are_known_as_ours_also_by_the_next_one(spaces: tuple[Space, Space]) -> None:
    ours, foreign = ip_interface("10.9.9.1/24"), ip_interface("10.0.1.2/24")

    async def work() -> None:
        async with kernel() as (door, inbox):
            await door.set_address("w1", foreign)  # somebody put it there before
            await door.set_address("w1", ours)
            seen = await until(inbox, lambda i: isinstance(i, AddressesSeen) and ours in i.addresses)
            assert seen.ours == {ours} and foreign in seen.addresses
            assert door.borne() == {"w1": {ours}}
        async with kernel(("w2",)) as (door, _):
            assert door.borne() == {"w1": {ours}}
            await door.remove_address("w1", ours)
        async with kernel() as (door, _):
            assert door.borne() == {}

    spaces[0].inside(work)


def test_devices_are_taken_in_and_let_go_while_it_runs(spaces: tuple[Space, Space]) -> None:
    box, _ = spaces

    async def work() -> None:
        async with kernel(("w1",)) as (door, inbox):
            await until(inbox, link("w1", carrier=True))
            await door.watch(("w1", "w2", "w9"), (), ())
            assert (await until(inbox, link("w2"))).carrier
            assert not (await until(inbox, link("w9"))).present
            await until(inbox, lambda i: isinstance(i, AddressesSeen) and bool(i.addresses))
            before = len(inbox)
            await door.watch(("w9", "w2", "w1"), (), ())
            assert len(inbox) == before, "nobody is new"
            await door.watch(("w1",), (), ())
            box.ip("addr", "add", "10.0.2.77/24", "dev", "w2")
            box.ip("addr", "add", "10.0.1.77/24", "dev", "w1")
            seen = await until(inbox, lambda i: isinstance(i, AddressesSeen) and i.device in DEVICES)
            assert seen.device == "w1"
            await door.watch(DEVICES, (), ())
            await until(inbox, link("w2", carrier=True))

    box.inside(work)
