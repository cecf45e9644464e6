"""Settings change while everything runs: what the owner left as it was is not touched."""

import asyncio
import re
from ipaddress import ip_address, ip_interface

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DoorError, RefusedError, SettingsError
from gateway.uplinks.model import KernelChanged
from gateway.uplinks.routes import INTERNET_TABLE, TABLE_BASE, Route
from gateway.uplinks.talk import Confirmed
from tests.stories.test_uplinks import story
from tests.uplinks.world import EPOCH, SETTINGS, World

HEAD, MAIN, BACKUP1, BACKUP2 = (
    SETTINGS.partition("[[uplinks]]")[0],
    *("[[uplinks]]" + part for part in SETTINGS.partition("[trunk]")[0].split("[[uplinks]]")[1:]),
)
TAIL = "[trunk]" + SETTINGS.partition("[trunk]")[2]
OTHER = """[[uplinks]]
name = "backup3"
device = "wan3"
addresses = ["203.0.113.66/30"]
gateways = ["203.0.113.65"]
"""


def text(*uplinks: str, tail: str = TAIL) -> str:
    return "".join((HEAD, *uplinks, tail))


def tables(world: World) -> dict[int, str]:
    """Each uplink's table, by the device that it leads out of."""
    ways = [i for i in world.kernel.items if isinstance(i, Route) and i.device]
    return {i.table - TABLE_BASE: i.device for i in ways if i.table < 110}


def kept(world: World, *devices: str) -> set[object]:
    """Everything in the kernel that has to do with these devices."""
    return {i for i in world.kernel.items if isinstance(i, Route) and i.device in devices}


async def quiet_world() -> World:
    world = await World().start()
    world.calls(main=1)
    await world.run(40)
    world.kernel.steps.clear()
    return world


@story
async def test_what_concerns_calls_alone_does_not_touch_the_kernel() -> None:
    world = await quiet_world()
    tail = TAIL.replace('caller_id = "443069990100"', 'caller_id = "443069990101"')
    await world.change(text(MAIN, BACKUP1, BACKUP2, tail=tail + "[ports]\nsip = 5060\n"))
    assert world.kernel.steps == []
    assert world.settings.trunk.default_caller_id == "443069990101"
    assert world.log.applied[-1].settings is world.settings


@story
async def test_a_backup_is_added_live_and_carries_the_call_when_main_dies() -> None:
    world = await quiet_world()
    world.confirmed["backup3"] = Confirmed(ip_address("203.0.113.66"), EPOCH)
    world.watch.confirmed(world.confirmed)
    before, paths = kept(world, "wan0", "wan1", "wan2"), len(world.log.paths)
    since = world.watch.now().uplinks[0]
    await world.change(text(MAIN, OTHER, BACKUP1, BACKUP2))
    assert kept(world, "wan0", "wan1", "wan2") >= before
    assert "flush" not in world.kernel.steps
    await world.run(3)
    assert [u.name for u in world.watch.now().uplinks] == ["main", "backup3", "backup1", "backup2"]
    assert tables(world) == {1: "wan0", 2: "wan1", 3: "wan2", 4: "wan3"}, "nobody was renumbered"
    assert replace_times(world.watch.now().uplinks[0]) == replace_times(since)
    assert all(world.path_state("main") == "fit" for _ in world.log.paths[paths:])
    world.unplug("main")
    await world.run(0.1)
    assert world.active == "backup3"


def replace_times(status: object) -> object:
    import msgspec

    return msgspec.structs.replace(status, rtt_ms=0.0, jitter_ms=0.0, loss=0.0, mos=0.0)  # type: ignore[type-var]


@story
async def test_calls_leave_an_uplink_before_it_is_switched_off() -> None:
    world = await quiet_world()
    world.after(0.2, lambda: world.calls(backup1=1))
    await world.change(text(MAIN + "enabled = false\n", BACKUP1, BACKUP2), seconds=2)
    assert world.active == "backup1"
    order = [p.paths for _, p in world.log.paths[-3:]]
    left = next(paths for paths in order if any(p.state == "leave" for p in paths))
    assert [p.uplink for p in left if p.state == "leave"] == ["main"]
    assert all(p.uplink != "main" for p in world.watch.paths().paths)
    assert world.state("main") == "disabled"
    assert world.kernel.addresses["wan0"] == set(), "what we put there is taken away"
    assert world.kernel.watched == ("wan1", "wan2")
    assert world.log.switches[-1][1].cause == "the settings of main change"


@story
async def test_a_call_that_cannot_leave_does_not_hold_the_change_up_for_ever() -> None:
    world = await quiet_world()
    await world.change(text(BACKUP1, BACKUP2), seconds=7)
    assert [u.name for u in world.watch.now().uplinks] == ["backup1", "backup2"]


