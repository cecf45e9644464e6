"""What follows on each ending of an attempt."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.model import Codecs, Unauthorised, Ways
from gateway.calls.routing import (
    POLICY,
    REASON,
    SILENCE,
    WORDS,
    GiveUp,
    Rests,
    Route,
    RouteKind,
    Try,
    reason_of,
)
from gateway.messages import PathState, Server

ONE = Server(address="192.0.2.10", port=5060, transport="udp")
TWO = Server(address="2001:db8:f::12", port=5061, transport="tls")
PLAIN: tuple[tuple[str, PathState], ...] = (("main", "fit"), ("backup1", "fit"), ("backup2", "unfit"))


def ways(active: str = "main", states: tuple[tuple[str, PathState], ...] = PLAIN) -> Ways:
    return Ways(active, states)


def walk(
    codes: Sequence[int], kind: RouteKind = "ordinary", servers: Sequence[Server] = (ONE, TWO)
) -> tuple[list[tuple[str, Server, Codecs]], GiveUp | None, list[Unauthorised]]:
    """The ways tried while the network answers with `codes`, the end if there was one, and alarms."""
    route = Route(servers, ways(), Rests(), kind)
    step = route.begin(0.0)
    tried: list[tuple[str, Server, Codecs]] = []
    alarms: list[Unauthorised] = []
    for code in codes:
        assert isinstance(step, Try)
        tried.append((step.uplink, step.server, step.codecs))
        more, step = route.failed(code, None, 0.0)
        alarms += more
    if isinstance(step, GiveUp):
        return tried, step, alarms
    tried.append((step.uplink, step.server, step.codecs))
    return tried, None, alarms


@pytest.mark.parametrize("code", [0, SILENCE, 408])
def test_silence_goes_to_the_next_uplink_then_to_the_next_server(code: int) -> None:
    tried, end, _ = walk([code] * 4)
    assert [(u, s) for u, s, _ in tried] == [("main", ONE), ("backup1", ONE), ("main", TWO), ("backup1", TWO)]
    assert end == GiveUp(max(code, 0), "provider_silent")


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_faulty_server_is_left_for_the_next(code: int) -> None:
    tried, end, _ = walk([code, code])
    assert [(u, s) for u, s, _ in tried] == [("main", ONE), ("main", TWO)]
    assert end == GiveUp(code, reason_of(code))


@pytest.mark.parametrize("code", [401, 403, 407])
def test_a_refusal_is_tried_once_elsewhere(code: int) -> None:
    tried, end, alarms = walk([code, code])
    assert [(u, s) for u, s, _ in tried] == [("main", ONE), ("backup1", ONE)]
    assert end == GiveUp(code, reason_of(code))
    assert alarms == []


@pytest.mark.parametrize("elsewhere", ["answered", "rings", "busy"])
def test_taken_elsewhere_means_that_the_first_address_is_not_confirmed(elsewhere: str) -> None:
    route = Route((ONE,), ways(), Rests())
    route.begin(0.0)
    assert route.failed(403, None, 0.0) == ([], Try("backup1", ONE))
    if elsewhere == "busy":
        alarms, _ = route.failed(486, None, 0.0)
    else:
        alarms = route.answered() if elsewhere == "answered" else route.progress(180)
    assert alarms == [Unauthorised("main", 403)]
    assert route.answered() == [], "once is enough"


def test_two_refusals_are_enough() -> None:
    three = ways(states=(("main", "fit"), ("backup1", "fit"), ("backup2", "fit")))
    route = Route((ONE,), three, Rests())
    route.begin(0.0)
    assert route.failed(403, None, 0.0)[1] == Try("backup1", ONE)
    assert route.failed(403, None, 0.0)[1] == GiveUp(403, "refused")


@pytest.mark.parametrize("code", [488, 606])
def test_other_codecs_on_the_same_way(code: int) -> None:
    tried, end, _ = walk([code, code])
    assert tried == [("main", ONE, "usual"), ("main", ONE, "fallback")]
    assert end == GiveUp(code, "no_codec")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (302, "redirected"),
        (402, "no_credit"),
        (404, "unknown_number"),
        (480, "unavailable"),
        (482, "fault"),
        (484, "incomplete_number"),
        (486, "busy"),
        (487, "cancelled"),
        (501, "provider_fault"),
        (600, "busy"),
        (603, "declined"),
        (608, "declined"),
        (699, "fault"),
    ],
)
def test_the_number_was_reached_or_nobody_may(code: int, reason: str) -> None:
    assert walk([code])[1] == GiveUp(code, reason)


@given(st.integers(300, 699))
def test_nothing_is_retried_after_it_rang(code: int) -> None:
    route = Route((ONE, TWO), ways(), Rests())
    route.begin(0.0)
    route.progress(180)
    assert isinstance(route.failed(code, None, 1.0)[1], GiveUp)


@given(
    st.lists(st.sampled_from([0, SILENCE, 403, 404, 408, 486, 488, 500, 503, 603]), min_size=13, max_size=13)
)
def test_an_emergency_tries_every_uplink_and_every_server(codes: list[int]) -> None:
    route = Route((ONE, TWO), ways(), Rests(), "emergency")
    step, tried = route.begin(0.0), []
    for code in codes:
        if isinstance(step, GiveUp):
            break
        tried.append((step.uplink, step.server))
        route.progress(183)
        step = route.failed(code, 30.0 if code == 503 else None, 0.0)[1]
    assert isinstance(step, GiveUp)
    assert set(tried) == {(u, s) for u in ("main", "backup1", "backup2") for s in (ONE, TWO)}


def test_a_server_that_asks_for_rest_gets_it_from_every_call() -> None:
    rests = Rests()
    first = Route((ONE, TWO), ways(), rests)
    first.begin(0.0)
    assert first.failed(503, 30.0, 0.0)[1] == Try("main", TWO)
    assert Route((ONE, TWO), ways(), rests).begin(29.0) == Try("main", TWO)
    assert Route((ONE,), ways(), rests).begin(29.0) == GiveUp(503, "provider_busy")
    assert Route((ONE,), ways(), rests, "emergency").begin(29.0) == Try("main", ONE)
    assert Route((ONE, TWO), ways(), rests).begin(30.0) == Try("main", ONE)


def test_no_answer_silences_a_trunk_for_a_day() -> None:
    rests = Rests()
    route = Route((ONE,), ways(), rests)
    route.begin(0.0)
    route.failed(503, 86_400.0, 0.0)
    assert Route((ONE,), ways(), rests).begin(121.0) == Try("main", ONE)


def test_a_silent_server_is_asked_last_for_a_while() -> None:
    rests = Rests()
    route = Route((ONE, TWO), ways(), rests)
    route.begin(0.0)
    route.failed(SILENCE, None, 0.0)
    assert Route((ONE, TWO), ways(), rests).begin(1.0) == Try("main", TWO)
    assert Route((ONE, TWO), ways(), rests).begin(31.0) == Try("main", ONE)


def test_a_server_that_answers_is_silent_no_more() -> None:
    rests = Rests()
    route = Route((ONE, TWO), ways(), rests)
    route.begin(0.0)
    assert route.failed(SILENCE, None, 0.0)[1] == Try("backup1", ONE)
    route.failed(486, None, 0.0)
    assert Route((ONE, TWO), ways(), rests).begin(1.0) == Try("main", ONE)


def test_the_active_uplink_comes_first_and_none_means_all_down() -> None:
    assert Route((ONE,), ways("backup1"), Rests()).begin(0.0) == Try("backup1", ONE)
    down = ways("", (("main", "leave"), ("backup1", "unfit")))
    assert Route((ONE,), down, Rests()).begin(0.0) == GiveUp(0, "all_down")
    assert Route((ONE,), down, Rests(), "emergency").begin(0.0) == Try("main", ONE)


def test_attempts_are_kept_for_the_log() -> None:
    route = Route((ONE, TWO), ways(), Rests())
    route.begin(0.0)
    route.failed(503, None, 0.0)
    route.progress(180)
    route.answered()
    assert route.attempts == [
        "main 192.0.2.10:5060: 503",
        "main [2001:db8:f::12]:5061: 180",
        "main [2001:db8:f::12]:5061: 200",
    ]


def test_every_reason_has_words() -> None:
    assert {reason_of(code) for code in [*range(-1, 700), *POLICY, *REASON]} <= set(WORDS)


def test_a_server_is_asked_only_by_uplinks_of_its_ip_version_and_the_active_uplink_first() -> None:
    both = (("main", 6), ("backup1", 4))
    route = Route((ONE, TWO), Ways("main", PLAIN, both), Rests())
    assert route.begin(0.0) == Try("main", TWO)
    assert route.failed(SILENCE, None, 0.0)[1] == Try("backup1", ONE)
    assert route.failed(SILENCE, None, 0.0)[1] == GiveUp(0, "provider_silent")
    assert (route.serving("main", ONE), route.serving("backup1", ONE)) == (TWO, ONE)
