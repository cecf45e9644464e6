"""A world for the uplinks room: kernel, guard, probes, names and a clock that jumps, with verbs of the world.

Everything stands in for a door as a backend of its own; a story pulls cables and reads what the room did.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, ip_address, ip_interface

from gateway import schema
from gateway.errors import DoorError, GatewayError
from gateway.messages import Event, MediaQuiet, Paths, Server
from gateway.uplinks.guard import Guard
from gateway.uplinks.inputs import Input
from gateway.uplinks.model import (
    Address,
    AddressesSeen,
    Gathered,
    Interface,
    KernelChanged,
    LeaseSeen,
    LinkSeen,
    ProbeAnswered,
    ProbeRefused,
    SendProbe,
    UplinkPath,
)
from gateway.uplinks.routes import TRUNK_TABLE, Add, Change, Delete, Item, Replace, Route
from gateway.uplinks.talk import Confirmed, Doors, Output, PictureChanged, SettingsApplied, Switched
from gateway.uplinks.watch import Watch
from gateway.uplinks.wiring import Ask, Resolved

SETTINGS = """
[appliance]
country = "GB"
[[uplinks]]
name = "main"
device = "wan0"
addresses = ["203.0.113.2/30"]
gateways = ["203.0.113.1"]
[[uplinks]]
name = "backup1"
device = "wan1"
addresses = ["192.168.20.2/24"]
gateways = ["192.168.20.1"]
public_address = "198.51.100.20"
[[uplinks]]
name = "backup2"
device = "wan2"
dhcp = true
metered = true
public_address = "192.0.2.30"
[trunk]
server = "192.0.2.10"
default_caller_id = "443069990100"
networks = ["192.0.2.0/28"]
[watching]
hosts = ["198.51.100.200", "198.51.100.201"]
stun_servers = ["198.51.100.200:3478", "198.51.100.201:3478"]
"""
PUBLIC = {"main": "203.0.113.2", "backup1": "198.51.100.20", "backup2": "192.0.2.30"}
LEASE = ip_interface("100.64.8.10/24")
ROUTER = IPv4Address("100.64.8.1")
EPOCH = 1_750_000_000.0
QUIET_S = 0.09
"""How long the calls process waits before it speaks of silence."""


@dataclass
class Channel:
    """One way to the Internet, and the weather on it. Delays in seconds, loss is a share of 1."""

    name: str
    device: str
    public: Address
    rtt_s: float = 0.040
    jitter_s: float = 0.0
    loss: float = 0.0
    carrier: bool = True
    present: bool = True
    silent: bool = False
    provider_silent: bool = False
    refuses: bool = False
    calls: int = 0


class FakeKernel:
    """Links, addresses and routes of a kernel, as the netlink door shows them."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.items: set[Item] = set()
        self.flushed: list[int] = []
        self.up: dict[str, bool] = {}
        self.addresses: dict[str, set[Interface]] = {}
        self.ours: dict[str, set[Interface]] = {}
        self.watched: tuple[str, ...] = ()
        self.conflicts: dict[str, frozenset[Address]] = {}
        self.broken = False
        self.deaf = False
        self.refused: set[Address] = set()
        self.steps: list[str] = []

    def hurry(self, on: bool) -> None:
        pass

    async def snapshot(self) -> frozenset[Item]:
        if self.broken:
            raise DoorError("no buffer space", where="kernel", remedy="None")
        return frozenset(self.items)

    async def apply(self, changes: list[Change]) -> None:
        if self.broken:
            raise DoorError("no buffer space", where="kernel", remedy="None")
        self.steps.append("routes")
        for change in changes:
            match change:
                case Add(item):
                    if isinstance(item, Route) and item.device and not self.up.get(item.device):
                        raise DoorError("network is down", where=item.device, remedy="None")
                    if isinstance(item, Route) and item.gateway in self.refused:
                        raise DoorError("invalid gateway", where=item.device, remedy="None")
                    self.items.add(item)
                case Replace(old, new):
                    if new.gateway in self.refused:
                        raise DoorError("invalid gateway", where=new.device, remedy="None")
                    self.items.discard(old)
                    self.items.add(new)
                case Delete(item):
                    self.items.discard(item)

    async def set_address(self, device: str, address: Interface, instead_of: Interface | None = None) -> None:
        if device not in self.up:
            raise DoorError("there is no such network device", where=device, remedy="None")
        if address not in self.addresses.setdefault(device, set()):
            self.addresses[device].add(address)
            self.ours.setdefault(device, set()).add(address)
        self.steps.append("address")
        self.tell_addresses(device)

    async def remove_address(self, device: str, address: Interface) -> None:
        self.steps.append("address")
        self.addresses.setdefault(device, set()).discard(address)
        self.ours.setdefault(device, set()).discard(address)
        self.erase(device, address.ip)
        self.tell_addresses(device)

    async def set_link_up(self, device: str) -> None:
        if device not in self.up:
            raise DoorError("there is no such network device", where=device, remedy="None")
        self.up[device] = True
        if device in self.watched:
            self._world.tell_link(self._world.by_device(device))

    async def watch(self, devices: Sequence[str], lan: Sequence[str], announced: Sequence[str]) -> None:
        if self.deaf and set(devices) - set(self.watched):
            raise DoorError("no buffer space", where="kernel", remedy="None")
        fresh = [device for device in devices if device not in self.watched]
        self.watched = tuple(devices)
        for device in fresh:
            self._world.tell_link(self._world.by_device(device))
            self.tell_addresses(device)

    def borne(self) -> dict[str, frozenset[Interface]]:
        return {device: frozenset(ours) for device, ours in self.ours.items() if ours}

    async def flush_conntrack(self, index: int) -> None:
        self.steps.append("flush")
        self.flushed.append(index)

    # --- verbs of the world ---

    def tell_addresses(self, device: str) -> None:
        seen, ours = (frozenset(known.get(device, ())) for known in (self.addresses, self.ours))
        self._world.inbox.post(AddressesSeen(device, seen, self.conflicts.get(device, frozenset()), ours))

    def erase(self, device: str, source: Address | None = None) -> None:
        """Routes go with their device or address."""
        self.items = {
            i
            for i in self.items
            if not (isinstance(i, Route) and i.device == device and source in (None, i.source))
        }

    @property
    def trunk_device(self) -> str:
        """Where unbound trunk traffic goes."""
        found = [i.device for i in self.items if isinstance(i, Route) and i.table == TRUNK_TABLE and i.device]
        assert len(found) <= 1, "two ways for the trunk"
        return "".join(found)


