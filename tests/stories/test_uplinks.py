"""What an office lives through, and what the uplinks room does about it."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from ipaddress import ip_interface
from typing import Any, ParamSpec

from gateway.uplinks.model import KernelChanged
from tests.uplinks.world import World

P = ParamSpec("P")


def story(tell: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a story on a loop of its own; its time is the world's."""

    @wraps(tell)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(tell(*args, **kwargs))

    return run


@story
async def test_at_the_start_calls_leave_by_the_main_uplink() -> None:
    world = await World().start()
    assert [world.state(n) for n in world.channels] == ["up", "up", "up"]
    assert world.active == "main"
    assert world.kernel.trunk_device == "wan0"
    assert world.watch.standing()


@story
async def test_a_pulled_cable_moves_calls_at_once() -> None:
    world = await World().start()
    world.calls(main=1)
    await world.run(5)
    world.kernel.steps.clear()
    at = world.now
    world.unplug("main")
    await world.run(0.01)
    assert world.active == "backup1"
    assert world.kernel.trunk_device == "wan1"
    assert (world.state("main"), world.path_state("main")) == ("no_carrier", "leave")
    assert world.log.switches[-1][0] == at, "decided in the very turn that saw it"
    # Law 3: route, guard, word to the calls process, old connections, in this order.
    order = [s for s in world.kernel.steps if s != "guard"]
    assert order[:3] == ["routes", "paths", "flush"]
    assert world.kernel.flushed == [1]
    assert "cable" in world.sentence("main")


@story
async def test_a_blackhole_during_a_call_is_decided_by_a_burst() -> None:
    for seed in range(30):
        world = await World(seed=seed).start()
        world.calls(main=1)
        await world.run(5 + seed / 100)
        at = world.now
        world.blackhole("main")
        await world.run(1)
        decided = world.log.switches[-1][0] - at
        assert world.active == "backup1"
        assert decided <= 0.2 + 0.040
        assert world.log.switches[-1][1].silent_s > 0.09


@story
async def test_a_blackhole_without_calls_is_found_by_probes() -> None:
    for seed in range(30):
        world = await World(seed=seed).start()
        await world.run(5 + seed / 100)
        at = world.now
        world.blackhole("main")
        await world.run(2)
        assert world.active == "backup1"
        assert world.log.switches[-1][0] - at <= 0.7


@story
async def test_loss_and_jitter_alone_move_nothing() -> None:
    world = await World(seed=7).start()
    for channel in world.channels.values():
        channel.loss, channel.jitter_s = 0.02, 0.06
    world.calls(main=2)
    for _ in range(180):
        # Gaps in the media raise suspicion again and again.
        world.quiet("main")
        await world.run(0.05)
        world.watch.media_heard("main")
        await world.run(9.95)
    assert world.active == "main"
    assert len(world.log.switches) == 1, "only the first choice"


@story
async def test_a_far_end_that_pauses_its_media_moves_nothing() -> None:
    world = await World().start()
    world.calls(main=1)
    await world.run(5)
    before = len(world.prober.sent)
    world.quiet("main")
    await world.run(5)
    world.watch.media_heard("main")
    await world.run(1)
    assert world.active == "main" and world.state("main") == "up"
    assert len(world.log.switches) == 1
    assert len(world.prober.sent) - before < 120, "one burst, not one after another"


@story
async def test_calls_stay_where_they_are_when_all_uplinks_are_dead() -> None:
    world = await World().start()
    world.calls(main=1)
    await world.run(5)
    for name in ("backup2", "backup1", "main"):
        world.blackhole(name)
    await world.run(5)
    assert world.active == ""
    assert [world.state(n) for n in world.channels] == ["down", "down", "down"]
    assert world.path_state("main") == "unfit", "not `leave`: there is nowhere to go"
    assert world.kernel.flushed == []
    assert world.kernel.trunk_device == "wan0"
    world.heal("main")
    await world.run(3)
    assert world.active == "main" and world.path_state("main") == "fit"


