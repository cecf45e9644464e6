"""Routes and rules as pyroute2 spells them, both ways: dictionaries and numbers, no library."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any, Final, Literal

from gateway.uplinks.model import Address, Network
from gateway.uplinks.routes import TABLES, Route, Rule, everything

FAMILY: Final = {4: 2, 6: 10}
VERSION: Final[dict[int, Literal[4, 6]]] = {2: 4, 10: 6}
_ONLINK: Final = 4  # RTNH_F_ONLINK: a gateway outside the network of the address (DHCP with /32) is fine
_TO_TABLE: Final = 1  # FR_ACT_TO_TBL
_PROHIBIT: Final = 8  # FR_ACT_PROHIBIT
_KINDS: Final[dict[int, Literal["unicast", "unreachable"]]] = {1: "unicast", 7: "unreachable"}  # RTN_*
_NONE: Final = 0xFFFFFFFF


def route_form(route: Route, ifindex: int) -> dict[str, Any]:
    """The arguments of pyroute2's `route`; `ifindex` is that of the route's device."""
    form: dict[str, Any] = {
        "family": FAMILY[route.destination.version],
        "dst": "default" if route.destination.prefixlen == 0 else str(route.destination),
        "table": route.table,
        "proto": route.protocol,
        "priority": route.metric,
        "type": route.kind,
    }
    if route.kind == "unicast":
        form["oif"] = ifindex
        if route.gateway is not None:
            form["gateway"] = str(route.gateway)
            form["flags"] = _ONLINK
        if route.source is not None:
            form["prefsrc"] = str(route.source)
    return form


def route_of(message: Any, names: Mapping[int, str]) -> Route | None:
    """A listed route as a value, if it stands in one of our tables; `names` are devices by index."""
    table = message.get("RTA_TABLE") or message["table"]
    kind = _KINDS.get(message["type"])
    if kind is None or table not in TABLES:
        return None
    destination = everything(VERSION[message["family"]])
    if message["dst_len"]:
        destination = ip_network(f"{message.get('RTA_DST')}/{message['dst_len']}")
    unicast = kind == "unicast"
    return Route(
        table=table,
        destination=destination,
        metric=message.get("RTA_PRIORITY") or 0,
        kind=kind,
        # IPv6 hangs an unreachable route on lo; that is no way out.
        device=names.get(message.get("RTA_OIF"), "") if unicast else "",
        gateway=_address(message.get("RTA_GATEWAY")) if unicast else None,
        source=_address(message.get("RTA_PREFSRC")) if unicast else None,
        protocol=message["proto"],
    )


def rule_form(rule: Rule) -> dict[str, Any]:
    """The arguments of pyroute2's `rule`."""
    form: dict[str, Any] = {
        "family": FAMILY[rule.version],
        "priority": rule.priority,
        "protocol": rule.protocol,
        "action": _TO_TABLE if rule.kind == "lookup" else _PROHIBIT,
    }
    if rule.kind == "lookup":
        form["table"] = rule.table
    for key, network in (("dst", rule.to), ("src", rule.source)):
        if network is not None:
            form[key] = str(network.network_address)
            form[f"{key}_len"] = network.prefixlen
    if rule.iif:
        form["iifname"] = rule.iif
    if rule.mask:
        form["fwmark"], form["fwmask"] = rule.mark, rule.mask
    if rule.keep_above is not None:
        form["FRA_SUPPRESS_PREFIXLEN"] = rule.keep_above
    return form


def rule_of(message: Any) -> Rule:
    """A listed rule as a value."""
    kept = message.get("FRA_SUPPRESS_PREFIXLEN")
    lookup = message["action"] == _TO_TABLE
    return Rule(
        version=VERSION[message["family"]],
        priority=message.get("FRA_PRIORITY") or 0,
        kind="lookup" if lookup else "prohibit",
        table=(message.get("FRA_TABLE") or message["table"]) if lookup else 0,
        to=_network(message, "FRA_DST", "dst_len"),
        source=_network(message, "FRA_SRC", "src_len"),
        iif=message.get("FRA_IIFNAME") or "",
        mark=message.get("FRA_FWMARK") or 0,
        mask=(message.get("FRA_FWMASK") or 0) if message.get("FRA_FWMARK") else 0,
        keep_above=None if kept in (None, _NONE) else kept,
    )


def _network(message: Any, attribute: str, length: str) -> Network | None:
    if not message[length]:
        return None
    address = message.get(attribute) or ("0.0.0.0" if message["family"] == 2 else "::")
    return ip_network(f"{address}/{message[length]}")


def _address(text: str | None) -> Address | None:
    return ip_address(text) if text else None
