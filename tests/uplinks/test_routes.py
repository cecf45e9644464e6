"""Routes and rules: what a plan wants, and that no step on the way to it lets a packet out wrongly."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from hypothesis import given

from gateway.uplinks.model import Address, KernelPlan, UplinkPath
from gateway.uplinks.routes import (
    INTERNET_TABLE,
    LAST_METRIC,
    MAIN_TABLE,
    TABLES,
    TRUNK_TABLE,
    Add,
    Change,
    Delete,
    Item,
    Replace,
    Route,
    Rule,
    desired,
    diff,
    flow_mark,
    probe_mark,
)
from tests.uplinks.plans import PROVIDERS, plans

PROVIDER = ip_address("192.0.2.10")
NOWHERE = "refused"
OPEN_END = "fell through"


def path(index: int, *, admitted: bool = True) -> UplinkPath:
    """Uplink `index`: device w<index>, 10.0.<index>.2/24 behind .1."""
    return UplinkPath(
        index,
        f"u{index}",
        f"w{index}",
        ip_address(f"10.0.{index}.2"),
        ip_network(f"10.0.{index}.0/24"),
        ip_address(f"10.0.{index}.1"),
        admitted,
    )


PLAN = KernelPlan(
    paths=(path(1), path(2), path(3, admitted=False)),
    providers=(ip_network("192.0.2.0/28"),),
    trunk=1,
    internet=(1, 2, 3),
    lan=("lan0",),
)


@dataclass(frozen=True)
class Packet:
    """What the routing rules look at. `source` None: the socket is bound to no address."""

    to: Address
    source: Address | None = None
    mark: int = 0
    iif: str = "lo"


def way(items: Iterable[Item], packet: Packet) -> str:
    """The device that the kernel would choose; a small model of fib_rules_lookup."""
    items = set(items)
    for rule in sorted((i for i in items if isinstance(i, Rule)), key=lambda r: (r.priority, r.kind)):
        if rule.version != packet.to.version or (rule.to and packet.to not in rule.to):
            continue
        if rule.iif and rule.iif != packet.iif:
            continue
        if (packet.mark & rule.mask) != rule.mark:
            continue
        if rule.source is not None:
            if packet.source is None:
                if rule.version == 6 or rule.source != ip_network("0.0.0.0/32"):
                    continue
            elif packet.source not in rule.source:
                continue
        if rule.kind == "prohibit":
            return NOWHERE
        table = [
            r for r in items if isinstance(r, Route) and r.table == rule.table and packet.to in r.destination
        ]
        if table:
            best = min(table, key=lambda r: (-r.destination.prefixlen, r.metric))
            return best.device if best.kind == "unicast" else NOWHERE
    return OPEN_END


def apply(items: frozenset[Item], change: Change) -> frozenset[Item]:
    """What the kernel does with one change; it refuses what cannot be."""
    match change:
        case Add(item):
            if isinstance(item, Route):
                slots = {i.slot for i in items if isinstance(i, Route)}
                assert item.slot not in slots, "File exists"
            return items | {item}
        case Replace(old, new):
            assert old in items and old.slot == new.slot
            return items - {old} | {new}
        case Delete(item):
            assert item in items, "No such process"
            return items - {item}


def packets(*pictures: KernelPlan) -> list[Packet]:
    """Trunk packets of every source and mark that one of the plans knows, and of some that none does."""
    found = []
    strange = {4: ip_address("198.18.0.9"), 6: ip_address("2001:db8:bad::9")}
    for provider in {n for plan in pictures for n in plan.providers}:
        sources = {
            p.address for plan in pictures for p in plan.paths if p.address.version == provider.version
        }
        for source in (None, strange[provider.version], *sources):
            owners = {p.index for plan in pictures for p in plan.paths if p.address == source} or {1, 2, 3, 4}
            # Marks go with an address: a socket bound to one uplink's never bears another one's.
            own = source is not None and len(owners) != 2
            marks = [m(i) for i in owners for m in (flow_mark, probe_mark) if own]
            found += [Packet(provider[0], source, mark) for mark in (0, *marks)]
        found.append(Packet(provider[0], strange[provider.version], 0, "lan0"))
    return found


def test_a_confirmed_address_leaves_by_its_own_uplink() -> None:
    for index in (1, 2):
        assert way(desired(PLAN), Packet(PROVIDER, ip_address(f"10.0.{index}.2"))) == f"w{index}"


def test_an_unconfirmed_address_reaches_the_provider_only_with_a_probe_mark() -> None:
    source = ip_address("10.0.3.2")
    assert way(desired(PLAN), Packet(PROVIDER, source)) == NOWHERE
    assert way(desired(PLAN), Packet(PROVIDER, source, flow_mark(3))) == NOWHERE
    assert way(desired(PLAN), Packet(PROVIDER, source, probe_mark(3))) == "w3"


def test_unbound_and_office_traffic_takes_the_trunk_uplink() -> None:
    items = desired(replace(PLAN, trunk=2))
    assert way(items, Packet(PROVIDER)) == "w2"
    assert way(items, Packet(PROVIDER, ip_address("192.168.50.10"), iif="lan0")) == "w2"
    assert way(items, Packet(PROVIDER, ip_address("192.168.50.10"))) == NOWHERE


def test_without_a_trunk_uplink_nothing_goes_unbound() -> None:
    for trunk in (None, 3, 7):
        assert way(desired(replace(PLAN, trunk=trunk)), Packet(PROVIDER)) == NOWHERE


def test_other_traffic_follows_its_address_its_mark_or_the_owner() -> None:
    host = ip_address("198.51.100.200")
    items = desired(replace(PLAN, internet=(2, 1)))
    assert way(items, Packet(host)) == "w2"
    assert way(items, Packet(host, ip_address("10.0.3.2"))) == "w3"
    assert way(items, Packet(host, ip_address("192.168.50.10"), flow_mark(1), "lan0")) == "w1"
    assert way(items, Packet(host, None, probe_mark(3))) == "w3"
    assert way(desired(replace(PLAN, internet=())), Packet(host)) == NOWHERE


def test_other_bits_of_a_mark_are_other_peoples() -> None:
    source = ip_address("10.0.3.2")
    assert way(desired(PLAN), Packet(PROVIDER, source, 0xABCD0000 | probe_mark(3))) == "w3"


def test_six_without_a_confirmed_address_is_refused_and_else_left_alone() -> None:
    provider = ip_network("2001:db8:f::/64")
    items = desired(replace(PLAN, providers=(provider,)))
    assert way(items, Packet(provider[1])) == NOWHERE
    assert way(items, Packet(ip_address("2001:db8:c::1"))) == OPEN_END


def test_six_unbound_goes_by_the_trunk_and_wrong_sources_do_not() -> None:
    provider = ip_network("2001:db8:f::/64")
    six = UplinkPath(
        1,
        "u1",
        "w1",
        ip_address("2001:db8:a::2"),
        ip_network("2001:db8:a::/64"),
        ip_address("fe80::1"),
        True,
    )
    items = desired(replace(PLAN, providers=(provider,), paths=(*PLAN.paths, six)))
    assert way(items, Packet(provider[1])) == "w1"
    assert way(items, Packet(provider[1], six.address)) == "w1"
    assert way(items, Packet(provider[1], ip_address("2001:db8:50::9"))) == NOWHERE
    assert way(items, Packet(provider[1], ip_address("2001:db8:50::9"), iif="lan0")) == NOWHERE


@given(plans())
def test_every_table_of_ours_is_closed_at_its_end(plan: KernelPlan) -> None:
    items = desired(plan)
    for rule in (i for i in items if isinstance(i, Rule) and i.kind == "lookup" and i.table != MAIN_TABLE):
        assert any(
            isinstance(i, Route)
            and i.table == rule.table
            and i.metric == LAST_METRIC
            and i.destination.version == rule.version
            for i in items
        )
    assert {i.table for i in items if isinstance(i, Route)} <= TABLES


@given(plans())
def test_only_admitted_pairs_reach_the_provider(plan: KernelPlan) -> None:
    admitted = {(p.device, p.address) for p in plan.paths if p.admitted}
    items = desired(plan)
    for packet in packets(plan):
        if packet.source is None or packet.mark or packet.iif != "lo":
            continue
        out = way(items, packet)
        assert out == NOWHERE or (out, packet.source) in admitted


@given(plans(), plans())
def test_a_difference_leads_from_any_picture_to_any_other_and_never_astray(
    old: KernelPlan, new: KernelPlan
) -> None:
    before, after = desired(old), desired(new)
    state = before
    seen = packets(old, new)
    allowed = {p: {way(before, p), way(after, p), NOWHERE} for p in seen}
    common = set(old.paths) & set(new.paths)
    steady = {p.address for p in common}
    stands = {
        p
        for p in seen
        if p.source in steady
        and not p.mark
        and way(before, p) == way(after, p)
        and any(p.to in n for n in set(old.providers) & set(new.providers))
    }
    for change in diff(before, after):
        state = apply(state, change)
        for packet in seen:
            out = way(state, packet)
            assert out in allowed[packet], (packet, change)
            assert packet not in stands or out == way(after, packet), ("interrupted", packet, change)
    assert state == after


@given(plans(), plans())
def test_foreign_items_are_never_touched(old: KernelPlan, new: KernelPlan) -> None:
    foreign = frozenset(replace(item, protocol=4) for item in desired(old))
    for change in diff(foreign | desired(old), desired(new)):
        item = change.old if isinstance(change, Replace) else change.item
        assert item.protocol == 201


@given(plans())
def test_nothing_is_done_where_all_is_well(plan: KernelPlan) -> None:
    assert diff(desired(plan), desired(plan)) == []


def test_a_switch_is_a_few_steps() -> None:
    steps = diff(desired(PLAN), desired(replace(PLAN, trunk=2, internet=(2, 1, 3))))
    assert all(isinstance(step, Replace) for step in steps)
    assert {s.new.table for s in steps if isinstance(s, Replace)} == {TRUNK_TABLE, INTERNET_TABLE}


def test_the_strategy_meets_all_providers() -> None:
    assert {n.version for n in PROVIDERS} == {4, 6}
