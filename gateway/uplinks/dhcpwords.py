"""DHCPv4 messages (RFC 2131, options RFC 2132 and 3442) as bytes and back. Pure; what fits not is None."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Final, Literal

Kind = Literal["discover", "offer", "request", "ack", "nak"]

SERVER_PORT: Final = 67
CLIENT_PORT: Final = 68
_KINDS: Final[dict[int, Kind]] = {1: "discover", 2: "offer", 3: "request", 5: "ack", 6: "nak"}
_NUMBERS: Final[dict[Kind, int]] = {kind: number for number, kind in _KINDS.items()}
_HEAD: Final = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_COOKIE: Final = b"\x63\x82\x53\x63"
_ASKED: Final = bytes((1, 3, 6, 51, 54, 58, 59, 121))
_FOREVER: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Query:
    """What we say. `wanted`: the requested address option; `current`: ciaddr, once it is ours."""

    kind: Kind
    transaction: int
    wanted: IPv4Address | None = None
    server: IPv4Address | None = None
    current: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server says. Times in seconds; `lease_s` None: for ever."""

    kind: Kind
    transaction: int
    address: IPv4Interface | None
    server: IPv4Address | None
    gateway: IPv4Address | None = None
    resolvers: tuple[IPv4Address, ...] = ()
    lease_s: int | None = None
    renew_s: int | None = None
    rebind_s: int | None = None


def encode(query: Query, hardware: bytes) -> bytes:
    """The BOOTP message of `query` for the Ethernet address `hardware`."""
    nobody = bytes(4)
    head = _HEAD.pack(
        *(1, 1, 6, 0, query.transaction, 0, 0),
        *(query.current.packed if query.current else nobody, nobody, nobody, nobody),
        *(hardware, b"", b""),
    )
    options = [(53, bytes((_NUMBERS[query.kind],))), (61, b"\x01" + hardware), (57, struct.pack("!H", 1472))]
    if query.wanted is not None:
        options.append((50, query.wanted.packed))
    if query.server is not None:
        options.append((54, query.server.packed))
    options.append((55, _ASKED))
    body = b"".join(bytes((code, len(value))) + value for code, value in options) + b"\xff"
    return (head + _COOKIE + body).ljust(300, b"\0")  # BOOTP relays drop shorter ones (RFC 1542 §2.1)


def decode(message: bytes, hardware: bytes) -> Reply | None:
    """A server's reply to `hardware`."""
    if len(message) < _HEAD.size + 4 or message[_HEAD.size : _HEAD.size + 4] != _COOKIE:
        return None
    kind, hardware_type, length, _, transaction, _, _, _, yours, _, _, owner, _, _ = _HEAD.unpack_from(
        message
    )
    if (kind, hardware_type, length) != (2, 1, 6) or owner[:6] != hardware:
        return None
    options = _options(message[_HEAD.size + 4 :])
    number = options.get(53, b"\0")
    reply = _KINDS.get(number[0]) if len(number) == 1 else None
    if reply not in ("offer", "ack", "nak"):
        return None
    servers = _addresses(options.get(54, b""))
    lease_s = _seconds(options, 51)
    return Reply(
        kind=reply,
        transaction=transaction,
        address=_interface(yours, options.get(1, b"")) if reply != "nak" else None,
        server=servers[0] if servers else None,
        gateway=_gateway(options),
        resolvers=tuple(_addresses(options.get(6, b""))),
        lease_s=None if lease_s == _FOREVER else lease_s,
        renew_s=_seconds(options, 58),
        rebind_s=_seconds(options, 59),
    )


def _options(body: bytes) -> dict[int, bytes]:
    """Options by code; parts of a long one are joined (RFC 3396). Ends at what is cut short."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(body) and body[at] != 255:
        if body[at] == 0:
            at += 1
            continue
        if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
            break
        code, size = body[at], body[at + 1]
        found[code] = found.get(code, b"") + body[at + 2 : at + 2 + size]
        at += 2 + size
    return found


def _addresses(value: bytes) -> list[IPv4Address]:
    return [IPv4Address(value[at : at + 4]) for at in range(0, len(value) - 3, 4)]


def _seconds(options: dict[int, bytes], code: int) -> int | None:
    value = options.get(code, b"")
    return int.from_bytes(value, "big") if len(value) == 4 else None


def _interface(address: bytes, mask: bytes) -> IPv4Interface | None:
    """The address offered, if a host may bear it; without a usable mask it stands alone."""
    ip = IPv4Address(address)
    if ip.is_unspecified or ip.is_multicast or ip.is_loopback or ip == IPv4Address("255.255.255.255"):
        return None
    bits = int.from_bytes(mask, "big") if len(mask) == 4 else _FOREVER
    length = bits.bit_count()
    if bits != (_FOREVER << (32 - length)) & _FOREVER or length == 0:
        length = 32
    return IPv4Interface((ip, length))


def _gateway(options: dict[int, bytes]) -> IPv4Address | None:
    """The default router; the classless routes come before the router option (RFC 3442)."""
    routes = options.get(121)
    if routes is None:
        routers = _addresses(options.get(3, b""))
        return routers[0] if routers else None
    at = 0
    while at < len(routes):
        octets = (routes[at] + 7) // 8
        via = routes[at + 1 + octets : at + 5 + octets]
        if routes[at] == 0 and len(via) == 4:
            return IPv4Address(via)
        at += 5 + octets
    return None
