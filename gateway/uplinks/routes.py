"""Law: trunk traffic leaves by the uplink whose confirmed address it bears, or not at all; a failing uplink
never falls through to another one's table; no step between two pictures lets a packet out by a third way.

Pure: a plan in, the wanted routes and rules out, and the steps between two pictures. Rules, by priority:

    101..108   to PROVIDER from ADDRESS         -> table of that uplink       (admitted uplinks)
    111..118   to PROVIDER fwmark of the flow   -> table of that uplink       (admitted uplinks)
               to PROVIDER fwmark of a probe    -> table of that uplink       (all declared uplinks)
    119        to PROVIDER from any address     -> prohibit                   (IPv6 only: `_provider_rules`)
    120        to PROVIDER from nothing yet     -> trunk table                (unbound local sockets)
    121        to PROVIDER from the office      -> trunk table                (IPv4 only: no NAT66)
    199        to PROVIDER                      -> prohibit
    300        table main, all but its default routes
    401..408   from ADDRESS                     -> table of that uplink
    411..418   fwmark of the flow or a probe    -> table of that uplink
    500        everything else                  -> Internet table

Tables 101..108 belong to one uplink each, 110 to the trunk, 120 to all other traffic; each ends in
`unreachable`, for an empty table would fall through to the next rule (ip-rule(8)).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal

from gateway.uplinks.model import MAX_UPLINKS, PROTOCOL, Address, KernelPlan, Network, UplinkPath

TABLE_BASE = 100
TRUNK_TABLE = 110
INTERNET_TABLE = 120
MAIN_TABLE = 254
TABLES = frozenset({*range(TABLE_BASE + 1, TABLE_BASE + MAX_UPLINKS + 1), TRUNK_TABLE, INTERNET_TABLE})
"""The tables that are ours."""

LAST_METRIC = 4278198272
"""Metric of the `unreachable` fallback: behind every default route that anybody may add."""

MARK_MASK = 0xFFFF
"""The bits of packet and connection marks that are ours; the upper half is left to others."""
FLOW_MARK = 0x5100
PROBE_MARK = 0x5180


def flow_mark(index: int) -> int:
    """The mark of connections (and their packets) that belong to uplink `index`."""
    return FLOW_MARK | index


def probe_mark(index: int) -> int:
    """The SO_MARK of the daemon's own sockets (probes, resolvers) that must leave by uplink `index`."""
    return PROBE_MARK | index


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `device` "" and `gateway` None: as the kind needs none. `source`: RTA_PREFSRC."""

    table: int
    destination: Network
    metric: int
    kind: Literal["unicast", "unreachable"] = "unicast"
    device: str = ""
    gateway: Address | None = None
    source: Address | None = None
    protocol: int = PROTOCOL

    @property
    def slot(self) -> tuple[int, Network, int]:
        """What the kernel allows once: the family is in the destination."""
        return self.table, self.destination, self.metric


@dataclass(frozen=True, slots=True)
class Rule:
    """One routing rule. `mark` is compared under `mask`; `keep_above`: suppress_prefixlength."""

    version: Literal[4, 6]
    priority: int
    kind: Literal["lookup", "prohibit"] = "lookup"
    table: int = 0
    to: Network | None = None
    source: Network | None = None
    iif: str = ""
    mark: int = 0
    mask: int = 0
    keep_above: int | None = None
    protocol: int = PROTOCOL


Item = Route | Rule


@dataclass(frozen=True, slots=True)
class Add:
    """Make `item`; fine when it is there."""

    item: Item


@dataclass(frozen=True, slots=True)
class Replace:
    """Put `new` in the slot that `old` has, in one step."""

    old: Route
    new: Route


@dataclass(frozen=True, slots=True)
class Delete:
    """Take `item` away; fine when it is gone."""

    item: Item


Change = Add | Replace | Delete


def desired(plan: KernelPlan) -> frozenset[Item]:
    """All routes and rules that `plan` wants, both families."""
    return frozenset(_routes(plan)) | frozenset(_rules(plan))


def everything(version: int) -> Network:
    """The whole address space of one IP version."""
    return ip_network("0.0.0.0/0" if version == 4 else "::/0")


def _host(address: Address) -> Network:
    return ip_network((address, address.max_prefixlen))


def _default(table: int, path: UplinkPath, metric: int) -> Route:
    return Route(
        table=table,
        destination=everything(path.address.version),
        metric=metric,
        device=path.device,
        gateway=path.gateway,
        source=path.address,
    )


def _last(table: int, version: int) -> Route:
    return Route(table=table, destination=everything(version), metric=LAST_METRIC, kind="unreachable")


def _family(plan: KernelPlan, version: int) -> dict[int, UplinkPath]:
    return {path.index: path for path in plan.paths if path.address.version == version}


def _trunk(plan: KernelPlan, version: int) -> UplinkPath | None:
    """The path of unbound trunk traffic, if it is admitted in this family."""
    path = _family(plan, version).get(plan.trunk or 0)
    return path if path is not None and path.admitted else None


def _routes(plan: KernelPlan) -> Iterator[Route]:
    for path in plan.paths:
        yield _default(TABLE_BASE + path.index, path, 1)
        yield _last(TABLE_BASE + path.index, path.address.version)
    for version in (4, 6):
        paths = _family(plan, version)
        trunk = _trunk(plan, version)
        if trunk is not None:
            yield _default(TRUNK_TABLE, trunk, 1)
        yield _last(TRUNK_TABLE, version)
        if _routed(plan, version):
            for metric, index in enumerate((i for i in plan.internet if i in paths), start=1):
                yield _default(INTERNET_TABLE, paths[index], metric)
            yield _last(INTERNET_TABLE, version)


def _routed(plan: KernelPlan, version: int) -> bool:
    """Whether all other traffic of this family is ours to route: IPv6 only once an uplink has it."""
    return version == 4 or bool(_family(plan, version))


def _rules(plan: KernelPlan) -> Iterator[Rule]:
    for provider in plan.providers:
        yield from _provider_rules(plan, provider)
    for version in (4, 6):
        v = _version(version)
        if not _routed(plan, version):
            continue
        yield Rule(v, 300, table=MAIN_TABLE, keep_above=0)
        for path in _family(plan, version).values():
            table = TABLE_BASE + path.index
            yield Rule(v, 400 + path.index, table=table, source=_host(path.address))
            for mark in (flow_mark(path.index), probe_mark(path.index)):
                yield Rule(v, 410 + path.index, table=table, mark=mark, mask=MARK_MASK)
        yield Rule(v, 500, table=INTERNET_TABLE)


def _version(version: int) -> Literal[4, 6]:
    return 4 if version == 4 else 6


def _provider_rules(plan: KernelPlan, provider: Network) -> Iterator[Rule]:
    v = _version(provider.version)
    for path in _family(plan, provider.version).values():
        table = TABLE_BASE + path.index
        if path.admitted:
            yield Rule(v, 100 + path.index, table=table, to=provider, source=_host(path.address))
            yield Rule(
                v, 110 + path.index, table=table, to=provider, mark=flow_mark(path.index), mask=MARK_MASK
            )
        yield Rule(v, 110 + path.index, table=table, to=provider, mark=probe_mark(path.index), mask=MARK_MASK)
    if _trunk(plan, provider.version) is not None:
        if v == 4:
            unbound = ip_network("0.0.0.0/32")
            yield Rule(v, 120, table=TRUNK_TABLE, to=provider, source=unbound)
            for device in plan.lan:
                yield Rule(v, 121, table=TRUNK_TABLE, to=provider, iif=device)
        else:
            # A rule with a source never matches an IPv6 packet that has none yet (fib6_rule_match), not
            # even ::/128. So the two halves of all sources are refused first; what is left is unbound.
            for half in (ip_network("::/1"), ip_network("8000::/1")):
                yield Rule(v, 119, kind="prohibit", to=provider, source=half)
            yield Rule(v, 120, table=TRUNK_TABLE, to=provider, iif="lo")
    yield Rule(v, 199, kind="prohibit", to=provider)


# --- from one picture to the next ---------------------------------------------------------------------


def diff(actual: Iterable[Item], wanted: Iterable[Item]) -> list[Change]:
    """The steps from `actual` to `wanted`, in an order that is safe at every step.

    After each step a packet to the provider takes the old way, the new way, or none. Items of other
    protocols in `actual` are not ours and stay. Adds come before deletes, so that a way which stands in
    both pictures stands all the time.
    """
    now = {item for item in actual if item.protocol == PROTOCOL}
    then = set(wanted)
    come, go = then - now, now - then
    slots = {item.slot: item for item in go if isinstance(item, Route)}
    turned = _devices(now) ^ _devices(then)
    turned_tables = {(version, table) for version, table, _ in turned}
    changes: list[tuple[int, Change]] = []
    for item in come:
        old = slots.pop(item.slot, None) if isinstance(item, Route) else None
        if isinstance(item, Rule):
            # Refusals first: until the new ways stand, nothing may take another one.
            changes.append((0 if item.kind == "prohibit" else 4, Add(item)))
        elif old is not None and isinstance(item, Route):
            changes.append((3, Replace(old, item)))
        else:
            # `unreachable` before the default: a table never stands open at its end.
            changes.append((2 if item.metric == LAST_METRIC else 3, Add(item)))
    for item in go:
        if isinstance(item, Rule):
            # A stale rule must not lead into a table that turns to another device: it goes early.
            early = (item.version, item.table) in turned_tables
            changes.append((9 if item.kind == "prohibit" else 1 if early else 5, Delete(item)))
        elif item in slots.values():
            changes.append((8 if item.metric == LAST_METRIC else 7, Delete(item)))
    return [change for _, change in sorted(changes, key=lambda pair: (pair[0], *_place(pair[1])))]


def _place(change: Change) -> tuple[int, str]:
    """Rules are added from the top and deleted from the bottom, so that what stands is never reshuffled."""
    if isinstance(change, Replace) or not isinstance(change.item, Rule):
        return 0, repr(change)
    return change.item.priority * (1 if isinstance(change, Add) else -1), repr(change)


def _devices(items: Iterable[Item]) -> set[tuple[int, int, str]]:
    """(version, table, device) of every way out."""
    return {
        (item.destination.version, item.table, item.device)
        for item in items
        if isinstance(item, Route) and item.kind == "unicast"
    }
