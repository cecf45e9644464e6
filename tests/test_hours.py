"""Hours of the week mean what an owner means by them, over midnight and over Sunday too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import hours

FRI, SAT, SUN, MON = 4, 5, 6, 0


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("08:00-18:00", [(SUN, 480), (FRI, 1079)], [(FRI, 479), (FRI, 1080)]),
        ("mon-fri 08:00-18:00", [(FRI, 480)], [(SAT, 480), (SUN, 480)]),
        ("fri-mon 08:00-18:00", [(FRI, 480), (SUN, 480), (MON, 480)], [(1, 480), (3, 480)]),
        ("sat,mon 00:00-24:00", [(SAT, 0), (SAT, 1439), (MON, 700)], [(SUN, 0)]),
        (
            "fri 22:00-06:00",
            [(FRI, 1320), (FRI, 1439), (SAT, 0), (SAT, 359)],
            [(FRI, 100), (SAT, 360), (SAT, 1320)],
        ),
        ("sun 22:00-06:00", [(SUN, 1439), (MON, 0)], [(SUN, 0)]),
        ("  MON - FRI 8:00", [], []),
    ],
)
def test_spans(text: str, inside: list[tuple[int, int]], outside: list[tuple[int, int]]) -> None:
    if not inside:
        with pytest.raises(ValueError, match="not hours"):
            hours.parse(text)
        return
    span = hours.parse(text)
    assert all(span.covers(*when) for when in inside)
    assert not any(span.covers(*when) for when in outside)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mon",
        "8-18",
        "08:00",
        "24:00-06:00",
        "08:60-09:00",
        "mon-xyz 08:00-09:00",
        "08:00-08:00",
        "٠٨:٠٠-٠٩:٠٠",
    ],
)
def test_no_hours(text: str) -> None:
    with pytest.raises(ValueError):
        hours.parse(text)


def test_several() -> None:
    spans = [hours.parse("mon-fri 08:00-12:00"), hours.parse("mon-fri 13:00-18:00")]
    assert hours.within(spans, FRI, 500) and hours.within(spans, FRI, 800)
    assert not hours.within(spans, FRI, 750)
    assert hours.within([], SUN, 3)


@given(st.integers(0, 1439), st.integers(1, 1439))
def test_a_span_is_as_long_as_it_says(begin: int, length: int) -> None:
    end = (begin + length) % 1440
    span = hours.parse(f"wed {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}")
    week = [(day, minute) for day in range(7) for minute in range(1440) if span.covers(day, minute)]
    assert len(week) == length and week[0] == (2, begin)
