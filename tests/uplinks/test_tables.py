"""What must hold in the tables of the uplinks room whatever happens, in whatever order."""

from ipaddress import IPv4Address, ip_address, ip_interface
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import RefusedError
from gateway.schema import Watching
from gateway.status import UplinkState
from gateway.uplinks.choice import Calls, Carry, Choice, Order, Views
from gateway.uplinks.damping import HALF_LIFE_S, Damper
from gateway.uplinks.health import Event, Health, View
from gateway.uplinks.model import (
    AddressesSeen,
    Damped,
    Duty,
    HealthChanged,
    Identity,
    LinkSeen,
    LookAgain,
    Measure,
    MediaBack,
    MediaSilent,
    ProbeAnswered,
    ProbeRefused,
    SendProbe,
    Target,
    TargetsKnown,
    Verify,
)
from gateway.uplinks.observed import Observed
from gateway.uplinks.probing import BYTES, CEILING_S, MARGIN_S, Estimator, pace
from gateway.uplinks.quality import LEAST, Quality
from gateway.uplinks.reach import REACH
from gateway.uplinks.sentences import Facts, sentence

OWN, OTHER = ip_address("203.0.113.2"), ip_address("203.0.113.77")
TARGETS = (
    Target("options", "192.0.2.10:5060", True),
    Target("icmp", "192.0.2.10", True),
    Target("icmp", "198.51.100.200", False),
    Target("stun", "198.51.100.200:3478", False),
    Target("stun", "198.51.100.201:3478", False),
)
WATCHING = Watching()

links = st.builds(LinkSeen, st.just("wan0"), st.booleans(), st.booleans(), st.booleans())
addresses = st.builds(
    AddressesSeen,
    st.just("wan0"),
    st.sampled_from([frozenset(), frozenset({ip_interface("203.0.113.2/30")})]),
    st.sampled_from([frozenset(), frozenset({OWN})]),
)
identities = st.builds(
    Identity,
    st.sampled_from([None, OWN]),
    st.sampled_from([None, OWN]),
    st.sampled_from([None, OWN]),
    st.booleans(),
)
others = st.one_of(
    st.builds(Duty, st.booleans(), st.integers(0, 3)),
    st.builds(TargetsKnown, st.sampled_from([(), TARGETS, TARGETS[:2]])),
    st.builds(MediaSilent, st.floats(0.05, 0.3)),
    st.just(MediaBack()),
    st.just(Verify("main")),
    st.just(Measure("main")),
    st.just(LookAgain()),
    st.builds(Damped, st.just("main"), st.booleans()),
)
answers = st.tuples(st.just("answer"), st.floats(0, 1), st.floats(0, 2), st.sampled_from([None, OWN, OTHER]))
refusals = st.tuples(st.just("refuse"), st.floats(0, 1))
pauses = st.tuples(st.just("pause"), st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.2, 1.0, 11.0, 70.0]))
UP: tuple[Event, ...] = (
    LinkSeen("wan0", True, True, True),
    AddressesSeen("wan0", frozenset({ip_interface("203.0.113.2/30")})),
    TargetsKnown(TARGETS),
    Identity(OWN, OWN, OWN),
)


@settings(max_examples=300, deadline=None)
@given(
    st.booleans(),
    st.lists(st.one_of(links, addresses, identities, others, answers, refusals, pauses), max_size=60),
)
def test_health_under_arbitrary_events(begin_up: bool, script: list[object]) -> None:
    now = 100.0
    health = Health("main", "wan0", WATCHING, now, enabled=True, dhcp=False, metered=False)
    out: list[SendProbe] = []
    known = Identity(None, None, None)

    def tell(event: Event | None) -> None:
        nonlocal known
        if isinstance(event, Identity):
            known = event
        before = health.state
        actions = health.receive(event, now)
        out.extend(a for a in actions if isinstance(a, SendProbe))
        changes = [a for a in actions if isinstance(a, HealthChanged)]
        assert [c.state for c in changes] == ([health.state] if health.state != before else [])
        assert all(c.sentence for c in changes)
        assert health.due is None or health.due > now, "due in the past would spin the loop"
        view = health.view(now)
        if view.trunk != "unfit":
            assert known.confirmed is not None and not health.drifted
        if view.trunk == "fit":
            assert view.internet == "fit"
        if health.state in ("no_device", "no_carrier", "no_address", "conflict"):
            assert (view.trunk, view.internet, health.due) == ("unfit", "unfit", None)
        if known.confirmed is None:
            assert health.state not in ("up", "degraded", "damped", "no_trunk")

    for event in UP if begin_up else ():
        tell(event)
    for step in script:
        match step:
            case ("pause", float(seconds)):
                end = now + seconds
                while health.due is not None and health.due <= end:
                    now = health.due
                    tell(None)
                now = end
            case ("answer", float(which), float(rtt_s), (None | IPv4Address()) as observed) if out:
                probe = out[int(which * (len(out) - 1))]
                code = 200 if probe.kind == "options" else None
                tell(
                    ProbeAnswered(
                        "main",
                        probe.kind,
                        probe.target,
                        probe.sequence,
                        rtt_s,
                        observed,
                        code,
                    )
                )
            case ("refuse", float(which)) if out:
                probe = out[int(which * (len(out) - 1))]
                tell(ProbeRefused("main", probe.kind, probe.target, probe.sequence, "no"))
            case tuple():
                pass
            case _:
                tell(step)  # type: ignore[arg-type]


