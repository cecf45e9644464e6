"""Law: one turn at a time: what was seen goes to health, health to choice, choice to the kernel; a switch is
done in the order new route, guard, word to the calls process, old connections forgotten, read back.

The loop of the uplinks room, long for its many small hands. Tables decide, doors act. What it finds at the
start it adopts, and at the end it leaves everything standing.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Never, Protocol

from gateway.errors import DoorError, RefusedError
from gateway.messages import Event, EventKind, MediaQuiet, Path, Paths, Server
from gateway.schema import Lan, Ports, Settings, Trunk, Uplink, Watching
from gateway.status import UplinkStatus
from gateway.uplinks.choice import Action as Choices
from gateway.uplinks.choice import Calls, Carry, Choice, Order, Share, Views
from gateway.uplinks.health import Event as HealthEvent
from gateway.uplinks.health import Health
from gateway.uplinks.keeping import Keeper
from gateway.uplinks.model import (
    Address,
    AddressesSeen,
    Damped,
    Duty,
    HealthChanged,
    Identity,
    Interface,
    KernelChanged,
    KernelPlan,
    LeaseSeen,
    LinkSeen,
    LookAgain,
    Measure,
    MediaBack,
    MediaSilent,
    Network,
    ProbeAnswered,
    ProbeRefused,
    RouterSeen,
    SendProbe,
    TargetsKnown,
    Verify,
)
from gateway.uplinks.talk import (
    Confirmed,
    Doors,
    Output,
    Picture,
    PictureChanged,
    Prober,
    Resolver,
    ServersKnown,
    Switched,
    address_text,
    path_of,
    refuse_confirmation,
)
from gateway.uplinks.wiring import Ask, Resolved, Wire, address_of, collapsed, endpoint, literal_servers

__all__ = [
    "Confirmed",
    "Doors",
    "Input",
    "Output",
    "Picture",
    "PictureChanged",
    "Prober",
    "Resolver",
    "ServersKnown",
    "Switched",
    "Watch",
]

CONFIRMING_S = 60.0
"""The longest that a confirmation call may leave by an unconfirmed address."""
RESCUE_GRACE_S = 5.0
"""The guard stays open so long after a call for help: its BYE has to get out."""
RESOLVE_AGAIN_S = 2.0
RESOLVE_MOST_S = 3600.0
LASTING_S = 1.0
"""A state is told to the owner once it has lasted so long."""
REFUSED_AGAIN_S = 5.0
"""An IPv6 address that another host has is tried again after so long."""
MEND_S = 1.0
"""A device that does not take its address is told again after so long."""
TURN_S = 1.0
"""The loop turns at least this often."""


# --- what goes in -----------------------------------------------------------------------------


class Post(Protocol):
    """Where the doors post and the room reads: an Inbox."""

    def post(self, item: "Input") -> None:
        """Safe from any thread."""

    async def next(self, until: float | None = None) -> "Input | None":
        """The oldest item, or None once the loop's time has reached `until`."""


@dataclass(frozen=True, slots=True)
class _Media:
    uplink: str
    event: MediaSilent | MediaBack


@dataclass(frozen=True, slots=True)
class _Confirmations:
    confirmed: Mapping[str, Confirmed]


@dataclass(frozen=True, slots=True)
class _Admit:
    uplink: str
    done: asyncio.Future[Path]


@dataclass(frozen=True, slots=True)
class _Release:
    uplink: str


@dataclass(frozen=True, slots=True)
class _Rescue:
    on: bool


@dataclass(frozen=True, slots=True)
class _Observe:
    uplink: str
    done: asyncio.Future[str]


@dataclass(frozen=True, slots=True)
class _ServersFound:
    found: Resolved | None
    stun: tuple[str, ...]
    trouble: str


FromDoors = LinkSeen | AddressesSeen | LeaseSeen | RouterSeen | KernelChanged | ProbeAnswered | ProbeRefused
Input = (
    FromDoors
    | Calls
    | Order
    | _Media
    | _Confirmations
    | _Admit
    | _Release
    | _Rescue
    | _Observe
    | _ServersFound
)