class FakeGuard:
    """The packet filter, with everything that it was ever told to let out."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.held: Guard | None = None

    def apply(self, wanted: Guard) -> None:
        self._world.kernel.steps.append("guard")
        self.held = wanted

    def stands(self, wanted: Guard) -> bool:
        return self.held == wanted

    @property
    def admitted(self) -> set[tuple[str, str]]:
        """Pairs of device and address that may speak to the provider."""
        if self.held is None:
            return set()
        return {(e[0], e[1]) for name in ("admitted4", "admitted6") for e in self.held.sets[name]}


class FakeProber:
    """Probes that the channels' weather answers, or not."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._relaxed = False
        self._lying: list[tuple[float, ProbeAnswered]] = []
        self.sent: list[tuple[float, SendProbe]] = []
        self.forgotten: list[str] = []

    def relax(self, on: bool) -> None:
        self._relaxed = on
        if not on:
            for gathered in self.gather():
                for answer in gathered.answers:
                    self._world.inbox.post(answer)

    def gather(self) -> list[Gathered]:
        lying, self._lying = self._lying, []
        found: dict[str, list[ProbeAnswered]] = {}
        for came_s, answer in lying:
            found.setdefault(answer.uplink, []).append(replace(answer, unread_s=self._world.now - came_s))
        return [Gathered(uplink, tuple(answers)) for uplink, answers in found.items()]

    def forget(self, uplink: str) -> None:
        self.forgotten.append(uplink)

    def send(self, probe: SendProbe, path: UplinkPath, target: Address, port: int = 0) -> None:
        world, channel = self._world, self._world.by_device(path.device)
        self.sent.append((world.now, probe))
        if channel.refuses:
            world.inbox.post(
                ProbeRefused(probe.uplink, probe.kind, probe.target, probe.sequence, "no buffer space")
            )
            return
        lost = (
            channel.silent
            or not channel.carrier
            or target in world.dead_hosts
            or (channel.provider_silent and probe.kind == "options")
            or world.dice.random() < 1 - (1 - channel.loss) ** 2
        )
        if lost:
            return
        rtt_s = channel.rtt_s + sum(world.dice.uniform(0, channel.jitter_s) for _ in range(2))

        def answer() -> None:
            # A blackhole swallows also what is on its way.
            if not channel.silent and channel.carrier:
                observed = None if probe.kind == "icmp" else channel.public
                code = 200 if probe.kind == "options" else None
                answered = ProbeAnswered(
                    probe.uplink, probe.kind, probe.target, probe.sequence, rtt_s, observed, code
                )
                if self._relaxed:
                    self._lying.append((world.now, answered))
                else:
                    world.inbox.post(answered)

        world.after(rtt_s, answer)


