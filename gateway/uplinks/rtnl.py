"""Door: one AF_NETLINK socket for our routes and rules (rtnetlink(7)), spoken directly.

The switch is the one place where a library's 0.4 ms a message is felt: here a change costs about 0.03 ms, and
so the kernel stands between two pictures for less than a millisecond. The kernel answers within `send`; every
change is awaited before the next one is sent, so a refusal stops the rest.
"""

import errno
import itertools
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final, Literal

from gateway.errors import DoorError
from gateway.uplinks.model import PROTOCOL, Address, Network
from gateway.uplinks.routes import TABLES, Add, Change, Delete, Item, Replace, Route, Rule, everything

_FAMILY: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_VERSION: Final[dict[int, Literal[4, 6]]] = {socket.AF_INET: 4, socket.AF_INET6: 6}
_HEAD: Final = struct.Struct("=IHHII")  # nlmsghdr
_BODY: Final = struct.Struct("=BBBBBBBBI")  # rtmsg, fib_rule_hdr
_ATTRIBUTE: Final = struct.Struct("=HH")

_NEW_ROUTE, _NEW_RULE = 24, 32  # RTM_; + 1 deletes, + 2 lists
_ERROR, _DONE = 2, 3
_NEW_NETCONF, _GET_NETCONF = 80, 82
_REQUEST, _ACK, _DUMP = 0x01, 0x04, 0x300
_REPLACE, _ADD = 0x500, 0x600  # NLM_F_CREATE with NLM_F_REPLACE, NLM_F_EXCL
_DUMP_INTERRUPTED: Final = 0x10
_EXT_ACK, _CAP_ACK, _STRICT = 11, 10, 12

_UNICAST, _UNREACHABLE = 1, 7  # RTN_
_TO_TABLE, _PROHIBIT = 1, 8  # FR_ACT_
_LINK, _NOWHERE = 253, 255  # RT_SCOPE_
_ONLINK: Final = 4  # RTNH_F_: a gateway outside the network of the address (DHCP with /32) is fine
_DST, _SRC_IIF_OIF, _PRIORITY, _TABLE = 1, (2, 3, 4), 6, 15
_GATEWAY, _PREFSRC = 5, 7
_MARK, _MASK, _SUPPRESS, _PROTOCOL = 10, 16, 14, 21
_NONE: Final = 0xFFFFFFFF
_CONF_DEVICE, _CONF_FORWARDING, _ALL_DEVICES = 1, 2, 0xFFFFFFFF  # NETCONFA_
_BUFFER: Final = 1 << 16

_FINE: Final = {
    Add: (errno.EEXIST,),
    Replace: (),
    Delete: (errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL),
}