@story
async def test_a_silent_provider_is_no_reason_to_move() -> None:
    world = await World().start()
    world.calls(main=1)
    await world.run(5)
    for channel in world.channels.values():
        channel.provider_silent = True
    world.quiet("main")
    await world.run(120)
    assert world.active == "main"
    assert world.watch.now().provider_silent
    assert len(world.log.switches) == 1
    for name in world.channels:
        world.heal(name)
    await world.run(30)
    assert not world.watch.now().provider_silent
    assert world.active == "main" and world.state("main") == "up"


@story
async def test_a_provider_silent_on_one_uplink_alone_is_left() -> None:
    world = await World().start()
    world.calls(main=1)
    await world.run(5)
    world.channels["main"].provider_silent = True
    await world.run(15)
    assert world.state("main") == "no_trunk"
    assert world.active == "backup1"
    assert world.watch.now().internet_uplink == "main", "the Internet stays"
    assert world.kernel.flushed == []


@story
async def test_drift_takes_an_uplink_out_at_once_and_its_return_brings_it_back() -> None:
    world = await World().start()
    world.calls(main=1)
    await world.run(5)
    world.drift("main", "203.0.113.77")
    await world.run(31)
    assert world.state("main") == "drifted"
    assert ("wan0", "203.0.113.2") not in world.guard.admitted
    assert world.active == "backup1" and world.path_state("main") == "leave"
    assert "203.0.113.77" in world.sentence("main")
    world.drift("main", "203.0.113.2")
    await world.run(31)
    assert world.state("main") == "up"
    assert ("wan0", "203.0.113.2") in world.guard.admitted


@story
async def test_failback_waits_for_clean_time_and_quiet() -> None:
    world = await World().start()
    await world.run(5)
    world.unplug("main")
    await world.run(1)
    world.calls(backup1=2)
    world.plug("main")
    await world.run(29)
    assert world.active == "backup1"
    await world.run(60)
    assert world.active == "backup1", "calls are up on it"
    world.calls()
    await world.run(0.1)
    assert world.active == "main"
    assert world.path_state("backup1") == "fit", "what runs there may end there"
    assert world.kernel.flushed == [1]


@story
async def test_failback_does_not_wait_for_ever() -> None:
    world = await World().start()
    world.unplug("main")
    await world.run(1)
    world.calls(backup1=1)
    world.plug("main")
    await world.run(3600 + 32)
    assert world.active == "main"


@story
async def test_the_owners_order_moves_calls_and_stands() -> None:
    world = await World().start()
    world.calls(main=1)
    await world.run(1)
    assert "backup2" in world.watch.use("backup2")
    await world.run(0.1)
    assert world.active == "backup2" and world.path_state("main") == "leave"
    world.calls(backup2=1)
    await world.run(600)
    assert world.active == "backup2" and world.path_state("main") == "fit"
    world.watch.use("")
    world.calls()
    await world.run(1)
    assert world.active == "main"


@story
async def test_a_lost_lease_and_a_new_one() -> None:
    world = await World().start()
    world.lease("backup2", None)
    await world.run(1)
    assert world.state("backup2") == "no_address"
    assert world.kernel.addresses["wan2"] == set()
    world.lease("backup2")
    await world.run(3)
    assert world.state("backup2") == "up"


@story
async def test_a_modem_that_is_pulled_and_put_back() -> None:
    world = await World().start()
    world.vanish("backup1")
    await world.run(1)
    assert world.state("backup1") == "no_device"
    assert world.active == "main" and world.watch.standing()
    world.appear("backup1")
    await world.run(3)
    assert world.state("backup1") == "up"
    assert {str(a) for a in world.kernel.addresses["wan1"]} == {"192.168.20.2/24"}


