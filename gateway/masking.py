"""Law 19: secrets go in and never come out. A text of settings that leaves the box bears KEPT in the place of
each secret; in a text that comes in, KEPT stands for the secret that is in force at that place. Pure.

A secret that was commented out is a secret still: its line in the comments is treated alike.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from gateway import migrations, tomltext
from gateway.changes import KEPT
from gateway.errors import Problem, SettingsError
from gateway.places import Outline, Pair, Place, outline, places
from gateway.schema import Settings, read_toml
from gateway.section import Section, sections_in

_ANY: Final = "*"


def secret_paths(text: str) -> tuple[str, ...]:
    """The dotted paths at which a text has secrets.

    Raises SettingsError when it is no TOML of a known schema.
    """
    read_toml(text, "settings")
    return tuple(tomltext.path(pair.place) for pair in _secret_pairs(outline(text)))


def is_secret(path: str) -> bool:
    """Is what stands at this dotted path a secret? Paths of older schemas count too."""
    try:
        parts = tomltext.parts(path)
    except ValueError:
        return False
    return any(_fits(parts, secret) for secret in _secrets())


def masked(text: str) -> str:
    """The text with KEPT for each secret, and all else as it is. Raises SettingsError as `secret_paths`."""
    read_toml(text, "settings")
    found = outline(text)
    spans = [(pair.value_start, pair.value_end) for pair in _secret_pairs(found)]
    spans += [(start, end) for start, end, _ in _in_comments(text, found)]
    return _replaced(text, [(start, end, tomltext.value(KEPT)) for start, end in spans])


def unmasked(text: str, in_force: str, settings: Settings | None = None) -> str:
    """The text with the secrets of `in_force` (empty: there are no settings) for each KEPT. `settings`: what
    was read from it, where that is at hand; else it is read again.

    Raises SettingsError that names every place where nothing is in force, or as `secret_paths`.
    """
    moves = migrations.migrate(read_toml(text, "settings"))[1]
    if KEPT not in text and "\\" not in text:
        return text
    found = outline(text)
    kept = [pair for pair in _secret_pairs(found) if _read(text, pair) == KEPT]
    known = (_held(settings) if settings else _values(in_force)) if kept else {}
    changes: list[tuple[int, int, str]] = []
    missing: list[Place] = []
    for pair in kept:
        secret = known.get(migrations.forth(pair.place, moves))
        if secret is None:
            missing.append(pair.place)
        else:
            changes.append((pair.value_start, pair.value_end, tomltext.value(secret)))
    if missing:
        raise SettingsError("settings", _unknown(missing, text))
    comments = [spot for spot in _in_comments(text, found) if text[spot[0] : spot[1]] == tomltext.value(KEPT)]
    forgotten = _forgotten(in_force) if comments else {}
    for start, end, masked_line in comments:
        if originals := forgotten.get(masked_line):
            changes.append((start, end, originals.pop(0)))
    return _replaced(text, changes)


def _unknown(missing: list[Place], text: str) -> tuple[Problem, ...]:
    lines = places(text)
    what = f"{KEPT} stands for a secret, and none is in force here"
    return tuple(
        Problem(tomltext.path(place), lines.get(place, 0), what, "Write the secret itself")
        for place in missing
    )


def _secret_pairs(found: Outline) -> list[Pair]:
    secrets = _secrets()
    heads = {secret[:2] for secret in secrets}
    return [
        pair
        for pair in found.pairs
        # Whatever stands in a secret's place is one, even if it is no text, as in a file that was refused.
        if pair.place[:2] in heads
        and any(_fits(pair.place[: len(secret)], secret) for secret in secrets)
        and not (pair.inline and any(_fits(pair.table[: len(secret)], secret) for secret in secrets))
    ]


def _in_comments(text: str, found: Outline) -> list[tuple[int, int, str]]:
    """Where a secret was commented out: the characters of its value, and the comment as it looks masked."""
    spots = []
    for start, end in found.comments:
        comment = text[start:end]
        if match := _commented().match(comment):
            masked_line = comment[: match.start(1)] + tomltext.value(KEPT) + comment[match.end(1) :]
            spots.append((start + match.start(1), start + match.end(1), masked_line))
    return spots


def _forgotten(in_force: str) -> dict[str, list[str]]:
    """What stands for the masked comments of `in_force`, in their order."""
    found: dict[str, list[str]] = {}
    for start, end, masked_line in _in_comments(in_force, outline(in_force)) if in_force else ():
        found.setdefault(masked_line, []).append(in_force[start:end])
    return found


def _values(in_force: str) -> dict[Place, str]:
    """The secrets in force, by their places in the newest schema."""
    if not in_force:
        return {}
    raw, _ = migrations.migrate(read_toml(in_force, "settings in force"))
    found: dict[Place, str] = {}

    def walk(value: Any, place: Place) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, (*place, key))
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                walk(inner, (*place, number))
        elif isinstance(value, str) and value and any(_fits(place, secret) for secret in _secrets()):
            found[place] = value

    walk(raw, ())
    return found


def _held(settings: Settings) -> dict[Place, str]:
    """The same of settings that are read."""
    found: dict[Place, str] = {}

    def walk(section: Section, place: Place) -> None:
        for name, info in type(section).model_fields.items():
            value, here = getattr(section, name), (*place, info.alias or name)
            if isinstance(value, Section):
                walk(value, here)
            elif isinstance(value, tuple):
                for number, inner in enumerate(value):
                    if isinstance(inner, Section) and _may_hide(type(inner)):
                        walk(inner, (*here, number))
            elif value and isinstance(value, str) and any(_fits(here, secret) for secret in _secrets()):
                found[here] = value

    walk(settings, ())
    return found


@cache
def _may_hide(section: type[Section]) -> bool:
    return any(True for _ in _below(section, ()))


def _read(text: str, pair: Pair) -> object:
    return tomllib.loads(f"v = {text[pair.value_start : pair.value_end]}")["v"]


def _replaced(text: str, spans: list[tuple[int, int, str]]) -> str:
    for start, end, value in sorted(spans, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def _fits(place: Sequence[str | int], secret: Place) -> bool:
    return len(place) == len(secret) and all(
        there in (here, _ANY) for here, there in zip(place, secret, strict=True)
    )


@cache
def _secrets() -> tuple[Place, ...]:
    """Every place of a secret, in this schema and in older ones, two parts deep or more; _ANY stands for an
    item of a list."""
    now = tuple(dict.fromkeys(_below(Settings, ())))
    before = [migrations.back(place, migrations.ALL_MOVES) for place in now]
    return tuple(dict.fromkeys((*now, *before)))


@cache
def _commented() -> re.Pattern[str]:
    names = "|".join(sorted({re.escape(str(place[-1])) for place in _secrets()}))
    return re.compile(
        rf"""#[#\s]*(?:[\w."'-]+\s*\.\s*)?["']?(?:{names})["']?\s*=\s*("(?:\\.|[^"\\])*"|'[^']*'|[^\s#]+)"""
    )


def _below(section: type[Section], place: Place) -> Iterator[Place]:
    for name, info in section.model_fields.items():
        here = (*place, info.alias or name)
        if isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("x-secret"):
            yield here
        several = "tuple" in str(info.annotation)
        for inner in sections_in(info.annotation):
            yield from _below(inner, (*here, _ANY) if several else here)