STATES = get_args(UplinkState)
# What health reports together: how good for the Internet, how good for the trunk, the states that go with it.
REPORTS = (
    ("fit", "fit", ("up", "degraded", "damped")),
    ("fit", "pending", ("suspect", "probing")),
    ("fit", "unfit", ("up_unconfirmed", "no_trunk", "drifted")),
    ("pending", "pending", ("suspect", "probing")),
    ("pending", "unfit", ("suspect", "probing", "drifted")),
    ("unfit", "unfit", ("down", "no_carrier", "no_device", "disabled")),
)


@st.composite
def views(draw: st.DrawFn) -> Views:
    """Three uplinks in any state that health could report."""
    result = []
    for name in ("main", "backup1", "backup2"):
        internet, trunk, states = draw(st.sampled_from(REPORTS))
        since = {"fit": 0.0, "unfit": None}
        result.append(
            View(
                name,
                draw(st.sampled_from(states)),
                internet,  # type: ignore[arg-type]
                trunk,  # type: ignore[arg-type]
                draw(st.sampled_from([None, 1.5, 3.0, 4.4])),
                since.get(internet, draw(st.sampled_from([None, 0.0]))),
                since.get(trunk, draw(st.sampled_from([None, 0.0]))),
                0.0,
            )
        )
    return Views(tuple(result))


events = st.one_of(
    views(),
    st.builds(Order, st.sampled_from(["", "main", "backup1", "backup2"])),
    st.builds(Calls, st.dictionaries(st.sampled_from(["main", "backup1"]), st.integers(0, 3))),
    st.none(),
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["", "main", "backup2"]),
    st.lists(st.tuples(events, st.sampled_from([0.0, 0.01, 1.0, 40.0, 4000.0])), max_size=40),
)
def test_choice_under_arbitrary_views(adopted: str, script: list[tuple[object, float]]) -> None:
    now = 100.0
    choice = Choice(WATCHING, now, adopted)
    seen: dict[str, View] = {}
    for event, seconds in script:
        now += seconds
        if isinstance(event, Views):
            seen = {view.name: view for view in event.views}
        if isinstance(event, Order) and event.uplink:
            try:
                choice.refuse(event.uplink)
            except RefusedError:
                continue
        actions = choice.receive(event, now)  # type: ignore[arg-type]
        carries = [a for a in actions if isinstance(a, Carry)]
        assert len(carries) <= 1
        for carry in carries:
            assert seen[carry.uplink].trunk == "fit", "trunk on an uplink that is not fit"
            assert carry.uplink != carry.before
        assert choice.due is None or choice.due > now
        fit = {name for name, view in seen.items() if view.trunk == "fit"}
        assert not fit or not all(choice.damped(name) for name in fit), "the last usable one is damped"
        states = {name: choice.path_state(name) for name in seen}
        if not choice.active:
            assert "leave" not in states.values(), "told to leave for nowhere"
        elif choice.active:
            assert states[choice.active] == "fit" and seen[choice.active].state != "drifted"
        for name, view in seen.items():
            if view.state in ("drifted", "down", "no_carrier") and view.trunk == "unfit":
                assert states[name] != "fit"


