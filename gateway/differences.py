"""What a change of the settings changes, value by value, for people and for rooms. Pure.

Paths are dotted. Items of a list that have a name (a channel, a phone, a rule) are matched by it, so that an
item that only moved shows as a new order, not as many new values. Secrets show as KEPT (law 19).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from gateway import tomltext
from gateway.changes import KEPT, Difference
from gateway.section import Section

_Path = tuple[str, ...]


def difference(before: Section | None, after: Section | None) -> tuple[Difference, ...]:
    """All values that differ, in the order of the schema. None: there are no settings."""
    return tuple(
        Difference(path=tomltext.path(path), before=one, after=other)
        for path, one, other in _sections(before, after, ())
    )


def _sections(before: Section | None, after: Section | None, path: _Path) -> Iterator[tuple[_Path, str, str]]:
    if before == after:
        return
    for name, info in _fields(before, after).items():
        one, other = getattr(before, name, None), getattr(after, name, None)
        if one == other:
            continue
        here = (*path, info.alias or name)
        if isinstance(one, Section) or isinstance(other, Section):
            yield from _sections(_section(one), _section(other), here)
        elif any(isinstance(item, Section) for items in (one, other) for item in _items(items)):
            yield from _lists(_items(one), _items(other), here)
        else:
            secret = isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("x-secret")
            shown = [_secret(value) if secret else _shown(value) for value in (one, other)]
            # Where a section comes or goes, or is of another kind, a default is not worth a line.
            if not (hasattr(before, name) and hasattr(after, name)) and info.default in (one, other):
                continue
            yield here, shown[0], shown[1]


def _lists(before: Sequence[Any], after: Sequence[Any], path: _Path) -> Iterator[tuple[_Path, str, str]]:
    old, new = _named(before), _named(after)
    kept, left = [name for name in old if name in new], [name for name in new if name in old]
    ordered = any(item.ORDERED for item in (*before, *after))
    # What comes last, and what goes, is told by its values.
    if kept != left or (ordered and list(new)[: len(left)] != left):
        yield path, tomltext.value(list(old)), tomltext.value(list(new))
    for name in [*old, *(name for name in new if name not in old)]:
        yield from _sections(old.get(name), new.get(name), (*path, name))


def _named(items: Sequence[Section]) -> dict[str, Section]:
    """By their names, or by their numbers where they have none."""
    return {str(getattr(item, item.KEY, number)): item for number, item in enumerate(items)}


def _fields(before: Section | None, after: Section | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for section in (before, after):
        if section is not None:
            fields |= type(section).model_fields
    return fields


def _section(value: object) -> Section | None:
    return value if isinstance(value, Section) else None


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, tuple) else ()


def _secret(value: object) -> str:
    return KEPT if value else ""


def _shown(value: object) -> str:
    return "" if value is None else tomltext.value(value)
