"""The uplinks room as the daemon runs it: its doors opened, its loop, and its words put into the hub's.

Decides nothing: gateway/uplinks/watch.py does, also what becomes of new settings.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, ip_address

from gateway import plan
from gateway.building import Building
from gateway.hub import HubEvent, PlanChanged, UplinksChanged, UplinksRenamed
from gateway.inbox import Inbox
from gateway.messages import Event, MediaQuiet, Path, Paths, Server
from gateway.schema import Settings
from gateway.settings import servers
from gateway.settings.confirmations import Ledger
from gateway.uplinks.dhcp import Dhcp
from gateway.uplinks.inputs import Input
from gateway.uplinks.lent import PacketSockets
from gateway.uplinks.netlink import Kernel
from gateway.uplinks.nft import Nft
from gateway.uplinks.probe import Prober
from gateway.uplinks.resolve import Resolver
from gateway.uplinks.talk import (
    Confirmed,
    Doors,
    Output,
    Picture,
    PictureChanged,
    ServersKnown,
    SettingsApplied,
    Switched,
)
from gateway.uplinks.watch import Watch

log = logging.getLogger("gateway.uplinks")


class Clients:
    """The DHCP clients, each in a task of its own. `remembered`: which address to ask for first."""

    def __init__(
        self, inbox: Inbox[Input], sockets: PacketSockets, remembered: Callable[[str], IPv4Address | None]
    ) -> None:
        self._inbox = inbox
        self._sockets = sockets
        self._remembered = remembered
        self._tasks: asyncio.TaskGroup | None = None
        self._running: dict[str, asyncio.Task[None]] = {}

    def open(self, tasks: asyncio.TaskGroup) -> None:
        """They live in `tasks`."""
        self._tasks = tasks

    def follow(self, uplinks: Mapping[str, str]) -> None:
        """Serve exactly these devices (each with the name of its uplink); who is served goes on."""
        assert self._tasks is not None, "open() comes first"
        for device in set(self._running) - set(uplinks):
            self._running.pop(device).cancel()
        for device, name in uplinks.items():
            if device not in self._running:
                client = Dhcp(self._inbox, device, self._remembered(name), self._sockets)
                self._running[device] = self._tasks.create_task(client.run(), name=f"dhcp {device}")


class Channels:
    """Build it on the running loop; `run` opens the doors and lives until it is cancelled."""

    def __init__(self, building: Building) -> None:
        self._settings: Settings = building.settings
        self._recordings = str(building.recordings)
        self._post: Callable[[HubEvent], None] = building.inbox.post
        inbox = Inbox[Input]()
        settings = building.settings
        sockets = PacketSockets(building.run / "packets.sock")
        self._kernel = Kernel(
            inbox,
            [u.device for u in settings.uplinks if u.enabled],
            settings.lan.devices,
            announced=[u.device for u in settings.uplinks if u.enabled and u.slaac],
            sockets=sockets,
        )
        self._prober = Prober(inbox)
        self._ledger = building.ledger
        self._clients = Clients(inbox, sockets, lambda name: _lease(self._ledger, name))
        self._watch = Watch(
            settings,
            Doors(self._kernel, Nft(), self._prober, Resolver(), self._clients),
            inbox,
            _confirmed(building.ledger),
            self._heard,
            remembered=servers.load(building.state, settings.trunk.server, settings.trunk.transport),
            beat=building.beat,
        )
        self._state = building.state
        self._found: asyncio.Queue[tuple[Server, ...]] = asyncio.Queue()

    async def run(self) -> None:
        """Open the doors, then watch. An error in here ends the process; what stands in the kernel stays."""
        await self._kernel.open()
        if self._watch.servers():
            self._heard(ServersKnown(self._watch.servers()))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._kernel.run(), name="kernel")
                self._clients.open(tasks)
                self._clients.follow(
                    {u.device: u.name for u in self._settings.uplinks if u.enabled and u.dhcp}
                )
                tasks.create_task(self._remember(), name="remember")
                tasks.create_task(self._watch.run(), name="watch")
        finally:
            self._prober.close()
            await self._kernel.close()

    async def apply(self, settings: Settings) -> None:
        """Put other settings in force while everything runs: as a difference, so that what they leave as it
        is goes on untouched. Calls leave first what is about to change, which may take some seconds. Returns
        once routes and guard have been read back; the calls process is told its new plan at that moment.

        Raises GatewayError when it cannot be done; then the old settings are in force.
        """
        await self._watch.apply(settings)

    async def _remember(self) -> None:
        """Keep the servers that were found, off the loop: a card may take its time."""
        while True:
            found = await self._found.get()
            trunk = self._settings.trunk
            await asyncio.to_thread(servers.save, self._state, trunk.server, trunk.transport, found)

    def _heard(self, output: Output) -> None:
        match output:
            case Event():
                self._post(output)
            case PictureChanged():
                self._post(UplinksChanged())
            case ServersKnown(found):
                self._found.put_nowait(found)
                self._post(PlanChanged(plan.trunk_plan(self._settings, found, self._recordings)))
            case SettingsApplied(settings, found, renamed):
                self._settings = settings
                if found:
                    self._found.put_nowait(found)
                if renamed:
                    self._post(UplinksRenamed(renamed))
                self._post(PlanChanged(plan.trunk_plan(settings, found, self._recordings)))
            case Switched():
                log.info(
                    "Switched to %s",
                    output.uplink or "no channel",
                    extra={
                        "uplink": output.uplink,
                        "before": output.before,
                        "silent_ms": round(output.silent_s * 1000),
                        "took_ms": round(output.took_s * 1000, 1),
                    },
                )

    # --- what the hub asks -------------------------------------------------------------------------

    def now(self) -> Picture:
        return self._watch.now()

    def paths(self) -> Paths:
        return self._watch.paths()

    def standing(self) -> bool:
        return self._watch.standing()

    def use(self, uplink: str) -> str:
        return self._watch.use(uplink)

    def media_quiet(self, report: MediaQuiet) -> None:
        self._watch.media_quiet(report)

    def media_heard(self, uplink: str) -> None:
        self._watch.media_heard(uplink)

    def calls(self, counts: Mapping[str, int]) -> None:
        self._watch.calls(counts)

    async def admit(self, uplink: str) -> Path:
        return await self._watch.admit(uplink)

    async def observe(self, uplink: str, timeout_s: float) -> str:
        return await self._watch.observe(uplink, timeout_s)

    def release(self, uplink: str) -> None:
        self._watch.release(uplink)

    def rescue(self, on: bool) -> None:
        self._watch.rescue(on)

    def confirmed(self, ledger: Ledger) -> None:
        """The ledger is new."""
        self._ledger = ledger
        self._watch.confirmed(_confirmed(ledger))


def _confirmed(ledger: Ledger) -> dict[str, Confirmed]:
    return {
        c.uplink: Confirmed(ip_address(c.observed_address or c.public_address), c.at)
        for c in ledger.confirmed
    }


def _lease(ledger: Ledger, uplink: str) -> IPv4Address | None:
    """The address to ask DHCP for first: the one that was confirmed."""
    confirmed = ledger.of(uplink)
    address = ip_address(confirmed.local_address) if confirmed else None
    return address if isinstance(address, IPv4Address) else None
