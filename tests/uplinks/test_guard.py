"""The guard's text: what stands in which set, and that a transaction leads from any guard to any other."""

import re
from dataclasses import replace
from ipaddress import ip_network

from hypothesis import given

from gateway.uplinks.guard import NAMES, SKELETON, Guard, boot, contents, load, update
from gateway.uplinks.model import KernelPlan
from tests.uplinks.plans import plans
from tests.uplinks.test_routes import PLAN


def elements(text: str) -> set[str]:
    """The elements of a braced list, as text without quotes."""
    return {part.strip().replace('"', "") for part in text.split(",")}


def spelled(guard: Guard) -> dict[str, set[str]]:
    """All sets, spelled as nftables lists them."""
    joined = {"probe_marks": " : "}
    return {name: {joined.get(name, " . ").join(e) for e in found} for name, found in guard.sets.items()}


def applied(guard: Guard, text: str) -> dict[str, set[str]]:
    """What the transaction `text` makes of the sets of `guard`; it refuses what the kernel refuses."""
    sets = spelled(guard)
    for line in text.splitlines():
        if found := re.fullmatch(r"flush set inet steadyline_guard (\w+)", line):
            sets[found[1]].clear()
        elif found := re.fullmatch(r"add element inet steadyline_guard (\w+) \{ (.+) \}", line):
            assert not elements(found[2]) & sets[found[1]], "File exists"
            sets[found[1]] |= elements(found[2])
        elif found := re.fullmatch(r"delete element inet steadyline_guard (\w+) \{ (.+) \}", line):
            for gone in elements(found[2]):
                whole = {e for e in sets[found[1]] if e == gone or e.startswith(f"{gone} : ")}
                assert whole, "No such file or directory"
                sets[found[1]] -= whole
    return sets


@given(plans(), plans())
def test_a_transaction_leads_from_any_guard_to_any_other(old: KernelPlan, new: KernelPlan) -> None:
    before, after = contents(old), contents(new)
    text = update(before, after)
    assert applied(before, text) == spelled(after)
    assert bool(text) == (before != after)
    assert ("delete table inet steadyline_nat" in text) == (before.nat != after.nat)


@given(plans())
def test_only_admitted_pairs_are_admitted(plan: KernelPlan) -> None:
    sets = contents(plan).sets
    for version in (4, 6):
        paths = [p for p in plan.paths if p.address.version == version]
        assert sets[f"admitted{version}"] == {(p.device, str(p.address)) for p in paths if p.admitted}
        assert sets[f"declared{version}"] == {(p.device, str(p.address)) for p in paths}
    assert set(sets) == NAMES


@given(plans())
def test_the_page_is_closed_by_every_device_of_an_uplink(plan: KernelPlan) -> None:
    sets = contents(plan).sets
    devices: frozenset[tuple[str, ...]] = frozenset((path.device,) for path in plan.paths)
    none: frozenset[tuple[str, ...]] = frozenset()
    assert (sets["outside"], sets["shared"]) == ((devices, none) if plan.lan else (none, devices))


def test_a_boot_admits_nothing_and_knows_its_chains() -> None:
    text = boot([ip_network("192.0.2.0/28")])
    assert SKELETON in text
    assert "add element inet steadyline_guard providers4 { 192.0.2.0/28 }" in text
    assert "add element inet steadyline_guard call_ports { 10000-10999, 5060-5061 }" in text
    for empty in ("admitted4", "admitted6", "probes4", "declared4", "probe_marks"):
        assert f"add element inet steadyline_guard {empty}" not in text
    assert "masquerade" not in text


def test_providers_and_ports_that_overlap_are_joined() -> None:
    networks = tuple(ip_network(n) for n in ("192.0.2.0/28", "192.0.2.10/32", "192.0.2.16/28"))
    sets = contents(replace(PLAN, providers=networks, sip_port=10_500, rtp_ports=(10_000, 10_999))).sets
    assert sets["providers4"] == {("192.0.2.0/27",)}
    assert sets["call_ports"] == {("10000-10999",)}


def test_a_lone_provider_address_is_spelled_as_the_kernel_lists_it() -> None:
    assert contents(replace(PLAN, providers=(ip_network("192.0.2.10/32"),))).sets["providers4"] == {
        ("192.0.2.10",)
    }


def test_an_office_is_translated_to_the_explicit_address_and_never_to_an_unadmitted_one_for_the_trunk() -> (
    None
):
    nat = contents(PLAN).nat
    assert 'oifname "w1" meta l4proto { tcp, udp } snat ip to 10.0.1.2:20000-65535' in nat
    assert nat.index("oifname @unadmitted ip daddr { 192.0.2.0/28 } return") < nat.index("snat")
    assert contents(PLAN).unadmitted == {"w3"}
    assert "masquerade" not in nat
    assert contents(replace(PLAN, lan=())).nat == ""


def test_an_admission_that_ends_leaves_the_translation_of_others_alone() -> None:
    less = replace(PLAN, paths=tuple(replace(p, admitted=p.index == 2) for p in PLAN.paths))
    assert update(contents(PLAN), contents(less)).splitlines() == [
        'delete element inet steadyline_guard admitted4 { "w1" . 10.0.1.2 }',
        'add element inet steadyline_nat unadmitted { "w1" }',
    ]


def test_going_without_an_office_takes_the_translation_away() -> None:
    text = update(contents(PLAN), contents(replace(PLAN, lan=())))
    assert "delete table inet steadyline_nat" in text
    assert "snat" not in text


def test_a_whole_load_replaces_in_one_transaction() -> None:
    lines = load(contents(PLAN)).splitlines()
    assert lines[:2] == ["table inet steadyline_guard", "delete table inet steadyline_guard"]