@story
async def test_the_last_uplink_goes_at_once_where_there_is_no_other_way() -> None:
    world = await World(text(MAIN)).start()
    world.calls(main=1)
    await world.run(10)
    await world.change(text(MAIN.replace("203.0.113.2/30", "203.0.113.5/29")), seconds=1.5)
    assert world.state("main") in ("probing", "up_unconfirmed")
    assert {str(i) for i in world.kernel.addresses["wan0"]} == {"203.0.113.5/29"}


@story
async def test_reorder_renumbers_nobody_and_calls_change_over_in_peace() -> None:
    world = await quiet_world()
    before = {i for i in world.kernel.items if not (isinstance(i, Route) and i.table == INTERNET_TABLE)}
    await world.change(text(BACKUP1, MAIN, BACKUP2))
    assert before < world.kernel.items, "only the order of the Internet's ways is another one"
    assert (world.active, tables(world)[1]) == ("main", "wan0"), "a call runs there"
    assert [u.role for u in world.watch.now().uplinks] == ["main", "backup", "backup"]
    world.calls()
    await world.run(0.1)
    assert world.active == "backup1"
    assert "comes first now" in world.log.switches[-1][1].cause
    assert tables(world) == {1: "wan0", 2: "wan1", 3: "wan2"}


@story
async def test_restart_after_a_reorder_adopts_what_stands() -> None:
    world = await quiet_world()
    await world.change(text(BACKUP2, BACKUP1, MAIN))
    numbers, addresses = tables(world), dict(world.kernel.addresses)
    await world.restart()
    assert (tables(world), world.kernel.addresses) == (numbers, addresses)
    assert "flush" not in world.kernel.steps and "address" not in world.kernel.steps
    assert world.active == "main"


@story
async def test_restart_with_other_settings_takes_away_what_the_earlier_run_put() -> None:
    world = await quiet_world()
    world.kernel.addresses["wan0"].add(ip_interface("10.1.1.1/24"))
    world.former, world.settings = world.settings, world.parsed(text(BACKUP1, BACKUP2))
    await world.restart()
    assert {str(i) for i in world.kernel.addresses["wan0"]} == {"10.1.1.1/24"}, "a foreign one stays"
    assert world.active == "backup1"
    assert tables(world) == {2: "wan1", 3: "wan2"}


def office(*addresses: str) -> str:
    """The settings, with these addresses of the box on the office's side."""
    listed = ", ".join(f'"{address}"' for address in addresses)
    lan = f'[lan]\ndevices = ["lan0", "lan1"]\naddresses = [{listed}]\n'
    return text(MAIN, BACKUP1, BACKUP2, tail=lan + TAIL)


def own(world: World, device: str) -> set[str]:
    return {str(interface) for interface in world.kernel.addresses.get(device, ())}


@story
async def test_the_box_has_its_addresses_in_the_office() -> None:
    world = World(office("192.168.50.1/24", "fd00:50::1/64"))
    world.kernel.up["lan0"] = world.kernel.up["lan1"] = False
    await world.start()
    assert own(world, "lan0") == {"192.168.50.1/24", "fd00:50::1/64"} and own(world, "lan1") == set()
    assert world.kernel.up["lan0"]
    world.kernel.addresses["lan0"].add(ip_interface("10.1.1.1/24"))
    main = kept(world, "wan0")
    await world.change(office("192.168.60.1/24"))
    assert own(world, "lan0") == {"192.168.60.1/24", "10.1.1.1/24"}, "a foreign one stays"
    await world.restart()
    assert own(world, "lan0") == {"192.168.60.1/24", "10.1.1.1/24"}
    assert kept(world, "wan0") == main and world.active == "main"
    world.former, world.settings = world.settings, world.parsed(text(MAIN, BACKUP1, BACKUP2))
    await world.restart()
    assert own(world, "lan0") == {"10.1.1.1/24"}


@story
async def test_an_address_in_the_office_that_was_taken_away_comes_back() -> None:
    world = World(office("192.168.50.1/24"))
    await world.start()
    assert own(world, "lan0") == set() and world.active == "main", "no such device yet"
    world.kernel.up["lan0"] = False
    await world.run(10)
    assert own(world, "lan0") == {"192.168.50.1/24"}
    await world.kernel.remove_address("lan0", ip_interface("192.168.50.1/24"))
    await world.run(10)
    assert own(world, "lan0") == {"192.168.50.1/24"}


