"""Hours of the week as an owner writes them: `mon-fri 08:00-18:00`, `22:00-06:00` (every day, over midnight).

What begins before midnight belongs to the day on which it begins.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As datetime.weekday() counts them."""

_DAY = "|".join(DAYS)
_FORM = re.compile(
    rf"(?:(?P<days>(?:{_DAY})(?:-(?:{_DAY}))?(?:,(?:{_DAY})(?:-(?:{_DAY}))?)*)\s+)?"
    r"(?P<h1>[01]\d|2[0-3]):(?P<m1>[0-5]\d)\s*-\s*(?P<h2>[01]\d|2[0-3]|24(?=:00)):(?P<m2>[0-5]\d)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Hours:
    """One span. `days`: 0 is Monday; minutes are of the day; `end_min` at or before `begin_min`: next day."""

    days: frozenset[int]
    begin_min: int
    end_min: int

    def covers(self, weekday: int, minute: int) -> bool:
        """Does this minute of the day (local time) lie in the span?"""
        if self.begin_min < self.end_min:
            return weekday in self.days and self.begin_min <= minute < self.end_min
        if minute >= self.begin_min:
            return weekday in self.days
        return minute < self.end_min and (weekday - 1) % 7 in self.days


def parse(text: str) -> Hours:
    """Raises ValueError when the text is not of the form."""
    found = _FORM.fullmatch(text.strip().lower())
    if not found:
        raise ValueError(f"not hours of the week: {text[:60]!r}")
    begin = int(found["h1"]) * 60 + int(found["m1"])
    end = int(found["h2"]) * 60 + int(found["m2"])
    if begin == end:
        raise ValueError("begins and ends in the same minute")
    return Hours(_days(found["days"]), begin, end)


def within(spans: Iterable[Hours], weekday: int, minute: int) -> bool:
    """Is one of the spans on? No span at all: always."""
    spans = tuple(spans)
    return not spans or any(span.covers(weekday, minute) for span in spans)


def _days(text: str | None) -> frozenset[int]:
    if not text:
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        at, end = DAYS.index(first), DAYS.index(last or first)
        days.add(at)
        while at != end:  # sat-mon runs over the end of the week
            at = (at + 1) % 7
            days.add(at)
    return frozenset(days)
