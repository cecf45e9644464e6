"""The lamp: every state by its rhythm alone, with every kind of lamp; at most three flashes a second."""

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.panel import lamps
from gateway.panel.lamps import ASKED, HELD, MAX_FLASHES, RESET_ARMED, STATES, Kind, Lights, Pattern, Player
from gateway.status import Lamp

KINDS: tuple[Kind, ...] = get_args(Kind)
ALL = [*STATES.values(), *HELD.values(), ASKED, RESET_ARMED, *(lamps.number(n) for n in range(9))]


def film(
    kind: Kind, shown: list[tuple[Pattern, float]], late_s: list[float] | None = None
) -> list[tuple[float, Lights]]:
    """The lights over time, each pattern for its seconds. `late_s`: how late the reader wakes, in turn."""
    now, frames = 0.0, list[tuple[float, Lights]]()
    player = Player(kind, now)
    delays = late_s or [0.0]
    turns = 0
    for pattern, lasts_s in shown:
        until = now + lasts_s
        lights = player.show(pattern, now)
        frames.append((now, lights))
        while player.due is not None and player.due < until:
            assert player.due > now, "time goes on"
            now = min(player.due + delays[turns % len(delays)], until)
            turns += 1
            frames.append((now, player.at(now)))
        now = until
    return frames


def flashes(frames: list[tuple[float, Lights]]) -> list[float]:
    """When any LED that was dark began to shine."""
    return [
        at
        for (_, before), (at, lights) in pairwise([(0.0, (False,) * 3), *frames])
        if any(new and not old for new, old in zip(lights, before, strict=False))
    ]


def worst_second(onsets: list[float]) -> int:
    """The most onsets in any second (closed at its beginning, open at its end)."""
    return max((sum(at <= other < at + 1.0 - 1e-9 for other in onsets) for at in onsets), default=0)


def rhythm(kind: Kind, pattern: Pattern) -> tuple[float, ...]:
    """What is left of a pattern for somebody who sees no colour: lit and dark times of one turn."""
    frames = film(kind, [(pattern, 60.0)])
    changes = [frames[0]]
    for at, lights in frames:
        if any(lights) != any(changes[-1][1]):
            changes.append((at, lights))
    spans = [round(later - at, 2) for (at, _), (later, _) in pairwise(changes)]
    return tuple(spans[: len(pattern.times_s)]) if len(spans) > 1 else (60.0 * any(frames[0][1]),)


def test_every_state_has_a_pattern() -> None:
    assert set(STATES) == set(get_args(Lamp)) and set(HELD) == {
        "tap",
        "access",
        "password",
        "reset",
        "cancel",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_each_state_shows_its_rhythm(kind: Kind) -> None:
    for pattern in STATES.values():
        if len(pattern.times_s) > 1:
            assert rhythm(kind, pattern) == pytest.approx(pattern.times_s, abs=0.02)


def told_apart(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """By eye and without a watch: another number of flashes in a turn, or a time that differs by a quarter of
    a second and by a third."""
    if len(one) != len(other):
        return True
    return any(abs(a - b) >= 0.25 and abs(a - b) >= max(a, b) / 3 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_told_apart_without_colour(kind: Kind) -> None:
    shown = {lamp: rhythm(kind, pattern) for lamp, pattern in STATES.items()} | {"asked": rhythm(kind, ASKED)}
    alike = [(a, b) for a in shown for b in shown if a < b and not told_apart(shown[a], shown[b])]
    assert not alike


@pytest.mark.parametrize("kind", KINDS)
def test_the_bands_are_counted(kind: Kind) -> None:
    for number, band in enumerate(("access", "password", "reset"), start=1):
        pattern = HELD[band]  # type: ignore[index]
        assert len(flashes(film(kind, [(pattern, pattern.length_s)]))) == number
    assert not flashes(film(kind, [(HELD["cancel"], 60.0)]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", range(1, 9))
def test_the_number_of_the_line_is_told_once(kind: Kind, line: int) -> None:
    frames = film(kind, [(lamps.number(line), 60.0)])
    assert len(flashes(frames)) == line and not any(frames[-1][1])
    assert frames[-1][0] < 10


def test_a_number_that_was_told_is_known_to_have_ended() -> None:
    player = Player("one", 0.0)
    player.show(lamps.number(1), 0.0)
    now = 0.0
    while not player.ended:
        assert player.due is not None
        now = player.due
        player.at(now)
    assert now == pytest.approx(lamps.number(1).length_s)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", ALL, ids=lambda p: p.words)
def test_no_pattern_flashes_more_than_three_times_a_second(kind: Kind, pattern: Pattern) -> None:
    assert worst_second(flashes(film(kind, [(pattern, 30.0)]))) <= MAX_FLASHES


@pytest.mark.parametrize("kind", KINDS)
def test_no_change_from_one_pattern_to_another_does(kind: Kind) -> None:
    for first in ALL:
        for second in ALL:
            for step in range(12):
                onsets = flashes(film(kind, [(first, 1.7 + 0.13 * step), (second, 3.0)]))
                assert worst_second(onsets) <= MAX_FLASHES, (first.words, second.words)


@settings(max_examples=200)
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.sampled_from(ALL), st.floats(0.001, 3.0)), min_size=1, max_size=30),
    st.lists(st.floats(0.0, 0.5), min_size=1, max_size=5),
)
def test_nor_any_sequence_nor_a_late_reader(
    kind: Kind, shown: list[tuple[Pattern, float]], late_s: list[float]
) -> None:
    assert worst_second(flashes(film(kind, shown, late_s))) <= MAX_FLASHES


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_on_is_not_begun_anew(kind: Kind) -> None:
    player = Player(kind, 0.0)
    pattern = STATES["attention"]
    player.show(pattern, 0.0)
    assert any(player.show(pattern, 0.9)) and not any(player.show(pattern, 1.1))


def test_colours_of_each_kind() -> None:
    def lit(kind: Kind, lamp: Lamp) -> Lights:
        return Player(kind, 0.0).show(STATES[lamp], 0.0)

    assert lit("rgb", "main") == (False, True, False) and lit("rgb", "no_calls") == (True, False, False)
    assert lit("rgb", "attention") == (True, True, False) and lit("rgb", "updating") == (True, False, True)
    assert lit("two", "main") == (True, False) and lit("two", "no_calls") == (False, True)
    assert lit("two", "attention") == (True, True) and lit("one", "main") == (True,)


@pytest.mark.parametrize("kind", KINDS)
def test_a_steady_lamp_wakes_nobody(kind: Kind) -> None:
    player = Player(kind, 0.0)
    player.show(STATES["main"], 0.0)
    assert player.due is None
