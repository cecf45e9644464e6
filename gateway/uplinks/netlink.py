"""Door: pyroute2. The kernel's links, addresses, routes, rules and connections, as values of this room.

Events and commands use separate sockets, for an overrun (ENOBUFS) kills the socket that it meets: the event
socket is then rebuilt, everything is listed anew, and KernelChanged asks for a reconciliation. Routes and
rules go by rtnl.py.
"""

import asyncio
import contextlib
import errno
import importlib.util
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from inspect import isawaitable
from ipaddress import ip_interface
from typing import Any, Final

from gateway.errors import DoorError
from gateway.inbox import Inbox
from gateway.lean import feigned_ssl
from gateway.uplinks.announced import DADFAILED, DEPRECATED, PROTOCOL_RA, TENTATIVE, Announced
from gateway.uplinks.arp import Arp
from gateway.uplinks.lent import PacketSockets
from gateway.uplinks.model import (
    PROTOCOL,
    Address,
    AddressesSeen,
    Interface,
    KernelChanged,
    LinkSeen,
    RouterSeen,
)
from gateway.uplinks.routes import (
    MAIN_TABLE,
    MARK_MASK,
    TABLES,
    Change,
    Item,
    flow_mark,
)
from gateway.uplinks.rtnl import Rtnl
from gateway.uplinks.sysfs import Carrier, forward_ipv4, prepare_uplink

# Whole, pyroute2 loads a database, a laboratory and the sockets of thirty protocols: 5 MB that nothing here
# needs. Its parts load by themselves when the package is there without its __init__ having run.
if "pyroute2" not in sys.modules and (_whole := importlib.util.find_spec("pyroute2")):
    sys.modules["pyroute2"] = importlib.util.module_from_spec(_whole)
with feigned_ssl():
    from pyroute2.conntrack import AsyncConntrack
    from pyroute2.iproute.linux import AsyncIPRoute
    from pyroute2.netlink import exceptions, rtnl

CARRIER_POLL_S: Final = 0.04
REST_POLL_S: Final = 0.5
STIRRED_S: Final = 2.0
"""The kernel tells of a carrier at once, unless it told of another within the last second (link_watch.c): the
quick poll is for the time after a link event, and for calls."""
_GROUPS: Final = (
    rtnl.RTMGRP_LINK
    | rtnl.RTMGRP_IPV4_IFADDR
    | rtnl.RTMGRP_IPV6_IFADDR
    | rtnl.RTMGRP_IPV4_ROUTE
    | rtnl.RTMGRP_IPV6_ROUTE
    | rtnl.RTMGRP_IPV4_RULE
    | 0x40000  # RTNLGRP_IPV6_RULE (19), which has no RTMGRP_ name
)
_FAMILY: Final = {4: 2, 6: 10}
_IFF_UP: Final = 1
_LOWER_UP: Final = 0x10000
_UNUSABLE: Final = TENTATIVE | DEPRECATED | DADFAILED

log = logging.getLogger("gateway.uplinks")

Event = LinkSeen | AddressesSeen | RouterSeen | KernelChanged


