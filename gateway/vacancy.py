"""The place of the uplinks room: vacant until there are settings, and whoever speaks to the room speaks to
this.

Law: without settings the guard is closed, nothing is routed, and every wish about channels is refused in
words."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Never, Protocol

from gateway import hub
from gateway.errors import GatewayError, RefusedError
from gateway.hub import Picture, Uplinks
from gateway.messages import MediaQuiet, Path, Paths
from gateway.schema import Settings
from gateway.settings.confirmations import Ledger
from gateway.status import CallView, UplinkStatus

RETRY_S = 5.0


class Room(hub.Uplinks, Protocol):
    """The uplinks room as the daemon builds it."""

    async def run(self) -> None:
        """Until cancelled; returning or raising ends the process."""

    async def apply(self, settings: Settings) -> None:
        """Put other settings in force while everything runs. Raises GatewayError; then the old ones are."""

    def confirmed(self, ledger: Ledger) -> None:
        """Which addresses are confirmed from now on."""


@dataclass(frozen=True, slots=True)
class _Empty:
    """What can be seen of a box without settings."""

    guard: Literal["standing", "absent"]
    uplinks: tuple[UplinkStatus, ...] = ()
    active_uplink: str = ""
    internet_uplink: str = ""
    provider_silent: bool = False
    ordered: str = ""


class Vacancy:
    """`build` makes a room for settings, `close` the guard (it blocks and raises GatewayError); `calls` tells
    which run; `changed` is called when the room comes or goes."""

    def __init__(
        self,
        build: Callable[[Settings], Room],
        close: Callable[[], None],
        calls: Callable[[], Sequence[CallView]],
        confirmed: Callable[[], Ledger],
        *,
        changed: Callable[[], None],
        idle: Callable[[float], None],
    ) -> None:
        self._build, self._close, self._calls = build, close, calls
        self._ledger, self._changed, self._idle = confirmed, changed, idle
        self._room: Room | None = None
        self._living: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._closed = False

    async def run(self) -> Never:
        """Until cancelled; a room that ends by itself ends this, and the process."""
        async with asyncio.TaskGroup() as self._tasks:
            if self._room is not None:
                self._living = self._tasks.create_task(self._live(self._room), name="uplinks")
            while True:
                if self._room is None:
                    self._idle(asyncio.get_running_loop().time())
                    await self._keep_closed()
                await asyncio.sleep(1.0)

    async def _live(self, room: Room) -> None:
        await room.run()
        raise RuntimeError("the uplinks room has ended")

    async def _keep_closed(self) -> None:
        if self._closed:
            return
        try:
            await asyncio.to_thread(self._close)
        except GatewayError:
            return  # said by the verdict: the guard is absent; tried again
        self._closed = True
        self._changed()

    # --- coming and going (settings.books.Applies) ------------------------------------------------

    async def apply(self, settings: Settings | None) -> None:
        """Put these in force; None: the place is vacant again. Raises GatewayError."""
        if settings is None:
            await self._leave()
        elif self._room is not None:
            await self._room.apply(settings)
        else:
            self.occupy(settings)

    def occupy(self, settings: Settings) -> None:
        """Build the room; it lives from `run` on. Raises GatewayError."""
        self._room = self._build(settings)
        if self._tasks is not None:
            self._living = self._tasks.create_task(self._live(self._room), name="uplinks")
        self._changed()

    async def _leave(self) -> None:
        await self._move_out()
        await self._keep_closed()
        self._changed()

    async def _move_out(self) -> None:
        """The room ends; what it has put into the kernel stays, for the next one adopts it."""
        self._room, self._closed = None, False
        if self._living is not None:
            self._living.cancel()
            await asyncio.wait({self._living})
            self._living = None

    def live(self) -> Sequence[CallView]:
        """The calls that run."""
        return self._calls()

    def uplinks(self) -> Sequence[UplinkStatus]:
        """How the channels are."""
        return self.now().uplinks

    def confirmed_uplinks(self) -> tuple[str, ...]:
        """Channels that are set up and whose address is confirmed."""
        if self._room is None:
            return ()
        known = {uplink.name for uplink in self._room.now().uplinks if uplink.state != "disabled"}
        return tuple(one.uplink for one in self._ledger().confirmed if one.uplink in known)

    def confirmed(self, ledger: Ledger) -> None:
        """Which addresses are confirmed from now on."""
        if self._room is not None:
            self._room.confirmed(ledger)

    # --- what the hub asks ------------------------------------------------------------------------

    def now(self) -> Picture:
        if self._room is not None:
            return self._room.now()
        return _Empty("standing" if self._closed else "absent")

    def paths(self) -> Paths:
        if self._room is not None:
            return self._room.paths()
        return Paths(paths=(), active="", cause="the box is not set up")

    def standing(self) -> bool:
        return self._room.standing() if self._room is not None else self._closed

    def use(self, uplink: str) -> str:
        return self._occupied().use(uplink)

    def media_quiet(self, report: MediaQuiet) -> None:
        if self._room is not None:
            self._room.media_quiet(report)

    def media_heard(self, uplink: str) -> None:
        if self._room is not None:
            self._room.media_heard(uplink)

    def calls(self, counts: Mapping[str, int]) -> None:
        if self._room is not None:
            self._room.calls(counts)

    async def admit(self, uplink: str) -> Path:
        return await self._occupied().admit(uplink)

    async def observe(self, uplink: str, timeout_s: float) -> str:
        return await self._room.observe(uplink, timeout_s) if self._room is not None else ""

    def release(self, uplink: str) -> None:
        if self._room is not None:
            self._room.release(uplink)

    def rescue(self, on: bool) -> None:
        if self._room is not None:
            self._room.rescue(on)

    def _occupied(self) -> Uplinks:
        if self._room is None:
            raise RefusedError(
                "the box is not set up yet: it has no channels",
                where="settings",
                remedy="Set it up first: on its page, or with gatewayctl settings",
            )
        return self._room