@story
async def test_an_address_is_changed_with_no_moment_without_one() -> None:
    world = await quiet_world()
    world.kernel.addresses["wan1"].add(ip_interface("10.1.1.1/24"))
    world.inbox.post(KernelChanged("test"))
    main = kept(world, "wan0")
    bad = BACKUP1.replace("192.168.20.2/24", "192.168.20.77/24")
    await world.change(text(MAIN, bad, BACKUP2), seconds=1)
    assert {str(i) for i in world.kernel.addresses["wan1"]} == {"192.168.20.77/24", "10.1.1.1/24"}
    assert kept(world, "wan0") == main and world.active == "main"
    assert world.path_state("main") == "fit"
    await world.change(text(MAIN, BACKUP1, BACKUP2), seconds=1)
    assert {str(i) for i in world.kernel.addresses["wan1"]} == {"192.168.20.2/24", "10.1.1.1/24"}


@story
async def test_a_bad_address_of_main_moves_its_calls_and_the_old_one_brings_them_home() -> None:
    world = await quiet_world()
    world.after(0.1, lambda: world.calls(backup1=1))
    await world.change(text(MAIN.replace("203.0.113.2/30", "203.0.113.5/29"), BACKUP1, BACKUP2), seconds=3)
    await world.run(2)
    assert (world.active, world.state("main")) == ("backup1", "up_unconfirmed")
    assert ("wan0", "203.0.113.5") not in world.guard.admitted
    await world.change(SETTINGS)
    await world.run(3)
    assert world.state("main") == "up" and world.active == "backup1"
    world.calls()
    await world.run(40)
    assert world.active == "main"


@story
async def test_what_the_kernel_refuses_changes_nothing() -> None:
    world = await quiet_world()
    world.kernel.refused.add(ip_address("203.0.113.65"))
    before = set(world.kernel.items)
    with pytest.raises(DoorError, match="invalid gateway"):
        await world.change(text(MAIN, BACKUP1, BACKUP2, OTHER), seconds=3)
    await world.run(1)
    assert world.kernel.items == before and world.watch.standing()
    assert [u.name for u in world.watch.now().uplinks] == ["main", "backup1", "backup2"]
    assert world.kernel.addresses.get("wan3", set()) == set()
    assert world.log.applied[-1].settings == world.former


@story
async def test_a_kernel_that_cannot_be_asked_refuses_before_anything_is_done() -> None:
    world = await quiet_world()
    world.kernel.deaf = True
    with pytest.raises(DoorError):
        await world.change(text(MAIN, BACKUP1, BACKUP2, OTHER))
    assert world.kernel.steps == [] and world.log.applied == []


@story
async def test_one_change_at_a_time() -> None:
    world = await quiet_world()
    first = asyncio.ensure_future(world.watch.apply(world.parsed(text(BACKUP1, BACKUP2))))
    await asyncio.sleep(0)
    await world.run(0.01)
    second = asyncio.ensure_future(world.watch.apply(world.settings))
    await asyncio.sleep(0)
    await world.run(0.01)
    with pytest.raises(RefusedError, match="under way"):
        await second
    world.former, world.settings = world.settings, world.parsed(text(BACKUP1, BACKUP2))
    world.calls()
    await world.run(0.1)
    await first


@story
async def test_an_uplink_that_is_renamed_keeps_its_history_and_its_call() -> None:
    world = await quiet_world()
    before, quality = set(world.kernel.items), world.watch.now().uplinks[0].rtt_ms
    renamed = MAIN.replace('name = "main"', 'name = "fibre"')
    await world.change(text(renamed, BACKUP1, BACKUP2))
    assert world.kernel.items == before
    assert (world.active, world.state("fibre")) == ("fibre", "up")
    assert world.watch.now().uplinks[0].rtt_ms == pytest.approx(quality, rel=0.2)
    assert world.log.applied[-1].renamed == {"main": "fibre"}
    switches = len(world.log.switches)
    world.calls(fibre=1)
    await world.run(20)
    assert world.active == "fibre" and len(world.log.switches) == switches
    assert world.state("fibre") == "up"


@story
async def test_dhcp_clients_and_watched_devices_come_and_go() -> None:
    world = await quiet_world()
    assert world.served.served == {}, "the daemon starts them"
    static = BACKUP2.replace("dhcp = true", 'addresses = ["100.64.8.10/24"]\ngateways = ["100.64.8.1"]')
    await world.change(text(MAIN, BACKUP1, static))
    assert world.served.served == {}
    assert {str(i) for i in world.kernel.addresses["wan2"]} == {"100.64.8.10/24"}
    assert world.state("backup2") == "up"
    await world.change(SETTINGS, seconds=2)
    assert world.served.served == {"wan2": "backup2"}
    assert world.state("backup2") == "no_address" and world.kernel.addresses["wan2"] == set()
    world.lease("backup2")
    await world.run(1)
    assert world.state("backup2") == "up"