@story
async def test_another_host_with_our_address() -> None:
    world = await World().start()
    world.conflict("main")
    await world.run(1)
    assert world.state("main") == "conflict" and world.active == "backup1"
    assert "203.0.113.2" in world.sentence("main")
    world.conflict("main", claimed=False)
    await world.run(40)
    assert world.active == "main"


@story
async def test_flapping_settles_on_the_backup() -> None:
    world = await World().start()
    for _ in range(600):
        world.unplug("main")
        await world.run(0.5)
        world.plug("main")
        await world.run(0.5)
    assert len(world.log.switches) <= 3
    assert world.active == "backup1"
    assert len([e for e in world.log.events if e.uplink == "main"]) < 30
    await world.run(40)
    assert world.state("main") == "damped" and world.active == "backup1"
    await world.run(1000)
    assert world.state("main") == "up" and world.active == "main"


@story
async def test_the_last_one_is_never_held_in_reserve() -> None:
    world = await World().start()
    world.blackhole("backup1")
    world.blackhole("backup2")
    await world.run(20)
    for _ in range(20):
        world.unplug("main")
        await world.run(0.5)
        world.plug("main")
        await world.run(2)
    assert world.active == "main" and world.state("main") == "up"


@story
async def test_a_restart_adopts_what_it_finds() -> None:
    world = await World().start()
    world.unplug("main")
    await world.run(1)
    world.plug("main")
    await world.run(1)
    items, admitted = set(world.kernel.items), set(world.guard.admitted)
    world.log.switches.clear()
    world.log.paths.clear()
    await world.restart(0.001)
    assert world.kernel.items == items and world.guard.admitted == admitted
    assert world.kernel.steps.count("routes") == 0 and world.kernel.flushed == [1]
    await world.run(5)
    assert world.active == "backup1" and not world.log.switches
    assert all(paths.active == "backup1" for _, paths in world.log.paths)
    assert all(p.state != "leave" for _, ps in world.log.paths for p in ps.paths if p.uplink == "backup1")


@story
async def test_lost_kernel_events_are_no_loss() -> None:
    world = await World().start()
    world.kernel.broken = True
    world.unplug("main")
    await world.run(2)
    assert world.active == "backup1", "the calls process is told even so"
    assert not world.watch.standing()
    world.kernel.broken = False
    await world.run(6)
    assert world.watch.standing() and world.kernel.trunk_device == "wan1"


@story
async def test_what_others_change_is_put_right_and_said() -> None:
    world = await World().start()
    whole = set(world.kernel.items)
    world.kernel.items = {i for i in whole if hash(i) % 3}
    world.inbox.post(KernelChanged("a route in our tables was changed by somebody else"))
    await world.run(1)
    assert world.kernel.items == whole
    world.kernel.items = {i for i in whole if hash(i) % 3}
    await world.run(62)
    assert world.kernel.items == whole, "also when the kernel tells nothing"
    assert any("put right" in e.text for e in world.log.events)
    world.guard.held = None
    await world.run(6)
    assert ("wan0", "203.0.113.2") in world.guard.admitted


@story
async def test_a_brownout_is_left_for_a_better_one_and_returned_from_late() -> None:
    world = await World().start()
    world.calls(main=1)
    await world.run(30)
    world.channels["main"].loss = 0.2
    await world.run(30)
    assert world.state("main") == "degraded"
    assert world.active == "backup1" and world.path_state("main") == "leave"
    world.calls()
    world.heal("main")
    await world.run(55)
    assert world.active == "backup1"
    await world.run(120)
    assert world.active == "main"


@story
async def test_a_brownout_everywhere_moves_nothing() -> None:
    world = await World().start()
    await world.run(30)
    for channel in world.channels.values():
        channel.loss = 0.15
    await world.run(120)
    assert len(world.log.switches) <= 1