class FakeResolver:
    """Names that resolve, while any uplink that is asked works."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.asked: list[tuple[Ask, ...]] = []

    async def servers(self, trunk: schema.Trunk, asks: tuple[Ask, ...]) -> Resolved:
        self.asked.append(asks)
        if all(self._world.channels[ask.uplink].silent for ask in asks):
            raise DoorError("no resolver answers", where="DNS", remedy="Check the resolvers")
        return Resolved((Server(address="192.0.2.10", port=5060, transport="udp"),), 300.0)

    async def endpoints(self, names: tuple[str, ...], asks: tuple[Ask, ...]) -> tuple[str, ...]:
        return ()


class FakeLeases:
    """DHCP clients: the world's `lease` speaks for them."""

    def __init__(self) -> None:
        self.served: dict[str, str] = {}

    def follow(self, uplinks: Mapping[str, str]) -> None:
        self.served = dict(uplinks)


class FakeInbox:
    """Posts in order; the world is its only reader."""

    def __init__(self) -> None:
        self.items: list[Input] = []

    def post(self, item: Input) -> None:
        self.items.append(item)

    async def next(self, until: float | None = None) -> Input | None:
        raise AssertionError("the world turns the room itself")


@dataclass
class Log:
    """What the room has said."""

    events: list[Event] = field(default_factory=list)
    switches: list[tuple[float, Switched]] = field(default_factory=list)
    paths: list[tuple[float, Paths]] = field(default_factory=list)
    applied: list[SettingsApplied] = field(default_factory=list)


