"""Presence and the throttle of the password."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.access import (
    ASK_S,
    FREE_TRIES,
    LONGEST_PAUSE_S,
    PROOF_S,
    Asked,
    Deny,
    Grant,
    Presence,
    Tapped,
    Throttle,
)


def test_a_tap_within_a_minute_gives_a_proof_that_is_good_once() -> None:
    presence = Presence()
    assert presence.receive(Asked(1, "new password"), 0) == [] and presence.why == "new password"
    assert presence.receive(Tapped("p"), ASK_S - 1) == [Grant(1, "p")]
    assert presence.why == "" and presence.due is None
    assert presence.spend("p", ASK_S) and not presence.spend("p", ASK_S)


def test_nobody_taps() -> None:
    presence = Presence()
    presence.receive(Asked(1, "x"), 0)
    assert presence.receive(None, ASK_S - 0.1) == []
    (denied,) = presence.receive(None, ASK_S)
    assert isinstance(denied, Deny) and denied.ticket == 1
    assert presence.receive(Tapped("p"), ASK_S + 1) == [] and not presence.spend("p", ASK_S + 1)


def test_a_tap_out_of_the_blue_is_nothing() -> None:
    presence = Presence()
    assert presence.receive(Tapped("p"), 0) == [] and not presence.spend("p", 1)


def test_one_request_at_a_time() -> None:
    presence = Presence()
    presence.receive(Asked(1, "wipe"), 0)
    (denied,) = presence.receive(Asked(2, "other"), 1)
    assert isinstance(denied, Deny) and denied.ticket == 2 and "wipe" in denied.what
    assert presence.receive(Tapped("p"), 2) == [Grant(1, "p")]


def test_a_proof_is_good_for_ten_minutes() -> None:
    presence = Presence()
    presence.receive(Asked(1, "x"), 0)
    presence.receive(Tapped("p"), 10)
    assert not presence.spend("p", 10 + PROOF_S) and not presence.spend("other", 11)


def test_guessing_gets_slower_and_a_restart_is_no_help() -> None:
    throttle = Throttle(0, 0)
    now, tries = 0.0, 0
    while now < 60:
        assert throttle.wait_s(now) == 0
        throttle.guessed(False, now)
        tries += 1
        now += throttle.wait_s(now) or 0.001
    assert FREE_TRIES < tries <= 10, "at most ten a minute"
    for _ in range(10):
        throttle.guessed(False, now)
    assert throttle.wait_s(now) == LONGEST_PAUSE_S
    assert Throttle(throttle.wrong, 0).wait_s(0) == LONGEST_PAUSE_S
    throttle.guessed(True, now)
    assert throttle.wait_s(now) == 0 and throttle.wrong == 0


@given(st.integers(0, 10**9), st.floats(0, 1e9))
def test_the_owner_is_never_locked_out_for_good(wrong: int, now: float) -> None:
    assert Throttle(wrong, now).wait_s(now) <= LONGEST_PAUSE_S
