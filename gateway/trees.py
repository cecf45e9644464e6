"""Nested values as TOML has them: one changed, one gone, and whether two are the same. Nothing is changed in
place. Pure.
"""

from typing import Any

from gateway.places import Place


def with_value(raw: Any, place: Place, value: object) -> Any:
    """`raw` with `value` at `place`; sections that are not there yet come with it."""
    if not place:
        return value
    first, rest = place[0], place[1:]
    if isinstance(first, int):
        return [with_value(item, rest, value) if n == first else item for n, item in enumerate(raw)]
    below = (raw or {}).get(first)
    return {**(raw or {}), first: with_value(below, rest, value)}


def without(raw: Any, place: Place) -> Any:
    """`raw` without what stands at `place`."""
    first, rest = place[0], place[1:]
    if isinstance(first, int):
        items = [without(item, rest) if n == first and rest else item for n, item in enumerate(raw)]
        return items if rest else items[:first] + items[first + 1 :]
    if rest:
        return {**raw, first: without(raw[first], rest)}
    return {key: value for key, value in raw.items() if key != first}


def pruned(value: Any) -> Any:
    """Without what is empty: a section of which nothing is left may stand or go."""
    if isinstance(value, dict):
        inner = {key: pruned(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in ({}, [])}
    return value


def same(one: Any, other: Any) -> bool:
    """The same TOML: 1 is not true, 1.0 is not 1, and nan is nan."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)