def test_every_state_of_reach_can_be_left_and_returned_from() -> None:
    def reachable(start: str) -> set[str]:
        found, todo = {start}, [start]
        while todo:
            for after in REACH[todo.pop()].values():  # type: ignore[index]
                if after not in found:
                    found.add(after)
                    todo.append(after)
        return found

    for state in REACH:
        assert {"alive", "silent"} <= reachable(state)


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_sentence(state: UplinkState) -> None:
    for dhcp in (True, False):
        facts = Facts("main", "wan0", dhcp, False, Identity(OWN, OWN, OWN), OTHER, Quality())
        text = sentence(state, facts)
        assert text.endswith(".") and "None" not in text and len(text) < 200


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_a_timeout_has_a_floor_and_a_ceiling(rtts: list[float]) -> None:
    rtt = Estimator()
    for seconds in rtts:
        rtt.heard(seconds)
        assert rtt.srtt_s is not None
        assert min(CEILING_S, rtt.srtt_s + MARGIN_S) <= rtt.timeout_s <= CEILING_S


def test_one_hiccup_hardly_counts_and_real_jitter_is_learned() -> None:
    rtt = Estimator()
    for _ in range(50):
        rtt.heard(0.04)
    rtt.heard(1.0)
    assert rtt.timeout_s < 0.2
    for n in range(12):
        rtt.heard(0.04 if n % 2 else 0.16)
    assert rtt.timeout_s > 0.2


def test_damping_by_the_numbers() -> None:
    damper = Damper()
    for n in range(3):
        damper.flapped(float(n))
        assert not damper.suppressed
    damper.flapped(3.0)
    assert damper.suppressed
    assert abs(damper.penalty(3.0 + HALF_LIFE_S) - damper.penalty(3.0) / 2) < 1e-6
    free_at = damper.free_at()
    assert free_at is not None
    damper.settle(free_at - 1)
    assert damper.suppressed
    damper.settle(free_at)
    assert damper.free_at() is None


def test_the_providers_word_counts_alone_and_stun_needs_two() -> None:
    observed = Observed()
    observed.told("stun", "a", OTHER, 0.0)
    assert not observed.contradicts(OWN), "one voice is none"
    assert observed.told("stun", "b", OTHER, 1.0), "two agree: ask the provider"
    assert observed.contradicts(OWN)
    observed.told("options", "p", OWN, 1.1)
    assert not observed.contradicts(OWN)
    observed.told("stun", "a", OTHER, 30.0)
    assert not observed.contradicts(OWN), "the provider has overruled that already"
    observed.told("options", "p", OTHER, 31.0)
    assert observed.contradicts(OWN) and not observed.contradicts(None)


def test_one_lost_probe_is_no_brownout() -> None:
    quality = Quality()
    for n in range(LEAST):
        quality.add(None if n == 5 else 0.04, float(n))
    assert quality.mos is not None and quality.mos > 4.0
    assert not quality.degraded


def test_a_metered_uplink_is_asked_rarely_until_it_carries_calls() -> None:
    idle, duty, busy = (pace(d, True, WATCHING) for d in (Duty(False, 0), Duty(True, 0), Duty(True, 1)))
    assert idle.icmp_s == 15 and duty.icmp_s == 1 and busy.icmp_s == 0.2
    assert pace(Duty(True, 0), False, WATCHING).icmp_s == 0.2
    assert pace(Duty(False, 0), False, WATCHING).options_s < 30, "keeps the routers' translation open"


@pytest.mark.parametrize("budget_mb", [1, 5, 20, 60, 1000])
def test_a_metered_uplink_that_stands_by_keeps_its_budget(budget_mb: int) -> None:
    usual = pace(Duty(False, 0), True, WATCHING)
    held = pace(Duty(False, 0), True, WATCHING, budget_mb)
    servers = max(1, len(WATCHING.stun_servers))
    a_second = (
        BYTES["icmp"] / held.icmp_s
        + BYTES["options"] / held.options_s
        + servers * BYTES["stun"] / held.stun_s
    )
    assert a_second * 30 * 86_400 / 1e6 <= budget_mb * 1.001
    assert held.icmp_s >= usual.icmp_s
    # Who carries calls is watched as ever.
    assert pace(Duty(True, 1), True, WATCHING, budget_mb) == pace(Duty(True, 1), True, WATCHING)
