"""The daemon's main: opens the doors, builds the rooms, runs them in one TaskGroup. It decides nothing.

Law 20: a room that dies or hangs ends the process with a code other than 0, and systemd starts it again.
On SIGTERM it leaves routes and guard standing: calls go on without it.
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never, Protocol

from gateway import hub
from gateway.building import Building
from gateway.control import Admission, Sockets, admit
from gateway.hub import Hub, HubEvent
from gateway.inbox import Inbox
from gateway.messages import Event
from gateway.service import Pulse, Service, settle_memory
from gateway.settings import confirmations, store
from gateway.settings.confirmations import Ledger, Register

LONGEST_TURN_S = 5.0
"""A loop that has not turned for this long is dead."""

log = logging.getLogger("gateway.daemon")


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `gateway daemon`. `recordings`: of confirmation calls, kept by calls."""

    settings: Path
    state: Path
    run: Path
    recordings: Path


class Room(hub.Uplinks, Protocol):
    """The uplinks room as the daemon builds it."""

    async def run(self) -> None:
        """Until cancelled; returning or raising ends the process."""

    def confirmed(self, ledger: Ledger) -> None:
        """Which addresses are confirmed from now on."""


Build = Callable[[Building], Room]


async def serve(options: Options, build: Build, service: Service) -> None:
    """Run until SIGTERM or SIGINT. Raises GatewayError when it cannot start, a group when a room died."""
    service.status("Reading settings.")
    for directory in (options.state, options.run):
        directory.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # under systemd it belongs to the calls process and is there
        options.recordings.mkdir(exist_ok=True)
    loaded = store.load(options.settings, options.state)
    ledger = confirmations.load(options.state)
    loop = asyncio.get_running_loop()
    inbox = Inbox[HubEvent]()
    pulse = Pulse()
    _announce(inbox, loaded, ledger)
    room = build(
        Building(
            loaded.settings,
            ledger,
            options.state,
            options.run,
            options.recordings,
            inbox,
            pulse.register("uplinks", LONGEST_TURN_S, loop.time()),
        )
    )
    sockets = Sockets(inbox)
    the_hub = Hub(
        inbox,
        sockets,
        room,
        Register(options.state, ledger, room.confirmed),
        told=service.status,
        ready=service.ready,
        beat=pulse.register("hub", LONGEST_TURN_S, loop.time()),
        failback_after_s=lambda: loaded.settings.watching.failback_after_s,
    )
    await sockets.listen(options.run, _admissions())
    settle_memory()
    try:
        await _until_told_to_stop(
            {"uplinks": room.run(), "hub": the_hub.run(), "watchdog": _feed(pulse, service)}
        )
    finally:
        service.stopping()
        await sockets.close()


def _announce(inbox: Inbox[HubEvent], loaded: store.Loaded, ledger: Ledger) -> None:
    """Law 16: what is not as the owner left it is said."""
    if loaded.refused:
        text = f"The settings were refused, and the last good ones are in force. {loaded.refused}"
        inbox.post(Event(at=time.time(), kind="settings", text=text))
    if loaded.unsaved:
        text = f"The settings are in force, but no good copy could be kept. {loaded.unsaved}"
        inbox.post(Event(at=time.time(), kind="settings", text=text))
    if ledger.trouble:
        inbox.post(Event(at=time.time(), kind="confirm", text=ledger.trouble))


async def _until_told_to_stop(rooms: dict[str, Coroutine[Any, Any, None]]) -> None:
    """Run the rooms until a signal; one that ends by itself is an error."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def live(name: str, room: Coroutine[Any, Any, None]) -> None:
        await room
        raise RuntimeError(f"the room {name} has ended")

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(live(name, room), name=name) for name, room in rooms.items()]
        await stop.wait()
        log.info("Stopping; routes and guard are left standing.")
        for task in running:
            task.cancel()


async def _feed(pulse: Pulse, service: Service) -> Never:
    """Feed the watchdog while every loop beats. One that stays silent ends the process: do not wait for
    systemd. Two looks are needed, for after a stop of the whole process we may be the first to wake."""
    period_s = service.watchdog_s / 4 or 1.0
    suspects: set[str] = set()
    while True:
        silent = set(pulse.silent(asyncio.get_running_loop().time()))
        if silent & suspects:
            raise RuntimeError(f"no beat from {', '.join(sorted(silent))} for {LONGEST_TURN_S:g} s")
        suspects = silent
        if not silent:
            service.watchdog()
        await asyncio.sleep(period_s)


def _admissions() -> list[Admission]:
    """The groups and users are those of systemd/sysusers.d; where they do not exist, root alone is let in."""
    return [
        admit("ctl", group="steadyline", members=True),
        admit("calls", group="steadyline-calls", user="steadyline-calls"),
        admit("web", group="steadyline-web", user="steadyline-web"),
    ]


def _build(building: Building) -> Room:
    # It complains of /proc/net/psched, which our unit hides and nothing here needs.
    logging.getLogger("pyroute2.netlink.rtnl.tcmsg").setLevel(logging.CRITICAL)
    from gateway.channels import Channels  # pyroute2 and nftables take longest to load

    return Channels(building)


async def main(options: Options) -> None:
    """The daemon with the real rooms."""
    await serve(options, _build, Service())