class Watch:
    """The room. `inbox` is where its doors post; `publish` is called on the loop and must not block.

    `remembered`: the trunk's servers as they were resolved in an earlier life.
    `clock`: monotonic seconds of the inbox's loop; `wall`: Unix seconds.
    """

    def __init__(
        self,
        settings: Settings,
        doors: Doors,
        inbox: Post,
        confirmed: Mapping[str, Confirmed],
        publish: Callable[[Output], None],
        *,
        remembered: tuple[Server, ...] = (),
        beat: Callable[[float], None] = lambda now: None,
        clock: Callable[[], float] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self._wall = wall
        self._doors = doors
        self._inbox = inbox
        self._publish = publish
        self._beat = beat
        self._watching: Watching = settings.watching
        self._lan: Lan = settings.lan
        self._trunk: Trunk = settings.trunk
        self._ports: Ports = settings.ports
        self._confirmed = dict(confirmed)
        now = self._clock()
        self._wires = {u.name: Wire.bare(n, u) for n, u in enumerate(settings.uplinks, start=1)}
        self._healths = {u.name: self._health(u, now) for u in settings.uplinks}
        self._choice = Choice(self._watching, now)
        self._keeper = Keeper(doors.kernel, doors.guard)
        self._servers = literal_servers(self._trunk) or remembered
        self._stun: tuple[str, ...] = tuple(s for s in self._watching.stun_servers if address_of(s))
        self._resolving = False
        self._resolve_at = now
        self._calls: dict[str, int] = {}
        self._confirming: dict[str, float] = {}
        self._rescue_ends_s = 0.0
        self._admitting: list[_Admit] = []
        self._observing: list[_Observe] = []
        self._switch: Carry | None = None
        self._forget: set[int] = set()
        self._translated: dict[int, Address] = {}
        self._cause = "start"
        self._paths = Paths(paths=(), active="", cause="start")
        self._viewed: Views | None = None
        self._ordered: list[Calls | Order] = []
        self._duties: dict[str, Duty] = {}
        self._known: dict[str, tuple[Identity, TargetsKnown]] = {}
        self._leases: dict[str, tuple[Address | None, Address]] = {}
        self._shed: list[tuple[str, Interface]] = []
        self._mended_at: dict[str, float] = {}
        self._complete = False
        self._said: dict[str, str] = {}
        self._troubles: dict[str, str] = {}
        self._stamp = 0
        self._shown: object = None
        self._last_own: dict[str, Address] = {}

    def _health(self, uplink: Uplink, now: float) -> Health:
        return Health(
            uplink.name,
            uplink.device,
            self._watching,
            now,
            enabled=uplink.enabled,
            dhcp=uplink.dhcp,
            slaac=uplink.slaac,
            metered=uplink.metered,
        )

    # --- what the daemon asks and says ---

    def now(self) -> Picture:
        """The room at this moment."""
        return Picture(
            tuple(self._status(name) for name in self._wires),
            self._choice.active,
            self._choice.internet[0] if self._choice.internet else "",
            "standing" if self._keeper.guard_stands else "absent",
            self._choice.provider_silent,
            self._choice.ordered,
        )

    def paths(self) -> Paths:
        """What the calls process is to know; changes only after kernel and guard have followed."""
        return self._paths

    def servers(self) -> tuple[Server, ...]:
        """The trunk's servers as far as they are resolved."""
        return self._servers

    def standing(self) -> bool:
        """Routes and guard are in the kernel as planned."""
        return self._keeper.stands

    def confirming(self) -> frozenset[str]:
        """Uplinks that a confirmation call may leave by, though their address is not confirmed."""
        return frozenset(self._confirming)

    def rescue(self, on: bool) -> None:
        """A call for help runs: while this is on, the guard lets trunk traffic out by every channel that has
        an address, confirmed or not (law 12)."""
        self._inbox.post(_Rescue(on))

    def probe_bytes(self) -> dict[str, int]:
        """IP bytes that probes have cost each uplink since the start, answers included."""
        return {name: health.probe_bytes for name, health in self._healths.items()}

    def use(self, uplink: str) -> str:
        """The owner's order (empty: by health again); a sentence. Raises RefusedError."""
        if uplink:
            self._choice.refuse(uplink)
        self._inbox.post(Order(uplink))
        return f"Calls go by {uplink} now." if uplink else "The uplink is chosen by health again."

    def media_quiet(self, report: MediaQuiet) -> None:
        """The calls process hears no RTP by one uplink."""
        self._inbox.post(_Media(report.uplink, MediaSilent(report.quiet_ms / 1000)))

    def media_heard(self, uplink: str) -> None:
        """The calls process hears RTP again."""
        self._inbox.post(_Media(uplink, MediaBack()))

    def calls(self, counts: Mapping[str, int]) -> None:
        """Live calls per uplink."""
        self._inbox.post(Calls(dict(counts)))

    def confirmed(self, confirmed: Mapping[str, Confirmed]) -> None:
        """Which addresses are confirmed from now on."""
        self._inbox.post(_Confirmations(dict(confirmed)))

    async def admit(self, uplink: str) -> Path:
        """Let a confirmation call out by this uplink for CONFIRMING_S at most. Raises RefusedError."""
        if uplink not in self._wires:
            raise RefusedError(
                f"there is no uplink {uplink}",
                where="trunk confirm",
                remedy=f"Name one of: {', '.join(self._wires)}",
            )
        done: asyncio.Future[Path] = asyncio.get_running_loop().create_future()
        self._inbox.post(_Admit(uplink, done))
        return await done

    def release(self, uplink: str) -> None:
        """The confirmation call is over."""
        self._inbox.post(_Release(uplink))

    async def observe(self, uplink: str, timeout_s: float) -> str:
        """Our address as the provider sees it on this uplink, asked now by OPTIONS; empty: no answer."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._inbox.post(_Observe(uplink, done))
        try:
            async with asyncio.timeout(timeout_s):
                return await done
        except TimeoutError:
            return ""

    # --- the loop ---

    async def run(self) -> Never:
        """Until cancelled; routes and guard are left standing. An error in here ends the process."""
        await self.adopt()
        async with asyncio.TaskGroup() as tasks:
            while True:
                event = await self._inbox.next(until=self.due())
                self._beat(self._clock())
                await self.turn(event)
                self.resolve(tasks)

    async def adopt(self) -> None:
        """Take over what an earlier run left in the kernel: nothing is flushed, the trunk stays."""
        names = {wire.uplink.device: name for name, wire in self._wires.items()}
        found = await self._keeper.adopt()
        internet = tuple(names[device] for device in found.internet if device in names)
        self._choice = Choice(self._watching, self._clock(), names.get(found.trunk, ""), internet)
        self._leases = {device: way for device, way in found.leases.items() if device in names}
        self._translated = {self._wires[names[d]].index: own for d, (_, own) in self._leases.items()}

    def due(self) -> float:
        """When the next turn is needed at the latest (monotonic seconds)."""
        times: list[float | None] = [self._clock() + TURN_S, self._choice.due, self._keeper.due]
        times += [health.due for health in self._healths.values()]
        times += self._confirming.values()
        times += [self._rescue_ends_s] if self._rescue_ends_s else []
        return min(t for t in times if t is not None)

    async def turn(self, event: Input | None) -> None:
        """One turn: take in `event` (None: something is due), decide, act."""
        now = self._clock()
        self._take_in(event, now)
        for name, health in self._healths.items():
            if health.due is not None and health.due <= now:
                self._tell(name, None, now)
        if self._surveyed():
            self._decide(now)
        await self._act(now)

    # --- in ---

    def _take_in(self, event: Input | None, now: float) -> None:
        match event:
            case LinkSeen() | AddressesSeen() | LeaseSeen() | RouterSeen():
                self._see(event, now)
            case ProbeAnswered() | ProbeRefused():
                if event.uplink in self._healths:
                    self._tell(event.uplink, event, now)
                if isinstance(event, ProbeAnswered):
                    self._answer_observers(event)
            case KernelChanged():
                self._keeper.doubt()
            case _Media(uplink, media) if uplink in self._healths:
                self._tell(uplink, media, now)
            case Calls(counts):
                self._calls = counts
                self._ordered.append(event)
            case Order():
                self._ordered.append(event)
            case _Confirmations(confirmed):
                self._confirmed = dict(confirmed)
                self._stamp += 1
                self._identify(now)
            case _Admit(uplink):
                self._admit(event, now)
            case _Rescue(on):
                self._rescue_ends_s = math.inf if on else now + RESCUE_GRACE_S if self._rescue_ends_s else 0.0
                self._stamp += 1
            case _Release(uplink):
                self._confirming.pop(uplink, None)
                self._stamp += 1
            case _Observe(uplink) if uplink in self._healths:
                self._observing.append(event)
                self._tell(uplink, LookAgain(), now)
            case _ServersFound():
                self._found(event, now)
            case _:
                pass

    def _see(self, event: LinkSeen | AddressesSeen | LeaseSeen | RouterSeen, now: float) -> None:
        for name, wire in self._wires.items():
            if wire.uplink.device != event.device:
                continue
            before = wire
            wire = wire.with_seen(event)
            if isinstance(event, LeaseSeen):
                self._leases.pop(event.device, None)
                if before.lease.address not in (None, event.address):
                    self._shed.append((event.device, before.lease.address))
            elif isinstance(event, AddressesSeen):
                wire = self._with_adopted_lease(wire, event)
            self._wires[name] = wire
            self._stamp += 1
            if isinstance(event, LinkSeen | AddressesSeen):
                self._tell(name, event, now)
        self._identify(now)

    def _with_adopted_lease(self, wire: Wire, seen: AddressesSeen) -> Wire:
        """What the device bears by an earlier run's lease counts until DHCP has spoken."""
        known = self._leases.get(wire.uplink.device)
        if known is None or not wire.uplink.dhcp or wire.lease.address is not None:
            return wire
        gateway, address = known
        interface = next((i for i in seen.addresses if i.ip == address), None)
        if interface is None:
            return wire
        return wire.with_seen(LeaseSeen(wire.uplink.device, interface, gateway))

    def _identify(self, now: float) -> None:
        """Tell each uplink who it is and whom to probe, where that is new."""
        spoken = frozenset(ip_network(server.address).version for server in self._servers)
        for name, wire in self._wires.items():
            if wire.spoken != spoken:
                self._wires[name] = wire = replace(wire, spoken=spoken)
            confirmed = self._confirmed.get(name)
            identity = wire.identity(confirmed.address if confirmed else None)
            targets = TargetsKnown(wire.targets(self._servers, self._watching, self._stun), wire.served)
            if self._known.get(name) != (identity, targets):
                self._known[name] = (identity, targets)
                self._tell(name, targets, now)
                self._tell(name, identity, now)

    def _found(self, event: "_ServersFound", now: float) -> None:
        self._resolving = False
        if event.stun:
            self._stun = event.stun
        if event.found is None:
            self._resolve_at = now + RESOLVE_AGAIN_S
            if self._said.get("dns") != event.trouble:
                self._said["dns"] = event.trouble
                self._note("trunk", event.trouble)
        else:
            self._resolve_at = now + event.found.good_for_s
            self._said.pop("dns", None)
            if event.found.servers != self._servers:
                self._stamp += 1
                self._servers = event.found.servers
                self._publish(ServersKnown(self._servers))
        self._identify(now)

    # --- decide ---

    def _tell(self, name: str, event: HealthEvent | None, now: float) -> None:
        for action in self._healths[name].receive(event, now):
            match action:
                case SendProbe():
                    self._send(action)
                case HealthChanged():
                    pass  # told once it has lasted: see _announce

    def _send(self, probe: SendProbe) -> None:
        wire = self._wires[probe.uplink]
        path = next((p for p in wire.paths(False) if p.address == wire.own), None)
        if path is None:
            self._inbox.post(
                ProbeRefused(
                    probe.uplink, probe.kind, probe.target, probe.sequence, "no address to send from"
                )
            )
            return
        address, port = endpoint(probe.target)
        self._doors.prober.send(probe, path, address, port)

    def _decide(self, now: float) -> None:
        """Choice and health talk until neither has news."""
        events: list[Views | Calls | Order | None] = [*self._ordered]
        self._ordered.clear()
        views = Views(tuple(health.view(now) for health in self._healths.values()))
        if views != self._viewed or (self._choice.due is not None and self._choice.due <= now):
            events.insert(0, views)
        for _ in range(2 * len(self._wires) + 2):
            if not events:
                break
            for event in events:
                for action in self._choice.receive(event, now):
                    self._take_order(action, now)
            self._viewed = views
            views = Views(tuple(health.view(now) for health in self._healths.values()))
            events = [views] if views != self._viewed else []

    def _take_order(self, action: Choices, now: float) -> None:
        match action:
            case Verify(uplink) | Measure(uplink) | Damped(uplink):
                self._tell(uplink, action, now)
            case Carry():
                self._switch = action
                self._cause = action.cause
                self._assign_duties(now)
            case Share():
                self._forget.update(self._wires[name].index for name in action.lost if name in self._wires)
                self._assign_duties(now)

    def _assign_duties(self, now: float) -> None:
        carrying = {self._choice.carrier, *self._choice.internet[:1]}
        for name in self._healths:
            duty = Duty(name in carrying, self._calls.get(name, 0))
            if self._duties.get(name) != duty:
                self._duties[name] = duty
                self._tell(name, duty, now)

    # --- act ---

    async def _act(self, now: float) -> None:
        self._assign_duties(now)
        for uplink in [u for u, until in self._confirming.items() if until <= now]:
            del self._confirming[uplink]
            self._stamp += 1
        if self._rescue_ends_s and self._rescue_ends_s <= now:
            self._rescue_ends_s = 0.0
            self._stamp += 1
        await self._address(now)
        if self._surveyed() and (self._news() or self._forget or self._keeper.restless(now)):
            await self._keep(now)
        self._announce(now)

    def _news(self) -> bool:
        """Whether anything that kernel, calls process or clients are told has changed; measurements do not
        count."""
        news = (
            self._stamp,
            self._choice.carrier,
            self._choice.active,
            self._choice.internet,
            self._choice.provider_silent,
            tuple((h.state, h.drifted, h.observed.address) for h in self._healths.values()),
            tuple(self._choice.path_state(name) for name in self._wires),
        )
        if news == self._shown:
            return bool(self._admitting)
        self._shown = news
        return True

    async def _keep(self, now: float) -> None:
        """Lead kernel, guard, calls process and clients to what has been decided."""
        plan = self._plan()
        self._forget |= self._stale(plan)
        if self._forget or self._keeper.needs(plan, now):
            forget, self._forget = frozenset(self._forget), set()
            for text in await self._keeper.follow(plan, now, self._tell_paths, forget):
                self._note("system", text)
            self._say_trouble()
        else:
            self._tell_paths()
        if self._switch is not None:
            self._say_switch(self._switch, now)
            self._switch = None
        for admit in self._admitting:
            self._settle_admission(admit)
        self._admitting.clear()
        self._publish(PictureChanged())

    def _stale(self, plan: KernelPlan) -> set[int]:
        """Uplinks that bear another address than the one that the office's connections were translated to."""
        stale = set()
        for path in plan.paths:
            if path.address.version == 4:
                if self._translated.get(path.index, path.address) != path.address:
                    stale.add(path.index)
                self._translated[path.index] = path.address
        return stale

    async def _address(self, now: float) -> None:
        """Put missing addresses on their devices and take lost leases away; foreign addresses stay."""
        for device, interface in self._shed:
            wire = next(w for w in self._wires.values() if w.uplink.device == device)
            if interface not in wire.interfaces:
                await self._keeper.shed(device, interface)
        self._shed.clear()
        for wire in self._wires.values():
            device = wire.uplink.device
            if wire.uplink.enabled and wire.link.present and not wire.link.up and self._try_now(device, now):
                await self._keeper.raise_link(device)
            for interface in wire.missing:
                if self._try_now(f"{device} {interface}", now):
                    await self._keeper.bear(device, interface)
            for interface in wire.refused:
                if self._try_now(f"{device} {interface} again", now, REFUSED_AGAIN_S):
                    await self._keeper.shed(device, interface)
                    await self._keeper.bear(device, interface)

    def _try_now(self, what: str, now: float, pause_s: float = MEND_S) -> bool:
        """True at most once in `pause_s`."""
        if self._mended_at.get(what, now - pause_s) > now - pause_s:
            return False
        self._mended_at[what] = now
        return True

    def _surveyed(self) -> bool:
        """Every device has been seen once: before that, a plan would tear down what an earlier run left."""
        if not self._complete:
            self._complete = all(wire.looked_at or not wire.uplink.enabled for wire in self._wires.values())
        return self._complete

    def _admits(self, name: str) -> bool:
        """Whether trunk traffic may leave from this uplink's own address."""
        if self._rescue_ends_s or name in self._confirming:
            return True
        wire, health = self._wires[name], self._healths[name]
        confirmed = self._confirmed.get(name)
        identity = wire.identity(confirmed.address if confirmed else None)
        return identity.confirmed is not None and not health.drifted

    def _plan(self) -> KernelPlan:
        paths = tuple(path for name, wire in self._wires.items() for path in wire.paths(self._admits(name)))
        present = {path.index for path in paths}
        carrier = self._wires.get(self._choice.carrier)
        return KernelPlan(
            paths=paths,
            providers=self._providers(),
            trunk=carrier.index if carrier is not None and carrier.index in present else None,
            internet=tuple(i for n in self._choice.internet if (i := self._wires[n].index) in present),
            lan=self._lan.devices,
            sip_port=self._ports.sip,
            rtp_ports=(self._ports.rtp_first, self._ports.rtp_last),
        )

    def _providers(self) -> tuple[Network, ...]:
        servers = (ip_network(server.address) for server in self._servers)
        return collapsed((*self._trunk.networks, *servers))

    # --- confirmations ---

    def _admit(self, event: _Admit, now: float) -> None:
        try:
            refuse_confirmation(self._wires[event.uplink], self._healths[event.uplink].state)
        except RefusedError as error:
            event.done.set_exception(error)
            return
        self._confirming[event.uplink] = now + CONFIRMING_S
        self._stamp += 1
        self._admitting.append(event)

    def _settle_admission(self, event: _Admit) -> None:
        if event.done.done():
            return
        if self._keeper.guard_stands:
            event.done.set_result(self._path(event.uplink))
            return
        self._confirming.pop(event.uplink, None)
        self._stamp += 1
        event.done.set_exception(
            RefusedError("the guard is missing", where=event.uplink, remedy="See: journalctl -u gateway")
        )

    def _answer_observers(self, answer: ProbeAnswered) -> None:
        if answer.kind != "options" or answer.observed is None:
            return
        for waiting in [o for o in self._observing if o.uplink == answer.uplink or o.done.done()]:
            self._observing.remove(waiting)
            if not waiting.done.done():
                waiting.done.set_result(str(answer.observed))

    # --- names ---

    def resolve(self, tasks: asyncio.TaskGroup) -> None:
        """Look names up in a task of its own: the loop never waits for DNS."""
        if self._resolving or self._clock() < self._resolve_at:
            return
        names = tuple(s for s in self._watching.stun_servers if address_of(s) is None)
        wanted = bool(names) or not literal_servers(self._trunk)
        asks = tuple(ask for wire in self._wires.values() if (ask := wire.ask()) is not None)
        if not wanted or not asks:
            return
        self._resolving = True
        tasks.create_task(self._look_up(names, asks), name="resolve")

    async def _look_up(self, names: tuple[str, ...], asks: tuple[Ask, ...]) -> None:
        found, trouble = Resolved(self._servers, RESOLVE_MOST_S), ""
        stun: tuple[str, ...] = ()
        try:
            if not literal_servers(self._trunk):
                found = await self._doors.resolver.servers(self._trunk, asks)
            if names:
                literal = tuple(s for s in self._watching.stun_servers if address_of(s) is not None)
                stun = (*literal, *await self._doors.resolver.endpoints(names, asks))
        except DoorError as error:
            trouble = str(error)
        self._inbox.post(_ServersFound(None if trouble else found, stun, trouble))

    # --- out ---

    def _path(self, name: str) -> Path:
        wire = self._wires[name]
        if wire.own is not None:
            self._last_own[name] = wire.own
        own = self._last_own.get(name)
        return path_of(wire.uplink, own, wire.declared, self._choice.path_state(name))

    def _tell_paths(self) -> None:
        paths = tuple(self._path(name) for name in self._wires if self._wires[name].uplink.enabled)
        new = Paths(
            paths=tuple(path for path in paths if path.local_address),
            active=self._choice.active,
            cause=self._cause,
        )
        if new != self._paths:
            self._paths = new
            self._publish(PictureChanged())

    def _announce(self, now: float) -> None:
        """One line of the timeline for a state that has lasted; what flickers is not news."""
        for name, health in self._healths.items():
            before = self._said.get(name, "up")
            if health.state in ("suspect", "probing", before) or now < health.since_s + LASTING_S:
                continue
            self._said[name] = health.state
            self._note("uplink", health.sentence, name)

    def _say_switch(self, switch: Carry, decided_s: float) -> None:
        took_s = self._clock() - decided_s
        self._publish(Switched(switch.uplink, switch.before, switch.cause, switch.silent_s, took_s))
        silent = f", noticed after {1000 * switch.silent_s:.0f} ms" if switch.silent_s else ""
        took = f"switched in {1000 * took_s:.1f} ms"
        text = f"Calls leave by {switch.uplink} now: {switch.cause}{silent} ({took})."
        self._note("switch", text, switch.uplink)

    def _say_trouble(self) -> None:
        """Tell what kernel or nftables refuse, once each time that it begins."""
        news = {what: text for what, text in self._keeper.trouble.items() if self._troubles.get(what) != text}
        self._troubles = dict(self._keeper.trouble)
        for what, text in news.items():
            self._note("guard" if what == "guard" else "system", text)

    def _note(self, kind: EventKind, text: str, uplink: str = "") -> None:
        self._publish(Event(at=self._wall(), kind=kind, text=text, uplink=uplink))

    def _status(self, name: str) -> UplinkStatus:
        wire, health, confirmed = self._wires[name], self._healths[name], self._confirmed.get(name)
        return UplinkStatus(
            name=name,
            role="main" if wire.index == 1 else "backup",
            device=wire.uplink.device,
            state=health.state,
            sentence=health.sentence,
            address=address_text(wire.own),
            public_address=address_text(wire.declared or wire.own),
            observed_address=address_text(health.observed.address),
            confirmed_at=confirmed.at if confirmed and self._admits(name) else 0.0,
            rtt_ms=health.quality.rtt_ms,
            jitter_ms=health.quality.jitter_ms,
            loss=health.quality.loss,
            mos=health.quality.mos,
            carries_trunk=name == self._choice.active,
            carries_internet=name in self._choice.internet[:1],
            metered=wire.uplink.metered,
        )
