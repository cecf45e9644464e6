"""How settings fit together: what no field can know alone. It judges whatever parts are sound by
themselves, so that one fault does not hide another. Channels and trunk stand here, the rest in
relations_box.py."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import combinations
from typing import TYPE_CHECKING

from gateway import patterns, relations_box
from gateway.places import Place

if TYPE_CHECKING:  # schema.parse calls us
    from gateway import schema
    from gateway.schema import Lan, Ports, Trunk, Uplink

Fault = tuple[Place, str, str]
"""Where, what is wrong, and what to do."""

# RFC 1918, 6598, 3927, 1122: nobody outside can see these.
_UNSEEN = [
    ip_network(n)
    for n in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
    )
]


@dataclass(frozen=True, slots=True)
class Parts:
    """The sections that are sound, by their number in the file; `phone_names` holds also those of phones that
    are not, so that a phone with another fault is not called unknown."""

    uplinks: "Mapping[int, Uplink]"
    phones: "Mapping[int, schema.Phone]"
    rules: "Mapping[int, schema.IncomingRule]"
    sources: "Mapping[int, schema.IncomingSource]"
    registration: "schema.Registration | None"
    lan: "Lan | None"
    trunk: "Trunk | None"
    dialling: "schema.Dialling | None"
    calling: "schema.Calling | None"
    emergency: "schema.Emergency | None"
    panel: "schema.Panel | None"
    notifications: "schema.Notifications | None"
    web: "schema.Web | None"
    ports: "Ports | None"
    phone_names: frozenset[str]


def faults(parts: Parts) -> Iterator[Fault]:
    """Everything that does not fit."""
    for number, uplink in parts.uplinks.items():
        for place, what, remedy in _uplink(uplink):
            yield ("uplinks", number, *place), what, remedy
    yield from _single(parts)
    if parts.lan:
        yield from _lan(parts.lan, parts.uplinks)
    if parts.trunk:
        for place, what, remedy in _trunk(parts.trunk, parts.uplinks):
            yield ("trunk", *place), what, remedy
    yield from _incoming(parts)
    if parts.ports:
        yield from _ports(parts.ports)
    yield from relations_box.faults(parts)


def _uplink(uplink: "Uplink") -> Iterator[Fault]:
    if uplink.dhcp and uplink.addresses:
        yield ("dhcp",), "the address comes by DHCP, and one is given too", "Remove `dhcp` or `addresses`"
    if not (uplink.dhcp or uplink.slaac or uplink.addresses):
        yield (), "the channel has no address", "Add `dhcp = true`, or `addresses` as the provider gave them"
    for what, values in (("address", uplink.addresses), ("gateway", uplink.gateways)):
        if uplink.slaac and any(value.version == 6 for value in values):
            remedy = f"Remove `slaac`, or the IPv6 {what}"
            yield ("slaac",), f"the IPv6 {what} is announced by the router, and one is given too", remedy
    for version in (4, 6):
        for what, values in (("addresses", uplink.addresses), ("gateways", uplink.gateways)):
            places = [n for n, value in enumerate(values) if value.version == version]
            for second in places[1:]:
                yield (
                    (what, second),
                    f"a second IPv{version} address",
                    "Give one; more channels are more uplinks",
                )
    for number, interface in enumerate(uplink.addresses):
        if trouble := _not_a_host(interface.ip):
            yield (
                ("addresses", number),
                f"{interface.ip} is {trouble}",
                "Give the address of the box on this line",
            )
        elif isinstance(interface, IPv4Interface) and interface.network.prefixlen < 31:
            if interface.ip in (interface.network.network_address, interface.network.broadcast_address):
                yield (
                    ("addresses", number),
                    f"{interface} is the network itself, not a host in it",
                    "Give the address of the box on this line",
                )
    if not any(_not_a_host(interface.ip) for interface in uplink.addresses):
        for number, gateway in enumerate(uplink.gateways):
            yield from _gateway(uplink, number, gateway)
    yield from _public(uplink)


def _gateway(uplink: "Uplink", number: int, gateway: IPv4Address | IPv6Address) -> Iterator[Fault]:
    place = ("gateways", number)
    own = [a for a in uplink.addresses if a.version == gateway.version]
    if any(gateway == a.ip for a in own):
        yield place, f"{gateway} is the box itself", "Give the address of the provider's router"
    elif own and not any(gateway in a.network for a in own):
        if not (isinstance(gateway, IPv6Address) and gateway.is_link_local):
            yield (
                place,
                f"{gateway} is not in the network {own[0].network} of the address",
                "Mend the gateway, or the length of the network in `addresses`",
            )
    elif (
        not own and not uplink.dhcp and (uplink.addresses or uplink.slaac) and not _announced(uplink, gateway)
    ):
        yield place, f"there is no IPv{gateway.version} address for this gateway", "Add one, or remove it"


def _announced(uplink: "Uplink", gateway: IPv4Address | IPv6Address) -> bool:
    return uplink.slaac and gateway.version == 6


def _public(uplink: "Uplink") -> Iterator[Fault]:
    public = uplink.public_address
    if public is None:
        return
    if trouble := _not_a_host(public):
        yield ("public_address",), f"{public} is {trouble}", "Give the static address that the provider sees"
    elif any(public in network for network in _UNSEEN if network.version == public.version):
        yield (
            ("public_address",),
            f"{public} is a private address; the trunk's provider can never see it",
            "Give the static address that your Internet provider assigned",
        )


def _not_a_host(address: IPv4Address | IPv6Address) -> str:
    if address.is_multicast:
        return "a multicast address"
    if address.is_loopback:
        return "the loopback address"
    if address.is_unspecified:
        return "no address"
    return ""


def _single(parts: Parts) -> Iterator[Fault]:
    lists: tuple[tuple[Place, Mapping[int, object], str, str, str], ...] = (
        (("uplinks",), parts.uplinks, "name", "channel", "Give each its own name"),
        (
            ("uplinks",),
            parts.uplinks,
            "device",
            "device",
            "Give each channel its own device; use VLANs on one wire",
        ),
        (("phones",), parts.phones, "name", "phone", "Give each its own name"),
        (("phones",), parts.phones, "extension", "extension", "Give each phone its own"),
        (
            ("phones",),
            parts.phones,
            "usb",
            "USB device",
            "Give each phone its own; `any` stands for one phone",
        ),
        (("phones",), parts.phones, "port", "port", "Give each phone its own"),
        (("incoming", "rules"), parts.rules, "number", "number", "Put all its phones into one rule"),
        (("incoming", "sources"), parts.sources, "name", "source", "Give each its own name"),
    )
    for at, items, key, what, remedy in lists:
        seen: set[object] = set()
        for number, item in items.items():
            value = getattr(item, key, None)
            if value is None or (key == "extension" and not value):
                continue
            if value in seen:
                said = f"the {what} {value}" if value else "the rule for any number"
                yield (*at, number, key) if value else (*at, number), f"{said} appears twice", remedy
            seen.add(value)
    for (_, one), (number, other) in combinations(parts.uplinks.items(), 2):
        for place, address in enumerate(other.addresses):
            if any(address.ip == a.ip for a in one.addresses):
                yield (
                    ("uplinks", number, "addresses", place),
                    f"{address.ip} is the address of {one.name} already",
                    "Give each channel its own address",
                )


def _lan(lan: "Lan", uplinks: "Mapping[int, Uplink]") -> Iterator[Fault]:
    for number, address in enumerate(lan.addresses):
        place = ("lan", "addresses", number)
        if trouble := _not_a_host(address.ip):
            yield place, f"{address.ip} is {trouble}", "Give the address of the box in the office"
        for uplink in uplinks.values():
            if any(
                a.version == address.version and a.network.overlaps(address.network) for a in uplink.addresses
            ):
                yield (
                    place,
                    f"{address.network} overlaps the network of {uplink.name}",
                    "Give the office a network of its own",
                )
    if lan.addresses and not lan.devices:
        yield ("lan", "addresses"), "there is no device to put them on", "Name it in `devices`"
    for number, device in enumerate(lan.devices):
        if owner := next((u.name for u in uplinks.values() if u.device == device), ""):
            yield (
                ("lan", "devices", number),
                f"{device} is the device of {owner}",
                "Name the office's side here",
            )


def _trunk(trunk: "Trunk", uplinks: "Mapping[int, Uplink]") -> Iterator[Fault]:
    if not trunk.codecs:
        yield ("codecs",), "no codec is left", 'Give at least one, like ["PCMA"]'
    yield from _networks(("networks",), trunk.networks, uplinks, "the provider's servers and media")
    yield from _caller_ids(trunk)


def _networks(
    at: Place, networks: Sequence[IPv4Network | IPv6Network], uplinks: "Mapping[int, Uplink]", whose: str
) -> Iterator[Fault]:
    for number, network in enumerate(networks):
        longest = 8 if isinstance(network, IPv4Network) else 16
        if network.prefixlen < longest:
            yield (
                (*at, number),
                f"{network} is most of the Internet",
                f"Give the networks that {whose} are in",
            )
            continue
        for uplink in uplinks.values():
            if any(a.version == network.version and a.ip in network for a in uplink.addresses):
                yield (
                    (*at, number),
                    f"the address of {uplink.name} lies in {network}",
                    f"Give only the networks that {whose} are in",
                )


def _caller_ids(trunk: "Trunk") -> Iterator[Fault]:
    orders: dict[object, str] = {}
    connected = {trunk.default_caller_id, *trunk.caller_ids}

    def shown(place: Place, caller_id: str) -> Iterator[Fault]:
        if trunk.caller_ids and caller_id not in connected:
            yield (
                place,
                f"{caller_id} is not among `caller_ids`; the provider would show {trunk.default_caller_id}",
                "Connect the number to the trunk and add it to `caller_ids`, or show another",
            )

    for number, rule in enumerate(trunk.caller_id_rules):
        place: Place = ("caller_id_rules", number)
        order = patterns.parse(rule.pattern).order
        if order in orders:
            yield (
                (*place, "pattern"),
                f"{rule.pattern} is for the same numbers as {orders[order]}",
                "Keep one of the two",
            )
        orders.setdefault(order, rule.pattern)
        yield from shown((*place, "caller_id"), rule.caller_id)
    for line in patterns.parse_extensions(trunk.asterisk)[0]:
        if line.pattern.order in orders:
            yield (
                ("asterisk",),
                f"line {line.line}: {line.pattern.text} is for the same numbers as a rule in caller_id_rules",
                "Keep one of the two",
            )
        for _, what, remedy in shown((), line.caller_id):
            yield ("asterisk",), f"line {line.line}: {what}", remedy


def _incoming(parts: Parts) -> Iterator[Fault]:
    for number, rule in parts.rules.items():
        for place, phone in enumerate(rule.phones):
            if phone not in parts.phone_names:
                yield (
                    ("incoming", "rules", number, "phones", place),
                    f"there is no phone {phone}",
                    "Mend the name, or add a section [[phones]] for it",
                )
    for number, source in parts.sources.items():
        at = ("incoming", "sources", number, "networks")
        yield from _networks(at, source.networks, parts.uplinks, "these callers")
    trunk, registration = parts.trunk, parts.registration
    if trunk and registration and trunk.login and registration.login == trunk.login:
        yield (
            ("incoming", "registration", "login"),
            f"the login {trunk.login} names the trunk and cannot register any more",
            "Use another, free login, or receive calls by SIP URI without one",
        )


def _ports(ports: "Ports") -> Iterator[Fault]:
    if ports.rtp_last - ports.rtp_first < 19:
        yield (
            ("ports", "rtp_last"),
            f"{ports.rtp_first} to {ports.rtp_last} holds fewer than 20 ports",
            "Leave room for 10 calls at least: each takes two",
        )
    elif ports.rtp_first <= ports.sip <= ports.rtp_last:
        yield (
            ("ports", "sip"),
            f"{ports.sip} lies among the RTP ports",
            "Give SIP a port of its own, like 5060",
        )