class Kernel:
    """One machine's network, seen from inside its namespace.

    `open()` first, then `run()` in a task group; it posts to `inbox` what changed, and first what is. For
    devices in `announced` it posts RouterSeen too.
    All commands raise DoorError with the kernel's words.
    """

    def __init__(
        self,
        inbox: Inbox[Any],
        devices: Iterable[str],
        lan: Iterable[str] = (),
        announced: Iterable[str] = (),
        sockets: PacketSockets | None = None,
    ) -> None:
        self._inbox = inbox
        self._devices = tuple(devices)
        self._lan = tuple(lan)
        self._announced = Announced(announced)
        self._carriers = {device: Carrier(device) for device in self._devices}
        self._hurry = False
        self._stirred_until = 0.0
        self._names: dict[int, str] = {}
        self._links: dict[str, LinkSeen] = {}
        self._addresses: dict[int, dict[Interface, int]] = {}
        self._ours: dict[int, set[Interface]] = {}
        self._told: dict[str, AddressesSeen] = {}
        self._arp = Arp(self._claims_changed, sockets or PacketSockets())
        self._rtnl: Rtnl | None = None
        self._commands: AsyncIPRoute | None = None
        self._events: AsyncIPRoute | None = None
        self._conntrack: AsyncConntrack | None = None

    # --- life -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the sockets, set what routing relies on, and list what is there."""
        self._rtnl = Rtnl()
        self._commands = await _socket()
        self._events = await _socket(_GROUPS)
        self._conntrack = AsyncConntrack()
        await self._conntrack.setup_endpoint()
        self._forward()
        await self._survey()

    async def close(self) -> None:
        """Let go of all sockets and files; the kernel keeps what it was told."""
        for carrier in self._carriers.values():
            carrier.close()
        self._arp.close()
        if self._rtnl is not None:
            self._rtnl.close()
        for socket in (self._commands, self._events, self._conntrack):
            if socket is not None:
                await _close(socket)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._monitor())
            group.create_task(self._poll())
            group.create_task(self._arp.run())

    async def watch(self, devices: Iterable[str], lan: Iterable[str], announced: Iterable[str]) -> None:
        """Watch exactly these from now on, and post first what is on those that are new. Raises DoorError
        when the kernel cannot be asked; then all is as it was."""
        before, wanted = self._devices, tuple(devices)
        lan, announced = tuple(lan), tuple(announced)
        for device in wanted:
            self._carriers.setdefault(device, Carrier(device))
        self._devices = wanted
        if set(wanted) - set(before):
            try:
                await self._survey()
            except DoorError:
                self._devices = before
                raise
        for device in set(before) - set(wanted):
            self._carriers.pop(device).close()
            self._links.pop(device, None)
            self._told.pop(device, None)
            self._arp.follow(device, 0)
        if lan != self._lan:
            self._lan = lan
            self._forward()
        if set(announced) != set(self._announced.devices):
            self._announced.follow(announced)

    def _forward(self) -> None:
        if not self._lan:
            return
        forward_ipv4()
        if self._rtnl is not None and not self._rtnl.forwards_ipv4():
            log.warning(
                "IPv4 forwarding is off and cannot be switched on from here: the office's hosts stay "
                "offline. Set net.ipv4.ip_forward = 1 (systemd/sysctl.conf)"
            )

    # --- what is seen -----------------------------------------------------------------------------------

    async def _monitor(self) -> None:
        while True:
            try:
                if self._events is None:
                    self._events = await _socket(_GROUPS)
                    await self._survey()
                while True:  # get() ends with each batch
                    async for message in self._events.get():
                        self._heard(message)
            except (OSError, exceptions.NetlinkError) as error:
                if self._events is not None:
                    await _close(self._events)
                    self._events = None
                self._inbox.post(KernelChanged(f"events of the kernel were lost: {error}"))
                await asyncio.sleep(0.01)

    def hurry(self, on: bool) -> None:
        """Calls run: no carrier may go unseen for longer than CARRIER_POLL_S."""
        self._hurry = on

    async def _poll(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            quick = self._hurry or now() < self._stirred_until
            await asyncio.sleep(CARRIER_POLL_S if quick else REST_POLL_S)
            if self._announced.devices:
                with contextlib.suppress(DoorError):  # a spoilt socket: the next turn has a new one
                    await self._see_routers()
            for device, link in list(self._links.items()):
                carrier = self._carriers[device].read()
                if link.present and carrier is not None and carrier != link.carrier:
                    self._see_link(replace(link, carrier=carrier))

    async def _survey(self) -> None:
        """List links and addresses anew and post what differs from what was told."""
        links = await self._ask("list links", lambda k: _dump(k.link("dump")))
        present = {}
        self._names = {}
        for message in links:
            name = message.get("IFLA_IFNAME")
            self._names[message["index"]] = name
            present[name] = message
        for device in self._devices:
            if device in present:
                self._see_link(self._link(device, present[device]))
            else:
                self._see_link(LinkSeen(device, present=False, up=False, carrier=False))
        self._addresses, self._ours = {}, {}
        for message in await self._ask("list addresses", lambda k: _dump(k.addr("dump"))):
            self._keep_address(message)
        for device in self._devices:
            self._see_addresses(device)

    def _heard(self, message: Any) -> None:
        event = message["event"]
        if event in ("RTM_NEWLINK", "RTM_DELLINK"):
            if message["family"] == 0:  # a bridge tells of its ports under AF_BRIDGE: not ours
                self._heard_link(message, event == "RTM_DELLINK")
        elif event in ("RTM_NEWADDR", "RTM_DELADDR"):
            self._keep_address(message)
            device = self._names.get(message["index"], "")
            if device in self._devices:
                self._see_addresses(device)
                if event == "RTM_DELADDR":
                    self._inbox.post(KernelChanged(f"an address of {device} went, and routes with it"))
        elif self._rtnl is None or message["header"]["pid"] != self._rtnl.port:
            if event.endswith("ROUTE") and message["proto"] == PROTOCOL_RA:
                self._announced.due_s = 0.0
            if event.endswith("ROUTE") and message.get("RTA_TABLE", message["table"]) in TABLES:
                self._inbox.post(KernelChanged("a route in our tables was changed by somebody else"))
            elif event.endswith("RULE"):
                self._inbox.post(KernelChanged("a routing rule was changed by somebody else"))

    def _heard_link(self, message: Any, gone: bool) -> None:
        self._stirred_until = asyncio.get_running_loop().time() + STIRRED_S
        index, name = message["index"], message.get("IFLA_IFNAME")
        before = self._names.pop(index, "")
        if before in self._devices and (gone or before != name):
            self._carriers[before].close()
            self._addresses.pop(index, None)
            self._ours.pop(index, None)
            self._see_link(LinkSeen(before, present=False, up=False, carrier=False))
            self._see_addresses(before)
        if gone:
            return
        self._names[index] = name
        if name in self._devices:
            self._see_link(self._link(name, message))
            self._see_addresses(name)

    def _link(self, device: str, message: Any) -> LinkSeen:
        up = bool(message["flags"] & _IFF_UP)
        known = self._links.get(device)
        if known is None or known.ifindex != message["index"]:
            self._carriers[device].close()
        # The file tells the carrier of this moment; the message may be older than the last poll.
        carrier = self._carriers[device].read()
        if carrier is None:
            carrier = bool(message["flags"] & _LOWER_UP)
        return LinkSeen(device, present=True, up=up, carrier=up and carrier, ifindex=message["index"])

    def _see_link(self, link: LinkSeen) -> None:
        before = self._links.get(link.device)
        if link == before:
            return
        self._links[link.device] = link
        self._inbox.post(link)
        if link.present and (before is None or before.ifindex != link.ifindex):
            prepare_uplink(link.device)
        if before is not None and (before.up, before.ifindex) != (link.up, link.ifindex):
            self._inbox.post(KernelChanged(f"{link.device} went down or came up, which takes routes with it"))
        self._arp.follow(link.device, link.ifindex if link.up else 0)

    def _keep_address(self, message: Any) -> None:
        text = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
        interface = ip_interface(f"{text}/{message['prefixlen']}")
        known = self._addresses.setdefault(message["index"], {})
        ours = self._ours.setdefault(message["index"], set())
        ours.discard(interface)
        if message["event"] == "RTM_DELADDR":
            known.pop(interface, None)
            return
        known[interface] = message.get("IFA_FLAGS") or message["flags"]
        if message.get("IFA_PROTO") == PROTOCOL:
            ours.add(interface)

    def _see_addresses(self, device: str) -> None:
        index = self._links[device].ifindex if device in self._links else 0
        known = self._addresses.get(index, {}) if index else {}
        mine = {i.ip for i in known if i.version == 4}
        self._arp.guard(device, frozenset(mine))
        seen = AddressesSeen(
            device,
            frozenset(i for i, flags in known.items() if not flags & _UNUSABLE),
            self._still_refused(device, known) | self._arp.claimed(device),
            frozenset(self._ours.get(index, ())),
        )
        if seen != self._told.get(device):
            self._told[device] = seen
            self._inbox.post(seen)

    def _still_refused(self, device: str, known: dict[Interface, int]) -> frozenset[Address]:
        """IPv6 addresses that another host had (RFC 4862 §5.4), and while they are tried again."""
        before = self._told[device].conflict if device in self._told else frozenset()
        again = {i.ip for i, flags in known.items() if flags & TENTATIVE and i.ip in before}
        return frozenset(i.ip for i, flags in known.items() if flags & DADFAILED) | again

    async def _see_routers(self) -> None:
        """Tell what routers announce, where that is new."""
        now = asyncio.get_running_loop().time()
        if now >= self._announced.due_s:
            routes = await self._ask(
                "list routes", lambda k: _dump(k.route("dump", family=_FAMILY[6], table=MAIN_TABLE))
            )
            self._announced.listed(routes, self._names, now)
        for device in self._announced.devices:
            link = self._links.get(device)
            known = self._addresses.get(link.ifindex, {}) if link is not None and link.present else {}
            if (seen := self._announced.news(device, known, now)) is not None:
                self._inbox.post(seen)

    def _claims_changed(self, device: str) -> None:
        self._see_addresses(device)

    def borne(self) -> dict[str, frozenset[Interface]]:
        """The addresses that we put on devices, in this life or an earlier one."""
        return {
            self._names[index]: frozenset(o) for index, o in self._ours.items() if o and index in self._names
        }

    # --- what is told -----------------------------------------------------------------------------------

    async def snapshot(self) -> frozenset[Item]:
        """All routes and rules of both families that bear our protocol number."""
        return self._routing().snapshot(self._names)

    async def apply(self, changes: Iterable[Change]) -> None:
        """Make `changes`, one after the other; stops at the first that the kernel refuses.

        What is already so is no error (EEXIST on add, ESRCH and ENOENT on delete).
        """
        self._routing().apply(changes, {name: index for index, name in self._names.items()})

    async def set_address(self, device: str, address: Interface, instead_of: Interface | None = None) -> None:
        """Put `address` on `device` and take `instead_of` away, then tell the wire (gratuitous ARP). It bears
        our protocol number, so that it is known as ours also after a restart; one that is there stays."""
        index = self._index(device)
        extra: dict[str, Any] = {}
        if address.version == 4 and address.network.prefixlen < 31:
            extra["broadcast"] = str(address.network.broadcast_address)
        await self._ask(
            f"put {address} on {device}",
            lambda k: k.addr(
                "add",
                index=index,
                family=_FAMILY[address.version],
                address=str(address.ip),
                prefixlen=address.network.prefixlen,
                proto=PROTOCOL,
                **extra,
            ),
            errno.EEXIST,
        )
        if instead_of is not None and instead_of != address:
            await self.remove_address(device, instead_of)
        if address.version == 4:
            self._arp.announce(device, address.ip)

    async def remove_address(self, device: str, address: Interface) -> None:
        """Take `address` from `device`; fine when it, or the device, is gone."""
        index = next((number for number, name in self._names.items() if name == device), 0)
        if not index:
            return
        await self._ask(
            f"take {address} from {device}",
            lambda k: k.addr(
                "del",
                index=index,
                family=_FAMILY[address.version],
                address=str(address.ip),
                prefixlen=address.network.prefixlen,
            ),
            errno.EADDRNOTAVAIL,
            errno.ENODEV,
        )

    async def set_link_up(self, device: str) -> None:
        """Bring `device` up."""
        index = self._index(device)
        await self._ask(f"bring {device} up", lambda k: k.link("set", index=index, state="up"))

    async def flush_conntrack(self, index: int) -> None:
        """Forget the tracked connections of uplink `index`, and no others."""
        if self._conntrack is None:
            raise _closed()
        try:
            await self._conntrack.flush(mark=flow_mark(index), mark_mask=MARK_MASK)
        except (exceptions.NetlinkError, OSError) as error:
            raise _refused("forget connections", error) from None

    def _index(self, device: str) -> int:
        link = self._links.get(device)
        if link is None or not link.present:
            for index, name in self._names.items():
                if name == device:
                    return index
            raise DoorError("there is no such network device", where=device, remedy="Plug it in or rename it")
        return link.ifindex

    def _routing(self) -> Rtnl:
        if self._rtnl is None:
            raise _closed()
        return self._rtnl

    async def _ask(self, what: str, ask: Callable[[AsyncIPRoute], Awaitable[Any]], *fine: int) -> Any:
        if self._commands is None:
            raise _closed()
        try:
            return await ask(self._commands)
        except exceptions.NetlinkError as error:
            if error.code in fine:
                return []
            raise _refused(what, error) from None
        except OSError as error:
            # The socket is spoilt; the next command gets a new one.
            broken, self._commands = self._commands, await _socket()
            await _close(broken)
            raise _refused(what, error) from None


# --- sockets and words --------------------------------------------------------------------------------------


async def _socket(groups: int = 0) -> AsyncIPRoute:
    socket = AsyncIPRoute(strict_check=True, ext_ack=True)
    await socket.bind(groups)
    return socket


async def _close(socket: AsyncIPRoute | AsyncConntrack) -> None:
    """Close without waiting for answers that will not come."""
    result = socket.close()
    if isawaitable(result):
        await result


async def _dump(request: Awaitable[Any]) -> list[Any]:
    return [message async for message in await request]


def _refused(what: str, error: Exception) -> DoorError:
    return DoorError(
        f"could not {what}: {error}", where="kernel", remedy="See the kernel's words; nothing more was done"
    )


def _closed() -> DoorError:
    return DoorError("the netlink socket is not open", where="kernel", remedy="Restart the daemon")
