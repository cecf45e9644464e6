"""Law: a settings file of an older schema means what it always meant. Each step vN -> vN+1 is pure, and
`back` leads from a place in the new form to where it stands in the owner's file. tests/schemas/ keeps a file
of every version.
"""

from dataclasses import dataclass
from typing import Any, Final

from gateway.places import Place

Raw = dict[str, Any]

OLDEST: Final = 1


@dataclass(frozen=True, slots=True)
class Move:
    """What stood at `old` stands at `new` from this version on, with all that is below it."""

    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. `moves` are tried in order; each is made only where there is something to move, and nothing
    where it goes."""

    moves: tuple[Move, ...]


STEPS: Final[dict[int, Migration]] = {
    1: Migration(
        moves=(
            Move(("incoming",), ("incoming", "rules")),
            Move(("trunk", "registration"), ("incoming", "registration")),
        ),
    ),
}
"""From version -> what is to be done. The newest version is the one after the last."""

LATEST: Final = max(STEPS) + 1
ALL_MOVES: Final = tuple(move for step in sorted(STEPS) for move in STEPS[step].moves)


def version(raw: Raw) -> int | None:
    """The version that a file says it is of; none said: the oldest. None: what it says is no version."""
    said = raw.get("schema", OLDEST)
    return said if type(said) is int and said >= OLDEST else None


def migrate(raw: Raw) -> tuple[Raw, tuple[Move, ...]]:
    """What was read, in the form of LATEST, and the moves that were made, in order. `raw` is left as it is.

    Its version must be known, and LATEST at most.
    """
    at = version(raw)
    assert at is not None and at <= LATEST
    made: list[Move] = []
    for step in range(at, LATEST):
        for move in STEPS[step].moves:
            after = moved(raw, move)
            if after is not None:
                raw = after
                made.append(move)
    return {**raw, "schema": LATEST}, tuple(made)


def back(place: Place, made: tuple[Move, ...]) -> Place:
    """Where a place of the new form stands in the file that was read."""
    for move in reversed(made):
        if place[: len(move.new)] == move.new:
            place = (*move.old, *place[len(move.new) :])
    return place


def forth(place: Place, made: tuple[Move, ...]) -> Place:
    """Where a place of the file that was read stands in the new form."""
    for move in made:
        if place[: len(move.old)] == move.old:
            place = (*move.new, *place[len(move.old) :])
    return place


def moved(raw: Raw, move: Move) -> Raw | None:
    """`raw` with this one move made. None: nothing is there to move, or something stands where it would."""
    *above, last = move.old
    holder: Any = raw
    for part in above:
        holder = holder.get(part) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or last not in holder:
        return None
    value = holder[last]
    nested = move.new[: len(move.old)] == move.old
    if nested and isinstance(value, dict):
        return None  # it has the new form already
    without = _without(raw, move.old)
    return _with(without, move.new, value)


def _without(raw: Raw, place: tuple[str, ...]) -> Raw:
    first, *rest = place
    if not rest:
        return {key: value for key, value in raw.items() if key != first}
    return {**raw, first: _without(raw[first], tuple(rest))}


def _with(raw: Raw, place: tuple[str, ...], value: object) -> Raw | None:
    first, *rest = place
    if not rest:
        return None if first in raw else {**raw, first: value}
    below = raw.get(first, {})
    inner = _with(below, tuple(rest), value) if isinstance(below, dict) else None
    return None if inner is None else {**raw, first: inner}
