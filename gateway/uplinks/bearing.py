"""Law: addresses of the settings and of leases are put on their devices, the office's too; what we put there
and nothing wants any more is taken away, once the routes have left it; foreign addresses stay.
"""

from collections.abc import Iterable
from typing import Final

from gateway.uplinks.keeping import Keeper
from gateway.uplinks.model import Interface
from gateway.uplinks.room import Strays
from gateway.uplinks.wiring import Wire

REFUSED_AGAIN_S: Final = 5.0
"""An IPv6 address that another host has is tried again after so long."""
MEND_S: Final = 1.0
"""A device that does not take its address is told again after so long."""


class Bearing:
    """Links and addresses of all uplinks. `strays`: to be taken away from devices that have no uplink."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._told_at: dict[str, float] = {}
        self._office: frozenset[tuple[str, Interface]] = frozenset()
        self.strays: Strays = []

    async def office(self, wanted: frozenset[tuple[str, Interface]], now: float) -> None:
        """The box's own addresses in the office: the new ones are there before the old ones go."""
        if not wanted and not self._office:
            return
        borne = self._keeper.borne()
        for device, interface in sorted(wanted, key=str):
            # One that somebody else has put there is not known as ours, and is only looked at now and then.
            if interface not in borne.get(device, ()) and self._try_now(
                f"{device} {interface} office", now, REFUSED_AGAIN_S
            ):
                await self._keeper.raise_link(device)
                await self._keeper.bear(device, interface)
        for device, interface in self._office - wanted:
            await self._keeper.shed(device, interface)
        self._office = wanted

    async def bear(self, wires: Iterable[Wire], now: float) -> None:
        """Bring devices up and put missing addresses on them."""
        for wire in wires:
            device, link = wire.uplink.device, wire.link
            if wire.uplink.enabled and link.present and not link.up and self._try_now(device, now):
                await self._keeper.raise_link(device)
            for interface in wire.missing:
                if self._try_now(f"{device} {interface}", now):
                    await self._keeper.bear(device, interface)
            for interface in wire.refused:
                if self._try_now(f"{device} {interface} again", now, REFUSED_AGAIN_S):
                    await self._keeper.shed(device, interface)
                    await self._keeper.bear(device, interface)

    async def shed(self, wires: Iterable[Wire], now: float) -> None:
        """Take away what is not to be there any more."""
        strays, self.strays = self.strays, []
        for device, interface in strays:
            await self._keeper.shed(device, interface)
        for wire in wires:
            for interface in wire.superfluous:
                if self._try_now(f"{wire.uplink.device} {interface} off", now):
                    await self._keeper.shed(wire.uplink.device, interface)

    def _try_now(self, what: str, now: float, pause_s: float = MEND_S) -> bool:
        """True at most once in `pause_s`."""
        if self._told_at.get(what, now - pause_s) > now - pause_s:
            return False
        self._told_at[what] = now
        return True
