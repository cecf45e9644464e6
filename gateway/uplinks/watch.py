"""Law: one turn at a time: what was seen goes to health, health to choice, choice to the kernel; a switch is
done in the order new route, guard, word to the calls process, old connections forgotten, read back.

The loop of the uplinks room. Tables decide, doors act; what is known stands in room.py. What it finds at the
start it adopts, and at the end it leaves everything standing. New settings come in like everything else, in
one turn, as a difference (applying.py); calls leave first what is about to change.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Final, Never

from gateway.errors import RefusedError
from gateway.messages import MediaQuiet, Path, Paths, Server
from gateway.schema import Settings
from gateway.uplinks.admitting import Admit, Observe, Release, Rescue
from gateway.uplinks.applying import Apply, Changer
from gateway.uplinks.bearing import Bearing
from gateway.uplinks.choice import Action as Choices
from gateway.uplinks.choice import Calls, Carry, Order, Share, Views
from gateway.uplinks.health import Event as HealthEvent
from gateway.uplinks.inputs import Confirmations, Input, Media, Post
from gateway.uplinks.keeping import Keeper
from gateway.uplinks.model import (
    Address,
    AddressesSeen,
    Damped,
    Duty,
    HealthChanged,
    KernelChanged,
    LeaseSeen,
    LinkSeen,
    LookAgain,
    Measure,
    MediaBack,
    MediaSilent,
    ProbeAnswered,
    ProbeRefused,
    RouterSeen,
    SendProbe,
    Verify,
)
from gateway.uplinks.names import Names, NamesFound
from gateway.uplinks.room import Room, TakenOver
from gateway.uplinks.saying import Timeline
from gateway.uplinks.talk import (
    Confirmed,
    Doors,
    Output,
    Picture,
    PictureChanged,
    ServersKnown,
    refuse_confirmation,
)
from gateway.uplinks.wiring import Ask, Wire, endpoint

TURN_S: Final = 1.0
"""The loop turns at least this often."""


class Watch:
    """The loop. `inbox` is where its doors post; `publish` is called on the loop and must not block.

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
        self._doors = doors
        self._inbox = inbox
        self._publish = publish
        self._relaxed = False
        self._full_at = -math.inf
        self._beat = beat
        now = self._clock()
        names = Names(doors.resolver, settings.trunk, settings.watching, remembered, now)
        self._room = Room(settings, confirmed, names, now)
        self._keeper = Keeper(doors.kernel, doors.guard)
        self._changer = Changer(self._room, self._keeper, doors)
        self._bearing = Bearing(self._keeper)
        self._timeline = Timeline(publish, wall)
        self._switch: Carry | None = None
        self._forget: set[int] = set()
        self._cause = "start"
        self._paths = Paths(paths=(), active="", cause="start")
        self._viewed: Views | None = None
        self._ordered: list[Calls | Order] = []
        self._leases: dict[str, tuple[Address | None, Address]] = {}
        self._complete = False
        self._shown: object = None

    # --- what the daemon asks and says ---

    def now(self) -> Picture:
        """The room at this moment."""
        return self._room.picture(self._keeper.guard_stands)

    def paths(self) -> Paths:
        """What the calls process is to know; changes only after kernel and guard have followed."""
        return self._paths

    def servers(self) -> tuple[Server, ...]:
        """The trunk's servers as far as they are resolved."""
        return self._room.names.servers

    def standing(self) -> bool:
        """Routes and guard are in the kernel as planned."""
        return self._keeper.stands

    def confirming(self) -> frozenset[str]:
        """Uplinks that a confirmation call may leave by, though their address is not confirmed."""
        return self._room.admissions.confirming

    def rescue(self, on: bool) -> None:
        """A call for help runs: while this is on, the guard lets trunk traffic out by every channel that has
        an address, confirmed or not (law 12)."""
        self._inbox.post(Rescue(on))

    def probe_bytes(self) -> dict[str, int]:
        """IP bytes that probes have cost each uplink since the start, answers included."""
        return {name: line.health.probe_bytes for name, line in self._room.lines.items()}

    def use(self, uplink: str) -> str:
        """The owner's order (empty: by health again); a sentence. Raises RefusedError."""
        if uplink:
            self._room.choice.refuse(uplink)
        self._inbox.post(Order(uplink))
        return f"Calls go by {uplink} now." if uplink else "The uplink is chosen by health again."

    def media_quiet(self, report: MediaQuiet) -> None:
        """The calls process hears no RTP by one uplink."""
        self._inbox.post(Media(report.uplink, MediaSilent(report.quiet_ms / 1000)))

    def media_heard(self, uplink: str) -> None:
        """The calls process hears RTP again."""
        self._inbox.post(Media(uplink, MediaBack()))

    def calls(self, counts: Mapping[str, int]) -> None:
        """Live calls per uplink."""
        self._inbox.post(Calls(dict(counts)))

    def confirmed(self, confirmed: Mapping[str, Confirmed]) -> None:
        """Which addresses are confirmed from now on."""
        self._inbox.post(Confirmations(dict(confirmed)))

    async def apply(self, settings: Settings) -> None:
        """Work by these settings from now on: what they leave as it is goes on untouched. Calls leave first
        what is about to change. Returns once routes and guard have been read back.

        Raises DoorError or RefusedError when that cannot be; then the old settings are in force.
        """
        room = self._room
        servers = await room.names.foresee(settings.trunk, room.asks())
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._inbox.post(Apply(settings, servers, done))
        await done

    async def admit(self, uplink: str) -> Path:
        """Let a confirmation call out by this uplink for a minute at most. Raises RefusedError."""
        done: asyncio.Future[Path] = asyncio.get_running_loop().create_future()
        self._inbox.post(Admit(uplink, done))
        return await done

    def release(self, uplink: str) -> None:
        """The confirmation call is over."""
        self._inbox.post(Release(uplink))

    async def observe(self, uplink: str, timeout_s: float) -> str:
        """Our address as the provider sees it on this uplink, asked now by OPTIONS; empty: no answer."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._inbox.post(Observe(uplink, done))
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
        found = await self._keeper.adopt()
        self._bearing.strays = self._room.adopt(found, self._clock())
        self._leases = dict(found.leases)

    def due(self) -> float:
        """When the next turn is needed at the latest (monotonic seconds)."""
        room = self._room
        times = [line.health.due for line in room.lines.values()]
        return min(t for t in (*times, *self._dues()) if t is not None)

    def _dues(self) -> tuple[float | None, ...]:
        """When a whole turn is needed."""
        room = self._room
        own = (self._full_at + TURN_S, room.choice.due, self._keeper.due, room.drain.due, self._changer.due)
        return (*own, *room.admissions.dues)

    def _still(self, now: float) -> bool:
        """Only answers came, and they changed no view of a line: the rest can wait for its second."""
        busy = self._ordered or self._forget or self._switch or self._keeper.restless(now)
        if busy or any(due is not None and due <= now for due in self._dues()):
            return False
        return self._room.views(now) == self._viewed

    async def turn(self, event: Input | None) -> None:
        """One turn: take in `event` (None: something is due), decide, act."""
        now = self._clock()
        for gathered in self._doors.prober.gather() if self._relaxed else ():
            if gathered.uplink in self._room.lines:
                self._tell(gathered.uplink, gathered, now)
        self._take_in(event, now)
        for name, line in self._room.lines.items():
            if line.health.due is not None and line.health.due <= now:
                self._tell(name, None, now)
        if event is None and self._still(now):
            return
        self._full_at = now
        self._decide(now)
        if taken := await self._changer.swap(now):
            self._taken_over(taken, now)
        await self._act(now)
        if taken:
            self._publish(self._changer.applied())
        if returned := await self._changer.settle(now):
            self._taken_over(returned, now)
            await self._act(now)
            self._publish(self._changer.applied())

        self._relax()

    def _relax(self) -> None:
        """While nothing hangs on an answer, it need not wake us: it is read when it would be overdue, and
        without calls, when the next probe goes out."""
        room = self._room
        calm = not room.admissions.observing and all(line.health.calm for line in room.lines.values())
        if calm != self._relaxed:
            self._relaxed = calm
            self._doors.prober.relax(calm)
        patient = calm and not any(room.live.values())
        for line in room.lines.values():
            line.health.patient = patient

    # --- in ---

    def _take_in(self, event: Input | None, now: float) -> None:
        room = self._room
        match event:
            case LinkSeen() | AddressesSeen() | LeaseSeen() | RouterSeen():
                self._see(event, now)
            case ProbeAnswered() | ProbeRefused():
                if event.uplink in room.lines:
                    self._tell(event.uplink, event, now)
                if isinstance(event, ProbeAnswered):
                    room.admissions.heard(event)
            case KernelChanged():
                self._keeper.doubt()
            case Media(uplink, media) if uplink in room.lines:
                self._tell(uplink, media, now)
            case Calls(counts):
                room.live = counts
                self._keeper.hurry(any(counts.values()))
                self._ordered.append(event)
                room.stamp += room.drain.calls(sum(counts.values()))
            case Order():
                self._ordered.append(event)
            case Confirmations(confirmed):
                room.confirmed = dict(confirmed)
                room.stamp += 1
                self._identify(now)
            case Admit():
                self._admit(event, now)
            case Rescue(on):
                room.admissions.rescue(on, now)
                room.stamp += 1
            case Release(uplink):
                room.admissions.release(uplink)
                room.stamp += 1
            case Observe(uplink) if uplink in room.lines:
                room.admissions.observe(event)
                self._tell(uplink, LookAgain(), now)
            case NamesFound():
                self._found(event, now)
            case Apply():
                self._changer.begin(event, now)
                self._viewed = None
            case _:
                pass

    def _see(self, event: LinkSeen | AddressesSeen | LeaseSeen | RouterSeen, now: float) -> None:
        for name, line in self._room.lines.items():
            if line.uplink.device != event.device or not line.uplink.enabled:
                continue
            wire = line.wire.with_seen(event)
            if isinstance(event, LeaseSeen):
                self._leases.pop(event.device, None)
            elif isinstance(event, AddressesSeen):
                wire = self._with_adopted_lease(wire, event)
            line.wire = wire
            self._room.stamp += 1
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
        for name, targets, identity in self._room.identities():
            self._tell(name, targets, now)
            self._tell(name, identity, now)

    def _found(self, event: NamesFound, now: float) -> None:
        room = self._room
        before = room.providers()
        changed, complaint = room.names.found(event, now)
        if complaint:
            self._timeline.note("trunk", complaint)
        if changed:
            room.drain.providers(before, sum(room.live.values()), now)
            room.stamp += 1
            self._publish(ServersKnown(room.names.servers))
        self._identify(now)

    def _admit(self, event: Admit, now: float) -> None:
        room = self._room
        try:
            if event.uplink not in room.lines:
                raise RefusedError(
                    f"there is no uplink {event.uplink}",
                    where="trunk confirm",
                    remedy=f"Name one of: {', '.join(room.lines)}",
                )
            line = room.lines[event.uplink]
            refuse_confirmation(line.wire, line.health.state)
        except RefusedError as error:
            event.reply.set_exception(error)
            return
        room.admissions.admit(event, now)
        room.stamp += 1

    def _taken_over(self, taken: TakenOver, now: float) -> None:
        """New settings are in force: let everybody know in this very turn."""
        self._bearing.strays += taken.strays
        for name in self._room.lines:
            self._tell(name, None, now)
        for name, event in taken.news:
            self._tell(name, event, now)
        self._identify(now)
        self._viewed = None
        self._decide(now)

    # --- decide ---

    def _tell(self, name: str, event: HealthEvent | None, now: float) -> None:
        for action in self._room.lines[name].health.receive(event, now):
            match action:
                case SendProbe():
                    self._send(action)
                case HealthChanged():
                    pass  # told once it has lasted

    def _send(self, probe: SendProbe) -> None:
        wire = self._room.lines[probe.uplink].wire
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
        if not self._surveyed():
            return
        choice = self._room.choice
        events: list[Views | Calls | Order | None] = [*self._ordered]
        self._ordered.clear()
        views = self._room.views(now)
        if views != self._viewed or (choice.due is not None and choice.due <= now):
            events.insert(0, views)
        for _ in range(2 * len(self._room.lines) + 2):
            if not events:
                break
            for event in events:
                for action in choice.receive(event, now):
                    self._take_order(action, now)
            self._viewed = views
            views = self._room.views(now)
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
                lines = self._room.lines
                self._forget.update(lines[name].wire.index for name in action.lost if name in lines)
                self._assign_duties(now)

    def _assign_duties(self, now: float) -> None:
        room = self._room
        carrying = {room.choice.carrier, *room.choice.internet[:1]}
        for name, line in room.lines.items():
            duty = Duty(name in carrying, room.live.get(name, 0))
            if line.duty != duty:
                line.duty = duty
                self._tell(name, duty, now)

    def _surveyed(self) -> bool:
        """Every device has been seen once: before that, a plan would tear down what an earlier run left."""
        if not self._complete:
            wires = [line.wire for line in self._room.lines.values()]
            self._complete = all(wire.looked_at or not wire.uplink.enabled for wire in wires)
        return self._complete

    # --- act ---

    async def _act(self, now: float) -> None:
        room = self._room
        self._assign_duties(now)
        room.stamp += room.admissions.expire(now) + room.drain.expire(now)
        await self._bearing.bear([line.wire for line in room.lines.values()], now)
        await self._bearing.office(room.office(room.settings), now)
        if self._surveyed() and (self._news() or self._forget or self._keeper.restless(now)):
            await self._keep(now)
        await self._bearing.shed([line.wire for line in room.lines.values()], now)
        self._timeline.states(room.lines, now)

    def _news(self) -> bool:
        """Whether there is something to tell to kernel, calls process or clients."""
        news = self._room.news()
        if news == self._shown:
            return self._room.admissions.waiting
        self._shown = news
        return True

    async def _keep(self, now: float) -> None:
        """Lead kernel, guard, calls process and clients to what has been decided."""
        room = self._room
        plan = room.plan()
        self._forget |= room.stale(plan)
        if self._forget or self._keeper.needs(plan, now):
            forget, self._forget = frozenset(self._forget), set()
            for text in await self._keeper.follow(plan, now, self._tell_paths, forget):
                self._timeline.note("system", text)
            self._timeline.troubles(self._keeper.trouble)
        else:
            self._tell_paths()
        if self._switch is not None:
            self._timeline.switch(self._switch, self._clock() - now)
            self._switch = None
        room.stamp += room.admissions.settle(
            self._keeper.guard_stands, lambda name: room.lines[name].path(room.choice.path_state(name))
        )
        self._publish(PictureChanged())

    def _tell_paths(self) -> None:
        new = self._room.paths(self._cause)
        if new != self._paths:
            self._paths = new
            self._publish(PictureChanged())

    # --- names ---

    def resolve(self, tasks: asyncio.TaskGroup) -> None:
        """Look names up in a task of its own: the loop never waits for DNS."""
        asks = self._room.asks()
        if self._room.names.wants(asks, self._clock()):
            tasks.create_task(self._look_up(asks), name="resolve")

    async def _look_up(self, asks: tuple[Ask, ...]) -> None:
        self._inbox.post(await self._room.names.ask(asks))
