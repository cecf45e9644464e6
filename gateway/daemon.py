"""The daemon's main: opens the doors, builds the rooms, runs them in one TaskGroup. It decides nothing.

Law 20: a room that dies or hangs ends the process with a code other than 0, and systemd starts it again.
On SIGTERM it leaves routes and guard standing: calls go on without it.
"""

import asyncio
import contextlib
import logging
import secrets
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from gateway.building import Building
from gateway.control import Admission, Sockets, admit
from gateway.frontpanel import FrontPanel
from gateway.history.recorder import Recorder
from gateway.history.store import Store
from gateway.hub import Hub, HubEvent, UplinksChanged
from gateway.inbox import Inbox
from gateway.messages import Event
from gateway.opening import open_box
from gateway.schema import Settings
from gateway.service import Pulse, Service, settle_memory
from gateway.settings import confirmations
from gateway.settings.books import Doors, World
from gateway.settings.confirmations import Ledger, Register
from gateway.settings.keeper import Keeper
from gateway.settings.passwords import Passwords
from gateway.settings.ruins import Ruins
from gateway.settings.shelf import Shelf
from gateway.settings.strongroom import Strongroom
from gateway.status import CallView
from gateway.uplinks import sysfs
from gateway.vacancy import Room, Vacancy

LONGEST_TURN_S = 5.0
"""A loop that has not turned for this long is dead."""

FAREWELL_S = 0.2

log = logging.getLogger("gateway.daemon")


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `gateway daemon`. `recordings`: of confirmation calls, kept by calls. `vault` and
    `keys`: what a factory reset leaves; beside the state unless named. `marker`: a file that asks for one."""

    settings: Path
    state: Path
    run: Path
    recordings: Path
    vault: Path | None = None
    keys: Path | None = None
    marker: Path = Path("/boot/firmware/steadyline-reset")

    def beside(self, what: str) -> Path:
        """The folder beside the state's that is called after it."""
        return self.state.with_name(f"{self.state.name}-{what}")


Build = Callable[[Building], Room]


async def serve(
    options: Options, build: Build, service: Service, *, close_guard: Callable[[], None] = lambda: None
) -> None:
    """Run until SIGTERM or SIGINT. Raises GatewayError when it cannot start, a group when a room died.
    `close_guard` loads the guard with nothing admitted; it blocks, and raises GatewayError."""
    service.status("Reading settings.")
    for directory in (options.state, options.run):
        directory.mkdir(parents=True, exist_ok=True)
    inbox = Inbox[HubEvent]()
    sockets = Sockets(inbox)
    sockets.claim(options.run)  # before the disk is touched: another daemon may be at work on it
    vault, keys = options.vault or options.beside("vault"), options.keys or options.beside("key")
    shelf = Shelf(options.settings, options.state)
    ruins = Ruins(
        options.settings, options.state, vault, keys, options.recordings, options.marker, options.run
    )
    strongroom = Strongroom(options.state, vault, keys)
    opened = await open_box(shelf, ruins, strongroom)
    with contextlib.suppress(OSError):  # under systemd it belongs to the calls process and is there
        options.recordings.mkdir(exist_ok=True)
    ledger = confirmations.load(options.state)
    loop = asyncio.get_running_loop()
    pulse = Pulse()
    if ledger.trouble:
        inbox.post(Event(at=time.time(), kind="confirm", text=ledger.trouble))
    uplinks_beat = pulse.register("uplinks", LONGEST_TURN_S, loop.time())

    def build_room(settings: Settings) -> Room:
        return build(
            Building(
                settings, register.ledger, options.state, options.run, options.recordings, inbox, uplinks_beat
            )
        )

    def tell_confirmed(ledger: Ledger) -> None:
        vacancy.confirmed(ledger)
        keeper.unsealed()

    def live() -> Sequence[CallView]:
        return the_hub.live()

    def hang_up() -> None:
        the_hub.hang_up()

    def has_button() -> bool:
        return panel.has_button()

    stop = asyncio.Event()
    register = Register(options.state, ledger, tell_confirmed, options.recordings)
    vacancy = Vacancy(
        build_room,
        close_guard,
        live,
        lambda: register.ledger,
        changed=lambda: inbox.post(UplinksChanged()),
        idle=uplinks_beat,
    )
    keeper = Keeper(
        opened.begun,
        opened.settings,
        Doors(vacancy, shelf, strongroom, register, Passwords(options.state), ruins),
        World(
            publish=inbox.post,
            restart=lambda: _later(stop),
            wall=time.time,
            token=lambda: secrets.token_hex(16),
            hang_up=hang_up,
            has_button=has_button,
            changed=lambda: inbox.post(UplinksChanged()),
            beat=pulse.register("settings", LONGEST_TURN_S, loop.time()),
        ),
    )
    panel = FrontPanel(keeper, inbox.post, beat=pulse.register("panel", LONGEST_TURN_S, loop.time()))
    if opened.settings is not None:
        vacancy.occupy(opened.settings)
    history = Recorder(Store(options.state), inbox.post)
    the_hub = Hub(
        inbox,
        sockets,
        vacancy,
        register,
        told=service.status,
        ready=service.ready,
        beat=pulse.register("hub", LONGEST_TURN_S, loop.time()),
        failback_after_s=lambda: _failback_after_s(keeper.settings()),
        changes=keeper,
        past=history,
        shown=panel.shown,
        identify=panel.identify,
        devices=sysfs.devices,
    )
    await sockets.listen(options.run, _admissions())
    settle_memory()
    try:
        await _until_told_to_stop(
            {
                "uplinks": vacancy.run(),
                "hub": the_hub.run(),
                "settings": keeper.run(),
                "panel": panel.run(),
                "history": history.run(),
                "watchdog": _feed(pulse, service),
            },
            stop,
        )
    finally:
        service.stopping()
        await sockets.close()


def _later(stop: asyncio.Event) -> None:
    """Who is told of the end hears it first."""
    asyncio.get_running_loop().call_later(FAREWELL_S, stop.set)


def _failback_after_s(settings: Settings | None) -> float:
    return settings.watching.failback_after_s if settings else 0.0


async def _until_told_to_stop(rooms: dict[str, Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
    """Run the rooms until `stop` or a signal; one that ends by itself is an error."""
    loop = asyncio.get_running_loop()
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


def _close_guard() -> None:
    from gateway import boot

    boot.close()


async def main(options: Options) -> None:
    """The daemon with the real rooms."""
    await serve(options, _build, Service(), close_guard=_close_guard)
