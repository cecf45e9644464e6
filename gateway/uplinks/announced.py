"""Law: an announced way is good while its lifetime runs, and only with an address that was formed from it.

What the kernel made of router advertisements (RFC 4861 §6.3.4, RFC 4862 §5.5): default routes that bear the
protocol number of RA, and addresses that are not permanent. Whoever listens for them (the kernel, networkd,
NetworkManager), this is how they show. Pure.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from gateway.uplinks.model import Address, Interface, RouterSeen

PROTOCOL_RA: Final = 9
"""RTPROT_RA."""
TEMPORARY, DADFAILED, DEPRECATED, TENTATIVE, PERMANENT = 0x01, 0x08, 0x20, 0x40, 0x80
"""IFA_F_: of an address."""


@dataclass(frozen=True, slots=True)
class Way:
    """One announced default route. `until_s`: monotonic; infinite where the kernel gives no lifetime."""

    device: str
    gateway: Address
    metric: int
    until_s: float


LIST_AGAIN_S: Final = 2.0
"""The kernel says nothing when a lifetime is renewed."""
_TICKS_S: Final = 100
"""USER_HZ, the unit of lifetimes on rtnetlink; the same on every machine that we know."""


class Announced:
    """What routers have announced on some devices. `due_s`: when to list the kernel's routes again."""

    def __init__(self, devices: Iterable[str]) -> None:
        self.devices = tuple(devices)
        self.due_s = 0.0
        self._ways: list[Way] = []
        self._told: dict[str, RouterSeen] = {}

    def follow(self, devices: Iterable[str]) -> None:
        """Of these alone from now on; what is new is told anew."""
        self.devices = tuple(devices)
        self.due_s = 0.0
        self._told = {device: seen for device, seen in self._told.items() if device in self.devices}

    def listed(self, routes: Iterable[Any], names: Mapping[int, str], now: float) -> None:
        """Take in the IPv6 routes of table main, as pyroute2 reads them; `names` are devices by index."""
        self.due_s = now + LIST_AGAIN_S
        self._ways = []
        for route in routes:
            gateway = route.get("RTA_GATEWAY")
            if route["proto"] == PROTOCOL_RA and not route["dst_len"] and gateway:
                expires = (route.get("RTA_CACHEINFO") or {}).get("rta_expires", 0)
                until_s = now + expires / _TICKS_S if expires else math.inf
                device = names.get(route.get("RTA_OIF", 0), "")
                metric = route.get("RTA_PRIORITY", 0)
                self._ways.append(Way(device, ip_address(gateway), metric, until_s))

    def news(self, device: str, addresses: Mapping[Interface, int], now: float) -> RouterSeen | None:
        """What `device` may use now, if that has not been told: the first time in any case."""
        before = self._told.get(device)
        seen = router(device, self._ways, addresses, before or RouterSeen(device, None, None), now)
        self._told[device] = seen
        return seen if seen != before else None


def router(
    device: str, ways: Iterable[Way], addresses: Mapping[Interface, int], before: RouterSeen, now: float
) -> RouterSeen:
    """What `device` may use now. `addresses`: with their IFA_F_ flags. What was in use stays while it is
    good, so that a second prefix or router moves nothing."""
    gateways = [w.gateway for w in sorted(ways, key=_rank) if w.device == device and w.until_s > now]
    formed = sorted(interface for interface, flags in addresses.items() if _formed(interface, flags))
    if not gateways or not formed:
        return RouterSeen(device, None, None)
    return RouterSeen(
        device,
        before.address if before.address in formed else formed[0],
        before.gateway if before.gateway in gateways else gateways[0],
    )


def _rank(way: Way) -> tuple[int, str]:
    return way.metric, str(way.gateway)


def _formed(interface: Interface, flags: int) -> bool:
    """A stable address of the whole Internet, tried and in force; neither set by hand nor for privacy."""
    unfit = flags & (TEMPORARY | DADFAILED | DEPRECATED | TENTATIVE | PERMANENT)
    return interface.version == 6 and not unfit and not interface.ip.is_link_local
