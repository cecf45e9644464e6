"""The hook table: what lifts, dials, flashes and hang-ups become, by time stamps alone."""

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DoorError
from gateway.phones.hook import Edge, Hook
from gateway.phones.model import OffHook
from gateway.phones.pulse import DIALS, Dial, LoopTimes, key_of
from tests.phones.loops import Handset, hear, keys, kinds

TIMES = LoopTimes()


def heard_of(handset: Handset, dial: Dial = "normal") -> list[str]:
    return kinds(hear(Hook(TIMES, dial), handset.edges, handset.now + 2))


def test_lifted_and_laid_down() -> None:
    handset = Handset().lift().lay_down()
    events = hear(Hook(TIMES), handset.edges, handset.now + 2)
    assert kinds(events) == ["OffHook", "DigitBegan", "OnHook"]
    assert events[0] == OffHook(100.0)


def test_lift_is_known_before_its_dial_tone_is_late() -> None:
    hook = Hook(TIMES)
    hook.receive(Edge(True, 100.0), 100.0)
    assert hook.due == pytest.approx(100.006)


def test_a_digit_stops_the_dial_tone_before_it_is_complete() -> None:
    handset = Handset().lift().dial("7")
    events = hear(Hook(TIMES), handset.edges, handset.now)
    assert kinds(events) == ["OffHook", "DigitBegan", "Digit"]
    began = events[1]
    assert began.at_s - handset.edges[1].at_s <= 0.06


@pytest.mark.parametrize("dial", DIALS)
def test_maps_of_dials(dial: Dial) -> None:
    for key in "0123456789":
        handset = Handset().lift().dial(key, dial=dial)
        assert keys(hear(Hook(TIMES, dial), handset.edges, handset.now)) == key
    assert key_of(1, "sweden") == "0"
    assert key_of(10, "new_zealand") == "0"
    assert key_of(11, dial) == key_of(0, dial) == ""


def test_flash_and_digit_one_are_told_apart() -> None:
    assert heard_of(Handset().lift().open_for(94).wait(300)) == ["OffHook", "DigitBegan", "Digit"]
    assert heard_of(Handset().lift().open_for(101).wait(300)) == ["OffHook", "DigitBegan", "Flash"]
    assert heard_of(Handset().lift().open_for(790).wait(300)) == ["OffHook", "DigitBegan", "Flash"]
    assert heard_of(Handset().lift().open_for(810).wait(300)) == [
        "OffHook",
        "DigitBegan",
        "OnHook",
        "OffHook",
    ]


def test_break_of_no_known_length_dials_no_wrong_number() -> None:
    handset = Handset().lift().dial("3", pause_ms=40).open_for(97).wait(40).open_for(60).wait(300).dial("4")
    assert keys(hear(Hook(TIMES), handset.edges, handset.now)) == "4"


def test_flash_after_a_digit_keeps_the_order() -> None:
    handset = Handset().lift().dial("2", pause_ms=130).open_for(300).wait(300)
    assert heard_of(handset) == ["OffHook", "DigitBegan", "Digit", "DigitBegan", "Flash"]


def test_wobbling_handset_dials_nothing() -> None:
    handset = Handset().lift()
    handset.edges.clear()
    handset.now = 100.0
    handset.edges.append(Edge(True, 100.0))
    handset.wait(30).open_for(40).wait(20).open_for(150).wait(300)
    assert heard_of(handset) == ["OffHook"]


def test_chatter_in_a_call_is_nothing() -> None:
    handset = Handset().lift().open_for(9).wait(50).open_for(14).wait(300)
    assert heard_of(handset) == ["OffHook"]


def test_edges_heard_late_count_by_their_stamps() -> None:
    """All edges of a digit in one bunch, 40 ms late: the deadlines of the loop came first."""
    handset = Handset(bounce_ms=4).lift().dial("5", pps=8)
    hook = Hook(TIMES)
    heard = []
    for batch in itertools.batched(handset.edges, 7) if hasattr(itertools, "batched") else [handset.edges]:
        now = batch[-1].at_s + 0.04
        heard += hook.receive(None, batch[0].at_s)
        for edge in batch:
            heard += hook.receive(edge, now)
    heard += hear(hook, [], handset.now)
    assert keys(heard) == "5"


# --- ringing --------------------------------------------------------------------------------------


def bell(begin_s: float, end_s: float, hz: float, closed_ms: float, *, lifted_s: float = 1e9) -> list[Edge]:
    """The contact while it rings: a spike at each half period; once lifted, a dip at each instead."""
    edges, level, at_s = [], False, begin_s
    while at_s < end_s:
        first = at_s >= lifted_s
        for closed, when in ((not first, at_s + 0.0005), (first, at_s + closed_ms / 1000)):
            if closed != level:
                edges.append(Edge(closed, when))
                level = closed
        at_s += 1 / hz / 2
    return edges