class World:
    """Three channels, a provider, a clock. Build it in a running loop; `await start()` first."""

    def __init__(
        self,
        settings: str = SETTINGS,
        confirmed: tuple[str, ...] = ("main", "backup1", "backup2"),
        seed: int = 1,
        started: bool = True,
    ) -> None:
        self.now = 1000.0
        self.dice = random.Random(seed)
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.settings = self.former = schema.parse(settings, "story")
        self.inbox = FakeInbox()
        self.kernel = FakeKernel(self)
        self.guard = FakeGuard(self)
        self.prober = FakeProber(self)
        self.resolver = FakeResolver(self)
        self.served = FakeLeases()
        self.dead_hosts: set[Address] = set()
        self.leases: set[Interface] = {LEASE}
        self.channels = {
            u.name: Channel(u.name, u.device, ip_address(PUBLIC[u.name])) for u in self.settings.uplinks
        }
        self.confirmed = {
            name: Confirmed(ip_address(PUBLIC[name]), EPOCH) for name in confirmed if name in self.channels
        }
        self.log = Log()
        self.watch = self._room()

    def _room(self) -> Watch:
        return Watch(
            self.settings,
            Doors(self.kernel, self.guard, self.prober, self.resolver, self.served),
            self.inbox,
            self.confirmed,
            self._heard,
            clock=lambda: self.now,
            wall=lambda: EPOCH + self.now,
        )

    def _heard(self, output: Output) -> None:
        match output:
            case Event():
                self.log.events.append(output)
            case SettingsApplied():
                self.log.applied.append(output)
            case Switched():
                self.log.switches.append((self.now, output))
            case PictureChanged():
                paths = self.watch.paths()
                if not self.log.paths or self.log.paths[-1][1] != paths:
                    self.kernel.steps.append("paths")
                    self.log.paths.append((self.now, paths))
            case _:
                pass

    # --- time ---

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + seconds, next(self._numbers), then))

    async def start(self, seconds: float = 3.0) -> "World":
        """Plug everything in and let the room find its feet."""
        await self.watch.adopt()
        self.kernel.watched = tuple(u.device for u in self.settings.uplinks if u.enabled)
        for channel in self.channels.values():
            self.kernel.up.setdefault(channel.device, False)
            self.tell_link(channel)
            self.kernel.tell_addresses(channel.device)
        if "backup2" in self.channels:
            self.lease("backup2")
        await self.run(seconds)
        return self

    async def run(self, seconds: float) -> None:
        """Let time pass; the room turns whenever it has news or is due."""
        end = self.now + seconds
        turns = 0
        while True:
            while self.inbox.items:
                await self.watch.turn(self.inbox.items.pop(0))
                self._check()
                turns += 1
                assert turns < 5000, "the room turns without end"
            wake = min(self.watch.due(), self._queue[0][0] if self._queue else end + 1)
            if wake > end:
                self.now = end
                return
            if wake > self.now:
                turns = 0
            self.now = max(self.now, wake)
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            if not self.inbox.items:
                await self.watch.turn(None)
                self._check()
                turns += 1
                assert turns < 5000, "the room turns without end"

    def _check(self) -> None:
        """What must hold at every moment."""
        allowed = {
            (u.device, str(i.ip))
            for settings in (self.former, self.settings)
            for u in settings.uplinks
            for i in (u.addresses or self.leases)
            if u.name in self.watch.confirming()
            or (u.name in self.confirmed and self.confirmed[u.name].address in (u.public_address, i.ip))
        }
        assert self.guard.admitted <= allowed, "an unconfirmed pair was let out"
        device = self.kernel.trunk_device
        assert (
            self.guard.held is None or not device or any(device == pair[0] for pair in self.guard.admitted)
        ), "trunk without a pair"

    # --- verbs of the world ---

    def by_device(self, device: str) -> Channel:
        return next(c for c in self.channels.values() if c.device == device)

    def tell_link(self, channel: Channel) -> None:
        up = channel.present and self.kernel.up.get(channel.device, False)
        self.inbox.post(LinkSeen(channel.device, channel.present, up, up and channel.carrier, 1))

    def unplug(self, name: str) -> None:
        """Pull the cable."""
        self.channels[name].carrier = False
        self.tell_link(self.channels[name])

    def plug(self, name: str) -> None:
        """Put the cable back."""
        self.channels[name].carrier = True
        self.tell_link(self.channels[name])

    def vanish(self, name: str) -> None:
        """Pull the modem."""
        channel = self.channels[name]
        channel.present = False
        self.kernel.up.pop(channel.device, None)
        self.kernel.addresses.pop(channel.device, None)
        self.kernel.erase(channel.device)
        self.tell_link(channel)
        self.kernel.tell_addresses(channel.device)
        self.inbox.post(KernelChanged("a device went, and routes with it"))

    def appear(self, name: str) -> None:
        """Plug the modem in again."""
        channel = self.channels[name]
        channel.present = True
        self.kernel.up[channel.device] = False
        self.tell_link(channel)
        self.kernel.tell_addresses(channel.device)

    def blackhole(self, name: str) -> None:
        """The line swallows everything; a call's media falls silent with it."""
        channel = self.channels[name]
        channel.silent = True
        if channel.calls:
            self.after(QUIET_S, lambda: self.quiet(name))

    def heal(self, name: str) -> None:
        channel = self.channels[name]
        channel.silent = channel.provider_silent = channel.refuses = False
        channel.loss = channel.jitter_s = 0.0
        channel.rtt_s = 0.040

    def quiet(self, name: str) -> None:
        calls = self.channels[name].calls
        self.watch.media_quiet(MediaQuiet(uplink=name, calls=calls, quiet_ms=round(1000 * QUIET_S)))

    def drift(self, name: str, public: str) -> None:
        """The carrier gives another public address."""
        self.channels[name].public = ip_address(public)

    def lease(self, name: str, interface: Interface | None = LEASE) -> None:
        """DHCP speaks; None: the lease is lost."""
        device = self.channels[name].device
        gateway = ROUTER if interface is not None else None
        self.leases |= {interface} if interface is not None else set()
        self.inbox.post(LeaseSeen(device, interface, gateway))

    def conflict(self, name: str, claimed: bool = True) -> None:
        """Another host claims (or gives up) our address."""
        channel = self.channels[name]
        mine = frozenset(i.ip for i in self.kernel.addresses.get(channel.device, ()))
        self.kernel.conflicts[channel.device] = mine if claimed else frozenset()
        self.kernel.tell_addresses(channel.device)

    def calls(self, **counts: int) -> None:
        """So many calls are up on each uplink."""
        for channel in self.channels.values():
            channel.calls = counts.get(channel.name, 0)
        self.watch.calls(counts)

    def parsed(self, text: str) -> schema.Settings:
        """Settings of another text."""
        return schema.parse(text, "change")

    async def change(self, text: str, seconds: float = 0.5) -> None:
        """The owner has other settings; raises what the room says against them."""
        self.former, self.settings = self.settings, schema.parse(text, "change")
        for new in self.settings.uplinks:
            old = next((c for c in self.channels.values() if c.device == new.device), None)
            if old is None:
                public = PUBLIC.get(new.name) or str(new.public_address or new.addresses[0].ip)
                self.channels[new.name] = Channel(new.name, new.device, ip_address(public))
                self.kernel.up.setdefault(new.device, True)
            elif old.name != new.name and new.name not in self.channels:
                if old.name in self.confirmed:
                    self.confirmed[new.name] = self.confirmed[old.name]
                self.channels[new.name] = self.channels.pop(old.name)
                old.name = new.name
        applied = asyncio.ensure_future(self.watch.apply(self.settings))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        until = self.now + seconds
        while not applied.done() and self.now < until:
            await self.run(0.01)
            await asyncio.sleep(0)
        await self.run(0.01)
        if not applied.done():
            applied.cancel()
            raise AssertionError(f"not applied within {seconds} s")
        try:
            await applied
        except GatewayError:
            self.settings = self.former
            raise

    async def restart(self, seconds: float = 3.0) -> None:
        """The daemon starts anew; kernel, guard and channels stay as they are."""
        self.inbox.items.clear()
        self._queue.clear()
        self.kernel.steps.clear()
        self.watch = self._room()
        await self.start(seconds)

    # --- what can be read off ---

    def state(self, name: str) -> str:
        return next(u.state for u in self.watch.now().uplinks if u.name == name)

    def sentence(self, name: str) -> str:
        return next(u.sentence for u in self.watch.now().uplinks if u.name == name)

    def path_state(self, name: str) -> str:
        return next(p.state for p in self.watch.paths().paths if p.uplink == name)

    @property
    def active(self) -> str:
        return self.watch.now().active_uplink
