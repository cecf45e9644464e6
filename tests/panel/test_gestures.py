"""The button: what each hold means, and that no sequence of edges and no clock makes it do more."""

from collections.abc import Iterable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.panel.gestures import (
    BANDS,
    CONFIRM_S,
    ON_RELEASE,
    SETTLE_S,
    STUCK_S,
    Access,
    Action,
    Armed,
    Edge,
    Gestures,
    Holding,
    Password,
    Recover,
    Reset,
    Stuck,
    Tap,
)

ACTS = (Tap, Access, Password, Reset, Recover, Stuck)


class Finger:
    """A machine, its clock, and all that came of it. Time passes in the steps that the machine asks for."""

    def __init__(self, *, pressed: bool = False, power_on: bool = False) -> None:
        self.now = 100.0
        self.machine = Gestures(self.now, pressed=pressed, power_on=power_on)
        self.all: list[Action] = []

    def wait(self, seconds: float) -> "Finger":
        until = self.now + seconds
        while (due := self.machine.due) is not None and due <= until:
            self.now = max(self.now, due)
            self.all += self.machine.receive(None, self.now)
        self.now = until
        return self

    def edge(self, pressed: bool) -> "Finger":
        self.all += self.machine.receive(Edge(pressed, self.now), self.now)
        return self

    def hold(self, seconds: float) -> "Finger":
        return self.edge(True).wait(seconds).edge(False).wait(SETTLE_S)

    def took(self) -> list[Action]:
        """What was done since the last time; what is for the lamp alone is left out."""
        done: list[Action] = [action for action in self.all if isinstance(action, ACTS)]
        self.all.clear()
        return done

    def bands(self) -> list[str | None]:
        return [action.band for action in self.all if isinstance(action, Holding)]


@pytest.mark.parametrize(
    ("held_s", "done"),
    [
        (0.05, [Tap()]),
        (2.9, [Tap()]),
        (3.0, [Access()]),
        (5.9, [Access()]),
        (6.0, [Password()]),
        (11.9, [Password()]),
        (12.0, []),
        (19.9, []),
        (20.0, []),
        (59.9, []),
    ],
)
def test_letting_go(held_s: float, done: list[Action]) -> None:
    finger = Finger().edge(True).wait(held_s)
    assert finger.took() == [], "it acts when it is let go"
    assert finger.edge(False).wait(1).took() == done


def test_the_lamp_counts_the_band_while_it_is_held() -> None:
    finger = Finger().edge(True).wait(25)
    assert finger.bands() == ["tap", "access", "password", "reset", "cancel"]
    finger.edge(False).wait(1)
    assert finger.bands()[-1] is None and finger.machine.due is None


def test_reset_needs_its_tap() -> None:
    finger = Finger().hold(13)
    assert Armed(True) in finger.all and finger.took() == []
    assert finger.wait(5).hold(0.3).took() == [Reset()]
    assert finger.wait(60).hold(0.3).took() == [Tap()], "one tap, one reset"


def test_reset_without_a_tap_is_taken_back() -> None:
    finger = Finger().hold(13).wait(CONFIRM_S)
    assert [a for a in finger.all if isinstance(a, Armed)] == [Armed(True), Armed(False)]
    assert finger.hold(0.3).took() == [Tap()]


def test_a_tap_that_began_in_time_counts() -> None:
    finger = Finger().hold(13).wait(CONFIRM_S - SETTLE_S - 0.01)
    assert finger.hold(0.3).took() == [Reset()]


@pytest.mark.parametrize("held_s", [3.5, 7, 13, 25])
def test_any_other_hold_takes_a_reset_back_and_does_nothing_else(held_s: float) -> None:
    finger = Finger().hold(13).hold(held_s)
    assert finger.took() == []
    assert finger.hold(0.3).took() == [Tap()]


def test_a_stuck_button_is_said_once_and_ignored_until_it_is_free() -> None:
    finger = Finger().edge(True).wait(STUCK_S + 3600)
    assert finger.bands()[-1] is None, "the lamp shows the state of the box again"
    assert finger.took() == [Stuck(True)] and finger.machine.due is None
    assert finger.edge(False).wait(1).took() == [Stuck(False)]
    assert finger.hold(0.3).took() == [Tap()]


def test_a_reset_that_waits_does_not_outlive_a_stuck_button() -> None:
    finger = Finger().hold(13).edge(True).wait(STUCK_S + 1)
    assert finger.all[-1] == Armed(False), "the lamp shows the state of the box again"
    assert finger.edge(False).wait(1).hold(0.3).took() == [Stuck(True), Stuck(False), Tap()]


def test_held_at_power_on() -> None:
    finger = Finger(pressed=True, power_on=True).wait(4)
    assert finger.all == [Holding(None, recovering=True)]
    assert finger.edge(False).wait(1).took() == [Recover()]
    assert finger.hold(0.3).took() == [Tap()]