@story
async def test_running_calls_keep_their_provider_and_their_ports() -> None:
    world = await quiet_world()
    tail = TAIL.replace('"192.0.2.10"', '"192.0.2.77"').replace("192.0.2.0/28", "192.0.2.64/28")
    await world.change(
        text(MAIN, BACKUP1, BACKUP2, tail=tail + "[ports]\nsip = 5070\nrtp_first = 20000\nrtp_last = 20999\n")
    )
    held = world.guard.held
    assert held is not None
    assert held.sets["sip_ports"] == {("5060",), ("5061",), ("5070",), ("5071",)}
    assert held.sets["call_ports"] == {("5060-5061",), ("5070-5071",), ("10000-10999",), ("20000-20999",)}
    assert {("192.0.2.0/28",), ("192.0.2.64/28",)} <= held.sets["providers4"]
    world.calls()
    await world.run(0.1)
    assert world.guard.held is not None
    assert world.guard.held.sets["call_ports"] == {("5070-5071",), ("20000-20999",)}
    assert world.guard.held.sets["providers4"] == {("192.0.2.64/28",)}


@story
async def test_watching_takes_its_new_pace_at_once() -> None:
    world = await quiet_world()
    slower = TAIL.replace("[watching]", "[watching]\nactive_interval_ms = 1000\nstandby_interval_ms = 5000")
    await world.change(text(MAIN, BACKUP1, BACKUP2, tail=slower))
    assert world.kernel.steps == []
    at = world.now
    await world.run(20)
    echoes = [p for t, p in world.prober.sent if t > at + 1 and p.uplink == "main" and p.kind == "icmp"]
    assert 15 <= len(echoes) <= 25


@story
async def test_another_server_name_is_looked_up_before_it_is_in_force() -> None:
    world = await quiet_world()
    asking = MAIN.replace("gateways", 'resolvers = ["198.51.100.53"]\ngateways')
    await world.change(text(asking, BACKUP1, BACKUP2))
    tail = TAIL.replace('server = "192.0.2.10"', 'server = "sip.provider.test"')
    await world.change(text(asking, BACKUP1, BACKUP2, tail=tail))
    assert [s.address for s in world.log.applied[-1].servers] == ["192.0.2.10"]
    assert (world.active, world.state("main")) == ("main", "up")


@story
async def test_connections_of_a_channel_that_is_replaced_are_forgotten_and_no_others() -> None:
    world = await quiet_world()
    await world.change(text(MAIN, OTHER, BACKUP2), seconds=1)
    await world.run(2)
    assert tables(world) == {1: "wan0", 2: "wan3", 3: "wan2"}
    assert set(world.kernel.flushed) == {2}, "its number is another channel's now"


@st.composite
def some_uplinks(draw: st.DrawFn) -> str:
    """Some of the channels in any order, some of them off, with another address, name or device."""
    known = draw(st.lists(st.sampled_from([MAIN, BACKUP1, BACKUP2, OTHER]), min_size=1, unique=True))
    uplinks = []
    for one in known:
        match draw(st.sampled_from(["as it is"] * 4 + ["off", "address", "name"])):
            case "off":
                one += "enabled = false\n"
            case "address":
                one = re.sub(r'"(203\.0\.113|192\.168\.20)\.\d+/\d+"', r'"\1.70/24"', one)
                one = re.sub(r'gateways = \["203.*', 'gateways = ["203.0.113.71"]', one)
            case "name":
                one = one.replace('name = "', 'name = "new-')
            case _:
                pass
        uplinks.append(one)
    return text(*uplinks)


@settings(max_examples=20)
@given(st.lists(st.tuples(some_uplinks(), st.sampled_from(["", "call", "cut", "restart"])), max_size=4))
def test_any_changes_in_any_order(changes: list[tuple[str, str]]) -> None:
    async def tell() -> None:
        world = await World().start()
        for change, event in changes:
            before = tables(world)
            active = world.active
            if event == "call" and active:
                world.calls(**{active: 1})
            if event == "cut":
                world.unplug(next(iter(world.channels)))
                world.plug(next(iter(world.channels)))
            try:
                await world.change(change, seconds=9)
            except SettingsError:
                continue
            world.calls()
            for name in world.served.served.values():
                world.lease(name)
            await world.run(1)
            after = tables(world)
            moved = {d for i, d in after.items() if d in before.values() and before.get(i) != d}
            assert not moved, "a channel that lives keeps its number"
            wanted = {u.device for u in world.settings.uplinks if u.enabled}
            assert set(after.values()) <= wanted and set(world.kernel.watched) == wanted
            for device, borne in world.kernel.addresses.items():
                ours = world.kernel.ours.get(device, set())
                known = {
                    i for u in world.settings.uplinks if u.enabled and u.device == device for i in u.addresses
                }
                assert ours <= known | world.leases, "nothing of ours is left behind"
                assert device not in wanted or known <= borne
            assert [u.name for u in world.watch.now().uplinks] == [u.name for u in world.settings.uplinks]
            if event == "restart":
                await world.restart(1)
                assert tables(world) == after

    asyncio.run(tell())