class Rtnl:
    """Our routes and rules in this namespace. Devices are given by index: `indexes` maps their names."""

    def __init__(self) -> None:
        self._sequence = itertools.count(1)
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._socket.settimeout(2.0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for option in (_EXT_ACK, _CAP_ACK, _STRICT):
            self._socket.setsockopt(270, option, 1)  # SOL_NETLINK

    @property
    def port(self) -> int:
        """Our port number, which the kernel puts on the events that we cause."""
        return int(self._socket.getsockname()[0])

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def snapshot(self, names: Mapping[int, str]) -> frozenset[Item]:
        """All routes and rules with our protocol number, both families; `names` are devices by index."""
        items: set[Item] = set()
        for family in _VERSION:
            for body in self._list(_NEW_ROUTE, family, PROTOCOL):
                route = _route(body, names)
                if route is not None:
                    items.add(route)
            items.update(
                r for body in self._list(_NEW_RULE, family) if (r := _rule(body)).protocol == PROTOCOL
            )
        return frozenset(items)

    def apply(self, changes: Iterable[Change], indexes: Mapping[str, int]) -> None:
        """One after the other; what is so already is no error. Raises DoorError at the first refusal."""
        for change in changes:
            item = change.new if isinstance(change, Replace) else change.item
            index = 0
            if isinstance(item, Route) and item.kind == "unicast":
                index = indexes.get(item.device, 0)
                if not index and isinstance(change, Delete):
                    continue  # it went with its device
                if not index:
                    raise DoorError(
                        "there is no such network device", where=item.device, remedy="Plug it in or rename it"
                    )
            self._change(change, item, index)

    def forwards_ipv4(self) -> bool:
        """Does this machine pass on IPv4 packets of others? netconf tells, even where /proc/sys is hidden."""
        asked = struct.pack("=B3x", socket.AF_INET) + _attributes((_CONF_DEVICE, _ALL_DEVICES))
        sequence = self._send(_GET_NETCONF, 0, asked)
        while True:
            for answer, _, number, data in self._receive():
                if number == sequence:
                    return answer == _NEW_NETCONF and _number(_read(data, 4).get(_CONF_FORWARDING)) == 1

    # --- messages ---------------------------------------------------------------------------------------

    def _change(self, change: Change, item: Item, index: int) -> None:
        kind = _NEW_ROUTE if isinstance(item, Route) else _NEW_RULE
        deleting = isinstance(change, Delete)
        flags = 0 if deleting else _REPLACE if isinstance(change, Replace) else _ADD
        body = _route_body(item, index, deleting) if isinstance(item, Route) else _rule_body(item)
        code, words = self._ask(kind + deleting, flags, body)
        if code and code not in _FINE[type(change)]:
            what = words or os.strerror(code)
            verb = type(change).__name__.lower()
            raise DoorError(
                f"{what} (errno {code}) at {verb} {item}", where="kernel", remedy="Nothing after it was done"
            )

    def _ask(self, kind: int, flags: int, body: bytes) -> tuple[int, str]:
        """Send one message; the kernel's errno (0: done) and words."""
        sequence = self._send(kind, flags | _ACK, body)
        while True:
            for answer, _, number, data in self._receive():
                if number == sequence and answer == _ERROR:
                    return -int(struct.unpack_from("=i", data)[0]), _words(data)

    def _list(self, kind: int, family: int, protocol: int = 0) -> list[bytes]:
        """The bodies of all routes or rules of `family`; again where one changed in between."""
        while True:
            request = _BODY.pack(family, 0, 0, 0, 0, protocol, 0, 0, 0)
            sequence = self._send(kind + 2, _DUMP, request)
            found, broken, done = [], False, False
            while not done:
                for answer, flags, number, data in self._receive():
                    if number != sequence:
                        continue
                    broken = broken or bool(flags & _DUMP_INTERRUPTED)
                    if answer == _ERROR:
                        code = -int(struct.unpack_from("=i", data)[0])
                        raise DoorError(os.strerror(code), where="kernel", remedy="See the kernel's words")
                    if answer == _DONE:
                        done = True
                        break
                    found.append(data)
            if not broken:
                return found

    def _send(self, kind: int, flags: int, body: bytes) -> int:
        sequence = next(self._sequence) & 0xFFFFFFFF
        head = _HEAD.pack(_HEAD.size + len(body), kind, flags | _REQUEST, sequence, 0)
        try:
            self._socket.send(head + body)
        except OSError as error:
            raise DoorError(str(error), where="kernel", remedy="Restart the daemon") from None
        return sequence

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        """(type, flags, sequence, body) of each message of the next batch."""
        try:
            batch = self._socket.recv(_BUFFER)
        except OSError as error:
            raise DoorError(str(error), where="kernel", remedy="Restart the daemon") from None
        at = 0
        while at + _HEAD.size <= len(batch):
            length, kind, flags, sequence, _ = _HEAD.unpack_from(batch, at)
            yield kind, flags, sequence, batch[at + _HEAD.size : at + length]
            at += (max(length, _HEAD.size) + 3) & ~3


# --- values to bytes, and back ------------------------------------------------------------------------------


def _attributes(*pairs: tuple[int, bytes | int | None]) -> bytes:
    """Attributes that are there; a number is 32 bits wide."""
    parts = []
    for kind, value in pairs:
        if value is not None:
            data = value if isinstance(value, bytes) else struct.pack("=I", value)
            parts.append(_ATTRIBUTE.pack(4 + len(data), kind) + data + bytes(-len(data) % 4))
    return b"".join(parts)


def _read(body: bytes, at: int = _BODY.size) -> dict[int, bytes]:
    """The attributes of a message, which begin at `at`."""
    found = {}
    while at + 4 <= len(body):
        size, kind = _ATTRIBUTE.unpack_from(body, at)
        found[kind & 0x3FFF] = body[at + 4 : at + size]
        at += (max(size, 4) + 3) & ~3
    return found


def _number(data: bytes | None) -> int:
    return int(struct.unpack("=I", data)[0]) if data is not None and len(data) == 4 else 0


def _route_body(route: Route, index: int, deleting: bool) -> bytes:
    unicast = route.kind == "unicast"
    on_wire = unicast and route.gateway is None and route.destination.version == 4
    return _BODY.pack(
        *(_FAMILY[route.destination.version], route.destination.prefixlen, 0, 0),
        *(route.table if route.table < 256 else 0, route.protocol),
        _NOWHERE if deleting else _LINK if on_wire else 0,
        _UNICAST if unicast else _UNREACHABLE,
        _ONLINK if route.gateway is not None else 0,
    ) + _attributes(
        (_DST, route.destination.network_address.packed if route.destination.prefixlen else None),
        (_SRC_IIF_OIF[2], index or None),
        (_GATEWAY, route.gateway.packed if route.gateway else None),
        (_PRIORITY, route.metric),
        (_PREFSRC, route.source.packed if route.source else None),
        (_TABLE, route.table),
    )


def _route(body: bytes, names: Mapping[int, str]) -> Route | None:
    """A listed route, if it stands in one of our tables."""
    route, index = _route_by_index(body)
    return replace(route, device=names.get(index, "")) if route is not None and index else route


@lru_cache(maxsize=1024)
def _route_by_index(body: bytes) -> tuple[Route | None, int]:
    """A listed route without its device's name, and the index of the device (0: none)."""
    family, length, _, _, table, protocol, _, kind, _ = _BODY.unpack_from(body)
    found = _read(body)
    table = _number(found.get(_TABLE)) or table
    if table not in TABLES or kind not in (_UNICAST, _UNREACHABLE):
        return None, 0
    unicast = kind == _UNICAST
    version = _VERSION[family]
    route = Route(
        table=table,
        destination=_network(found.get(_DST), length, version) or everything(version),
        metric=_number(found.get(_PRIORITY)),
        kind="unicast" if unicast else "unreachable",
        device="",
        gateway=_address(found.get(_GATEWAY)) if unicast else None,
        source=_address(found.get(_PREFSRC)) if unicast else None,
        protocol=protocol,
    )
    # IPv6 hangs an unreachable route on lo; that is no way out.
    return route, _number(found.get(_SRC_IIF_OIF[2])) if unicast else 0


def _rule_body(rule: Rule) -> bytes:
    lookup = rule.kind == "lookup"
    table = rule.table if lookup else 0
    return _BODY.pack(
        *(_FAMILY[rule.version], rule.to.prefixlen if rule.to else 0),
        *(rule.source.prefixlen if rule.source else 0, 0, table if table < 256 else 0, 0, 0),
        *(_TO_TABLE if lookup else _PROHIBIT, 0),
    ) + _attributes(
        (_DST, rule.to.network_address.packed if rule.to else None),
        (_SRC_IIF_OIF[0], rule.source.network_address.packed if rule.source else None),
        (_SRC_IIF_OIF[1], rule.iif.encode() + b"\0" if rule.iif else None),
        (_PRIORITY, rule.priority),
        (_MARK, rule.mark if rule.mask else None),
        (_MASK, rule.mask or None),
        (_SUPPRESS, rule.keep_above),
        (_TABLE, table or None),
        (_PROTOCOL, bytes((rule.protocol,))),
    )


@lru_cache(maxsize=1024)  # the same bytes at every look
def _rule(body: bytes) -> Rule:
    family, to_length, source_length, _, table, _, _, action, _ = _BODY.unpack_from(body)
    found = _read(body)
    version = _VERSION[family]
    lookup = action == _TO_TABLE
    suppress = _number(found.get(_SUPPRESS, b"\xff" * 4))
    return Rule(
        version=version,
        priority=_number(found.get(_PRIORITY)),
        kind="lookup" if lookup else "prohibit",
        table=(_number(found.get(_TABLE)) or table) if lookup else 0,
        to=_network(found.get(_DST), to_length, version),
        source=_network(found.get(_SRC_IIF_OIF[0]), source_length, version),
        iif=found.get(_SRC_IIF_OIF[1], b"").rstrip(b"\0").decode("utf-8", "replace"),
        mark=_number(found.get(_MARK)),
        mask=_number(found.get(_MASK)) if _MARK in found else 0,
        keep_above=None if suppress == _NONE else suppress,
        protocol=found.get(_PROTOCOL, b"\0")[0],
    )


@lru_cache(maxsize=1024)  # the same few, every time: reading them costs more than all the rest
def _network(data: bytes | None, length: int, version: int) -> Network | None:
    if not length:
        return None
    address = _address(data) or ip_address("0.0.0.0" if version == 4 else "::")
    return ip_network((address, length))


@lru_cache(maxsize=1024)
def _address(data: bytes | None) -> Address | None:
    return ip_address(data) if data is not None and len(data) in (4, 16) else None


def _words(data: bytes) -> str:
    """The kernel's own words, if it had any (NLMSGERR_ATTR_MSG, behind the error and our header)."""
    at = 4 + _HEAD.size
    while at + 4 <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if kind & 0x3FFF == 1:
            return data[at + 4 : at + size].rstrip(b"\0").decode("utf-8", "replace")
        at += (max(size, 4) + 3) & ~3
    return ""
