"""Law: a change of settings takes nothing from a running call without having offered it another way.

    leaving    calls are told to leave what is about to change, the choice goes elsewhere    LEAVE_S at most
    settling   the new settings are in force; routes and guard follow and are read back      SETTLE_S at most
    done       they stand; or the kernel refuses them, and the old settings are in force again

It says when; what a change means is in changing.py and room.py, and the room's loop acts on it.
"""

from dataclasses import dataclass
from typing import Final

from gateway.errors import DoorError, RefusedError
from gateway.messages import Server
from gateway.renames import renames
from gateway.schema import Settings
from gateway.uplinks.keeping import Keeper
from gateway.uplinks.room import Room, TakenOver
from gateway.uplinks.talk import Doors, Reply, SettingsApplied

LEAVE_S: Final = 6.0
"""A move that is refused and ends in another call takes about four."""
SETTLE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Apply:
    """New settings; `servers`: where the trunk's new name leads, as far as that is known."""

    settings: Settings
    servers: tuple[Server, ...]
    reply: Reply[None]


@dataclass(slots=True)
class _Change:
    """One change on its way. `before`: the settings and servers that it replaced (None: not yet)."""

    event: Apply
    leaving: frozenset[str]
    until_s: float
    before: tuple[Settings, tuple[Server, ...]] | None = None
    troubles: frozenset[str] = frozenset()


class Changer:
    """At most one change at a time. `due`: when it is to be looked at (monotonic seconds)."""

    def __init__(self, room: Room, keeper: Keeper, doors: Doors) -> None:
        self._room = room
        self._keeper = keeper
        self._doors = doors
        self._change: _Change | None = None

    @property
    def due(self) -> float | None:
        """When the present stage runs out."""
        return self._change.until_s if self._change else None

    def begin(self, event: Apply, now: float) -> None:
        """Have calls leave what is about to change."""
        if self._change is not None:
            event.reply.set_exception(
                RefusedError(
                    "another change of settings is under way",
                    where="settings",
                    remedy="Try again in a moment",
                )
            )
            return
        renamed = renames(self._room.settings.uplinks, event.settings.uplinks)
        leaving = self._room.uprooted(event.settings, renamed)
        self._change = _Change(event, leaving, now + LEAVE_S)
        self._room.choice.leave(leaving)

    async def swap(self, now: float) -> TakenOver | None:
        """Put the new settings in force, once nobody is on what they change; None: not in this turn."""
        change = self._change
        if change is None or change.before is not None or not self._may_swap(change, now):
            return None
        room, settings = self._room, change.event.settings
        try:
            # What is dropped is watched a little longer: its addresses have to be taken away.
            await self._watch(settings, *room.devices(room.settings))
        except DoorError as error:
            room.choice.leave(frozenset())
            self._end(error)
            return None
        change.before = room.settings, room.names.servers
        change.troubles = frozenset(self._keeper.trouble)
        change.until_s = now + SETTLE_S
        return self._take_over(settings, change.event.servers, now)

    def _may_swap(self, change: _Change, now: float) -> bool:
        active = self._room.choice.active
        somewhere = bool(active) and active not in change.leaving
        busy = any(self._room.live.get(name, 0) for name in change.leaving)
        return now >= change.until_s or not (busy and somewhere)

    async def settle(self, now: float) -> TakenOver | None:
        """End the change when routes and guard stand. When the kernel refuses them, the old settings return:
        the loop then has to act on that."""
        change = self._change
        if change is None or change.before is None:
            return None
        if self._settled():
            await self._watch(self._room.settings)
            self._end(None)
            return None
        if now < change.until_s:
            return None
        fresh = [t for what, t in self._keeper.trouble.items() if what not in change.troubles]
        if not any(what in self._keeper.trouble for what in {"routes", "guard"} - change.troubles):
            # A channel that is down, or an address that is still being tried, is no reason to refuse.
            await self._watch(self._room.settings)
            self._end(None)
            return None
        settings, servers = change.before
        taken = self._take_over(settings, servers, now)
        await self._watch(settings, *self._room.devices(change.event.settings))
        self._end(
            DoorError(
                f"the kernel refuses these settings: {fresh[0]}",
                where="settings",
                remedy="Check addresses and gateways; the old settings are in force again",
            )
        )
        return taken

    def applied(self) -> SettingsApplied:
        """What the room works by now."""
        return SettingsApplied(self._room.settings, self._room.names.servers, self._renamed)

    def _settled(self) -> bool:
        wires = [line.wire for line in self._room.lines.values()]
        seen = all(wire.looked_at or not wire.uplink.enabled for wire in wires)
        waits = any(i.version == 4 for wire in wires for i in (*wire.missing, *wire.superfluous))
        return self._keeper.stands and seen and not waits

    def _take_over(self, settings: Settings, servers: tuple[Server, ...], now: float) -> TakenOver:
        self._renamed = renames(self._room.settings.uplinks, settings.uplinks)
        taken = self._room.take_over(settings, self._renamed, servers, now)
        for name in taken.forgotten:
            self._doors.prober.forget(name)
        self._doors.leases.follow({u.device: u.name for u in settings.uplinks if u.enabled and u.dhcp})
        return taken

    async def _watch(self, settings: Settings, *also: str) -> None:
        devices = dict.fromkeys((*self._room.devices(settings), *also))
        announced = [u.device for u in settings.uplinks if u.enabled and u.slaac]
        await self._doors.kernel.watch(tuple(devices), settings.lan.devices, announced)

    def _end(self, error: Exception | None) -> None:
        change, self._change = self._change, None
        if change is None or change.event.reply.done():
            return
        if error is None:
            change.event.reply.set_result(None)
        else:
            change.event.reply.set_exception(error)