@story
async def test_refused_probes_count_as_lost_at_once() -> None:
    world = await World().start()
    await world.run(5)
    at = world.now
    world.channels["main"].refuses = True
    await world.run(1)
    assert world.active == "backup1"
    assert world.log.switches[-1][0] - at <= 0.3


@story
async def test_a_dead_host_is_not_a_dead_uplink() -> None:
    world = await World().start()
    world.dead_hosts = set(world.settings.watching.hosts[:1])
    await world.run(600)
    assert len(world.log.switches) == 1
    recent = [p for t, p in world.prober.sent if t > world.now - 60 and p.uplink == "main"]
    assert len(recent) < 400, "a host set aside raises no more bursts"


@story
async def test_an_unconfirmed_uplink_is_for_the_internet_only() -> None:
    world = await World(confirmed=("backup1",)).start()
    assert world.state("main") == "up_unconfirmed" and world.path_state("main") == "unfit"
    assert world.active == "backup1" and world.watch.now().internet_uplink == "main"
    assert "gatewayctl trunk confirm main" in world.sentence("main")


@story
async def test_a_confirmation_call_is_let_out_for_a_minute() -> None:
    world = await World(confirmed=("backup1",)).start()
    admission = asyncio.ensure_future(world.watch.admit("main"))
    await asyncio.sleep(0)
    await world.run(0.01)
    path = await admission
    assert (path.local_address, path.state) == ("203.0.113.2", "unfit")
    assert ("wan0", "203.0.113.2") in world.guard.admitted
    await world.run(61)
    assert ("wan0", "203.0.113.2") not in world.guard.admitted


@story
async def test_the_provider_is_asked_what_it_sees() -> None:
    world = await World().start()
    asked = asyncio.ensure_future(world.watch.observe("backup1", 4))
    await asyncio.sleep(0)
    await world.run(1)
    assert await asked == "198.51.100.20"


@story
async def test_a_name_is_looked_up_and_kept_when_dns_fails() -> None:
    text = world_settings_with_a_name()
    world = await World(text).start()
    assert world.watch.servers() == ()
    async with asyncio.TaskGroup() as tasks:
        world.watch.resolve(tasks)
    await world.run(3)
    assert [s.address for s in world.watch.servers()] == ["192.0.2.10"]
    assert world.active == "main"
    for name in world.channels:
        world.blackhole(name)
    await world.run(301)
    async with asyncio.TaskGroup() as tasks:
        world.watch.resolve(tasks)
    await world.run(1)
    assert [s.address for s in world.watch.servers()] == ["192.0.2.10"]
    assert any("no resolver answers" in e.text for e in world.log.events)


def world_settings_with_a_name() -> str:
    from tests.uplinks.world import SETTINGS

    return SETTINGS.replace('server = "192.0.2.10"', 'server = "sip.provider.test"').replace(
        'device = "wan0"\n', 'device = "wan0"\nresolvers = ["198.51.100.53"]\n'
    )


@story
async def test_what_was_lost_before_a_line_came_up_is_no_loss_of_it() -> None:
    world = await World().start()
    world.calls(main=1)
    world.unplug("main")
    await world.run(2)
    world.blackhole("main")
    world.plug("main")  # its router needs a moment longer than the wire
    await world.run(0.6)
    world.heal("main")
    for _ in range(20):
        await world.run(1)
        assert not next(u.loss for u in world.watch.now().uplinks if u.name == "main")


@story
async def test_connections_that_drain_on_a_channel_leave_it_when_it_dies() -> None:
    world = await World().start()
    await world.run(5)
    world.unplug("backup1")
    await world.run(0.1)
    assert (world.watch.now().internet_uplink, world.kernel.flushed) == ("main", [2])


@story
async def test_connections_keep_no_address_that_the_channel_has_lost() -> None:
    world = await World().start()
    await world.run(5)
    world.lease("backup2", ip_interface("100.64.8.77/24"))
    await world.run(1)
    assert set(world.kernel.flushed) == {3}