@pytest.mark.parametrize("hz", [16.7, 20, 25, 50])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_a_bell_is_no_lifted_handset(hz: float, share: float) -> None:
    hook = Hook(TIMES)
    for start in (10.0, 16.0):
        assert hook.ringing(True, start) == []
        assert hear(hook, bell(start, start + 2, hz, share / hz / 2 * 1000), start + 2) == []
        assert hook.ringing(False, start + 2) == []
        assert hear(hook, [Edge(False, start + 2.001)], start + 5) == []


@pytest.mark.parametrize("hz", [16.7, 20, 25, 50])
@pytest.mark.parametrize("dip_ms", [0.5, 3.0])
def test_lifted_during_a_burst_is_seen_within_100_ms(hz: float, dip_ms: float) -> None:
    for step in range(20):
        hook = Hook(TIMES)
        hook.ringing(True, 10.0)
        lifted = 10.5 + step * 0.003
        edges = bell(10.0, 12.0, hz, dip_ms, lifted_s=lifted)
        heard = hear(hook, edges, 12.0)
        assert kinds(heard)[0] == "OffHook"
        assert heard[0].at_s - lifted <= 0.1 + 0.5 / hz


def test_lifted_between_bursts_and_at_their_borders() -> None:
    for lifted in (9.999, 10.0, 10.001, 11.99, 12.0, 12.03, 12.07, 14.0):
        hook = Hook(TIMES)
        heard, edges = [], [Edge(True, lifted)]
        for begin, end, on in ((0.0, 10.0, True), (10.0, 12.0, False), (12.0, 15.0, False)):
            heard += hear(hook, [e for e in edges if begin <= e.at_s < end], end)
            if end < 15:
                heard += hook.ringing(on, end)
        assert kinds(heard) == ["OffHook"], lifted
        assert heard[0].at_s - lifted <= 0.15


# --- properties -----------------------------------------------------------------------------------

DIALLED = st.tuples(
    st.sampled_from("0123456789"),
    st.floats(8, 22),
    st.floats(0.5, 0.7),
    st.floats(200, 900),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(DIALLED, min_size=1, max_size=8), st.floats(0, 5), st.sampled_from(sorted(DIALS)), st.integers()
)
def test_any_dial_with_any_bounce(
    digits: list[tuple[str, float, float, float]], bounce_ms: float, dial: Dial, seed: int
) -> None:
    handset = Handset(bounce_ms=bounce_ms, seed=seed).lift()
    for key, pps, share, pause_ms in digits:
        handset.dial(key, pps, share, dial, pause_ms)
    heard = hear(Hook(TIMES, dial), handset.edges, handset.now + 0.2)
    assert keys(heard) == "".join(digit[0] for digit in digits)
    assert "Flash" not in kinds(heard)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 2), st.sampled_from(["edge", "due", "ring"])), max_size=60)
)
def test_any_edges_keep_the_order_of_hook_events(steps: list[tuple[bool, float, str]]) -> None:
    """Off and on alternate, nothing is dialled on hook, and time always goes on."""
    hook, now, off = Hook(TIMES), 50.0, False
    for closed, wait_s, what in steps:
        now += wait_s
        if what == "edge":
            heard = hear(hook, [Edge(closed, now)], now)
        elif what == "ring":
            heard = hook.ringing(closed, now)
        else:
            heard = hook.receive(None, now)
        for kind in kinds(heard):
            assert kind != "OffHook" or not off
            assert kind == "OffHook" or off
            off = kind != "OnHook" and (off or kind == "OffHook")
        assert hook.off_hook == off
        assert hook.due is None or hook.due > now - 1e-6


def test_a_ring_that_began_in_a_flash_ends_after_the_hang_up() -> None:
    hook = Hook(TIMES)
    heard = hear(hook, [Edge(True, 50.0), Edge(False, 51.0)], 51.0)
    heard += hook.ringing(True, 51.0)
    heard += hear(hook, [], 52.0)
    heard += hook.ringing(False, 52.0)
    heard += hear(hook, [Edge(True, 53.0)], 54.0)
    assert kinds(heard) == ["OffHook", "DigitBegan", "OnHook", "OffHook"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"break_most_ms": 120.0}, "longest dial break (120 ms) reaches the shortest flash (100 ms)"),
        ({"break_most_ms": 100.0}, "reaches"),
        ({"flash_most_ms": 90.0}, "flash of 100 to 90"),
        ({"bounce_ms": 20.0}, "hide dial pulses"),
        ({"break_least_ms": 5.0}, "dial break of 5 to 95"),
        ({"digit_gap_ms": 60.0}, "60 ms after its last pulse"),
        ({"digit_gap_ms": 250.0}, "250 ms after"),
    ],
)
def test_times_that_contradict_each_other_are_refused(change: dict[str, float], word: str) -> None:
    with pytest.raises(DoorError, match=word.replace("(", r"\(").replace(")", r"\)")):
        dataclasses.replace(TIMES, **change)