def test_a_touch_at_power_on_is_no_recovery() -> None:
    assert Finger(pressed=True, power_on=True).wait(1).edge(False).wait(1).took() == []


def test_a_button_that_is_broken_never_starts_recovery() -> None:
    finger = Finger(pressed=True, power_on=True).wait(STUCK_S)
    assert finger.took() == [Stuck(True)]
    assert finger.edge(False).wait(1).took() == [Stuck(False)]


def test_held_while_only_the_process_starts() -> None:
    """Nobody knows how long it has been down: it may be 1 s of 13."""
    assert Finger(pressed=True).wait(15).edge(False).wait(30).took() == []


def bounce(finger: Finger, pressed: bool, gaps_s: Iterable[float]) -> None:
    """A contact that ends as `pressed`, after chattering."""
    finger.edge(pressed)
    for gap_s in gaps_s:
        finger.wait(gap_s).edge(not pressed).wait(gap_s).edge(pressed)


@given(st.lists(st.floats(0.0001, SETTLE_S * 0.9), max_size=6), st.sampled_from(BANDS))
def test_bounce_changes_nothing(gaps_s: list[float], chosen: tuple[float, str]) -> None:
    from_s, name = chosen
    finger = Finger()
    bounce(finger, True, gaps_s)
    finger.wait(from_s + 1.5)
    bounce(finger, False, gaps_s)
    finger.wait(1)
    done = [action for action in finger.all if not isinstance(action, Holding)]
    assert done == list(ON_RELEASE[name])  # type: ignore[index]


def test_a_glitch_while_it_is_held_is_no_release() -> None:
    finger = Finger().edge(True).wait(5).edge(False).wait(SETTLE_S / 2).edge(True).wait(2)
    assert finger.edge(False).wait(1).took() == [Password()]


def test_a_loop_that_was_late_measures_by_the_kernels_clock() -> None:
    finger = Finger()
    began = finger.now
    finger.now += 100
    for pressed, at in ((True, began), (False, began + 4)):
        finger.all += finger.machine.receive(Edge(pressed, at), finger.now)
    assert finger.wait(SETTLE_S).took() == [Access()]


def test_an_edge_from_the_future_is_one_of_now() -> None:
    finger = Finger()
    finger.all += finger.machine.receive(Edge(True, finger.now + 1e9), finger.now)
    assert finger.wait(4).edge(False).wait(1).took() == [Access()]


LIVES = st.lists(
    st.tuples(
        st.sampled_from(["press", "release", "due", "late"]),
        st.one_of(st.floats(0, 0.05), st.floats(0, 90), st.floats(-1e6, 1e6)),
        st.floats(-100, 100),
    ),
    max_size=40,
)


@given(st.booleans(), st.booleans(), LIVES)
def test_whatever_edges_and_clocks_do_the_law_holds(
    pressed: bool, power_on: bool, life: list[tuple[str, float, float]]
) -> None:
    machine = Gestures(0.0, pressed=pressed, power_on=power_on)
    now, armed, holding, stuck = 0.0, False, Holding(None), False
    releases = int(pressed)
    for kind, step_s, skew_s in life:
        now += step_s  # may go back: a clock that should not
        event = None if kind in ("due", "late") else Edge(kind == "press", now + skew_s)
        releases += kind == "release"
        actions = machine.receive(event, now)
        assert machine.due is None or machine.due > -1e9
        for action in actions:
            match action:
                case Armed(on):
                    assert on != armed
                    armed = on
                case Reset():
                    assert not armed, "its tap takes the arming with it"
                case Stuck(on):
                    assert on != stuck
                    stuck = on
                case Holding():
                    assert action != holding, "the lamp is not told the same twice"
                    holding = action
                case Recover():
                    assert pressed and power_on
                case Tap() | Access() | Password():
                    assert holding == Holding(None), "it acts on release"
            releases -= isinstance(action, ACTS) and not isinstance(action, Stuck)
        assert releases >= 0, "one gesture for one release"


@given(st.lists(st.tuples(st.floats(0.04, 80), st.floats(0.04, 30)), max_size=6))
@example([(12.5, 10.0), (12.5, 1.0), (1.0, 1.0)])
def test_every_reset_had_its_hold_and_its_tap(presses: list[tuple[float, float]]) -> None:
    """Against a plain account of what a reset is."""
    finger, armed_until = Finger(), -1.0
    for held_s, pause_s in presses:
        began = finger.now
        assume(abs(began - armed_until) > 1e-6)
        assume(all(abs(held_s - from_s) > 1e-6 for from_s, _ in BANDS))
        armed = began < armed_until
        finger.hold(held_s)
        assert (Reset() in finger.took()) == (armed and held_s < 3.0)
        armed_until = began + held_s + CONFIRM_S if 12.0 <= held_s < 20.0 and not armed else -1.0
        finger.wait(pause_s)
