"""Changing one thing in a text of settings; every other character stays as it is, comments too. Pure.

Law: the changed text is read back, and must mean the old settings with this one change; else it is not given
out. Paths are dotted, and items of a list go by their name: `uplinks.main.metered`, `phones.desk`,
`trunk.caller_id_rules."_44."`; or by their number from 0. A text of an older schema is rewritten to the
newest first. All functions raise SettingsError for a text that is no TOML, RefusedError for what cannot be
done. Whether the result is sound is for schema.parse to say.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from gateway import migrations, patterns, tomltext
from gateway.document import Document, Raw, refused
from gateway.errors import RefusedError
from gateway.masking import is_secret
from gateway.places import Place
from gateway.schema import Settings, read_toml
from gateway.section import Section, sections_in

__all__ = [
    "Imported",
    "add",
    "current",
    "import_extensions",
    "is_secret",
    "move",
    "set_value",
    "unset",
    "value",
]

_KEYS: Final = ("name", "pattern", "number")
"""What names an item of a list, whichever the schema says of its kind (Section.KEY)."""


# --- what one may ask for -------------------------------------------------------------------------


def value(word: str, path: str = "") -> Any:
    """A value as typed on a command line: TOML where it is some, else text. With `path`, digits are text
    where the settings want text: `trunk.default_caller_id` is no sum."""
    try:
        read = tomllib.loads(f"v = {word}")
    except (ValueError, RecursionError):
        return word
    if list(read) != ["v"] or (path and not isinstance(read["v"], str | list | dict) and _wants_text(path)):
        return word
    return read["v"]


def current(text: str) -> str:
    """The text in the newest schema."""
    return _open(text).text


def set_value(text: str, path: str, value: object) -> str:
    """`path` has this value from now on, whether it was set before or not."""
    document = _open(text)
    place = _place(document.raw, path, new=True)
    there = document.at(place)
    if isinstance(there, dict) or _is_sections(there):
        raise refused(path, "a section stands there, not a value", "Name a value in it")
    if isinstance(place[-1], int) and there is None:
        raise refused(path, "there is no such item", "Add it to its list")
    return document.with_value(place, _writable(path, value))


def unset(text: str, path: str) -> str:
    """`path` (a value, a section, or an item of a list) is not set any more."""
    document = _open(text)
    return document.without(_place(document.raw, path))


def add(text: str, path: str, value: object) -> str:
    """One more item at the end of the list at `path`; a mapping becomes a section of its own."""
    document = _open(text)
    place = _place(document.raw, path, new=True)
    items = document.at(place)
    if items is not None and not isinstance(items, list):
        raise refused(path, "it is no list", "Set it, or name a list")
    return document.with_items(place, [_writable(path, value)])


def move(text: str, path: str, to: int) -> str:
    """The item at `path` becomes number `to` (from 0) of its list."""
    document = _open(text)
    place = _place(document.raw, path)
    number, items = place[-1], document.at(place[:-1])
    if not isinstance(number, int):
        raise refused(path, "it is no item of a list", "Name one, like uplinks.backup1")
    if not 0 <= to < len(items):
        raise refused(path, f"there is no place {to} in its list", f"Give 0 to {len(items) - 1}")
    return document.moved(place[:-1], number, to)


# --- Asterisk -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Imported:
    """The text with the rules added, the rules that were, and every line that became none."""

    text: str
    rules: tuple[patterns.ExtensionRule, ...]
    ignored: tuple[patterns.IgnoredLine, ...]


def import_extensions(text: str, extensions: str) -> Imported:
    """The CallerID rules of an Asterisk extensions.conf as sections [[trunk.caller_id_rules]].

    No line is dropped: what sets no CallerID, or cannot be meant, is listed. So is a rule for numbers that
    the settings have another CallerID for: theirs stays. A rule that is there already is not added again.
    """
    document = _open(text)
    read, ignored = patterns.import_extensions(extensions)
    known = _known_rules(document.at(("trunk",)))
    added: list[patterns.ExtensionRule] = []
    left = list(ignored)
    for rule in read:
        shown = known.get(rule.pattern.order)
        if shown is None:
            added.append(rule)
        elif shown != rule.caller_id:
            why = f"your settings show {shown} to these numbers"
            left.append(patterns.IgnoredLine(rule.line, rule.text, why))
    left.sort(key=lambda line: line.line)
    items = [{"pattern": rule.pattern.text, "caller_id": rule.caller_id} for rule in added]
    return Imported(document.with_items(("trunk", "caller_id_rules"), items), tuple(added), tuple(left))


def _known_rules(trunk: Any) -> dict[patterns.SortKey, str]:
    """Who is shown to which numbers, as far as it can be read."""
    if not isinstance(trunk, dict):
        return {}
    found: dict[patterns.SortKey, str] = {}
    rules = trunk.get("caller_id_rules")
    for rule in rules if isinstance(rules, list) else []:
        try:
            found[patterns.parse(rule["pattern"]).order] = re.sub(r"[^0-9]", "", rule["caller_id"])
        except (KeyError, TypeError, ValueError):
            continue
    lines = trunk.get("asterisk")
    for line in patterns.import_extensions(lines)[0] if isinstance(lines, str) else ():
        found.setdefault(line.pattern.order, line.caller_id)
    return found


# --- the text, its paths, its schema --------------------------------------------------------------


def _open(text: str) -> Document:
    raw = read_toml(text, "settings")
    document = Document(text, raw)
    at = migrations.version(raw)
    assert at is not None
    if at == migrations.LATEST:
        return document
    for move in migrations.migrate(raw)[1]:
        wanted = migrations.moved(document.raw, move)
        assert wanted is not None
        text = document.renamed(move.old, move.new, wanted)
        document = Document(text, tomllib.loads(text))
    text = document.with_value(("schema",), migrations.LATEST)
    return Document(text, tomllib.loads(text))


def _place(raw: Raw, path: str, *, new: bool = False) -> Place:
    """Where a dotted path leads. `new`: its end need not be there yet."""
    try:
        parts = tomltext.parts(path)
    except ValueError as error:
        raise refused(path or "settings", str(error), "Write it like uplinks.main.metered") from None
    here: Any = raw
    place: list[str | int] = []
    for part in parts:
        if isinstance(here, list):
            number = _number(here, part)
            if number is None:
                raise _unknown(path, place, part, [name for item in here if (name := _name(item))])
            place.append(number)
            here = here[number]
        elif isinstance(here, dict):
            place.append(part)
            if part not in here and not new:
                raise _unknown(path, place[:-1], part, list(here))
            here = here.get(part, {}) if len(place) < len(parts) else here.get(part)
        else:
            above = tomltext.path(place)
            raise refused(path, f"{above} is a value; nothing is below it", "Shorten the path")
    return tuple(place)


def _unknown(path: str, above: Sequence[str | int], part: str, known: list[str]) -> RefusedError:
    near = get_close_matches(part, known, n=1)
    here = tomltext.path(p for p in above if isinstance(p, str)) or "settings"
    there = f"There are {', '.join(known[:20])}" if known else "Nothing is set there"
    return refused(
        path, f"there is no {part or 'item without a name'} in {here}", f"Write {near[0]}" if near else there
    )


def _number(items: list[Any], part: str) -> int | None:
    for number, item in enumerate(items):
        name = _name(item)
        if name is not None and (name == part or _plain_number(name) == _plain_number(part) != ""):
            return number
    if part == "":  # the rule for any number says so by having none
        return next((n for n, item in enumerate(items) if isinstance(item, dict) and not _name(item)), None)
    return int(part) if re.fullmatch("[0-9]{1,6}", part) and int(part) < len(items) else None


def _name(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    return next((item[key] for key in _KEYS if isinstance(item.get(key), str)), None)


def _plain_number(text: str) -> str:
    digits = re.sub(r"[ ().+-]", "", text)
    return digits if re.fullmatch("[0-9]{7,15}", digits) else ""


def _is_sections(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _writable(path: str, value: object) -> object:
    try:
        tomltext.value(value)
    except ValueError as error:
        raise refused(
            path, f"this cannot be written: {error}", "Give text, a number, true or false, or a list"
        ) from None
    return value


def _wants_text(path: str) -> bool:
    """Do the settings want text at this path, or a list of text?"""
    try:
        parts = tomltext.parts(path)
    except ValueError:
        return False
    here: list[type[Section]] = [Settings]
    annotation: Any = None
    for part in parts:
        found = [
            info
            for model in here
            for name, info in model.model_fields.items()
            if part == (info.alias or name)
        ]
        if found:
            annotation = found[0].annotation
            here = [inner for info in found for inner in sections_in(info.annotation)]
        elif not here:
            return False
    kinds = re.findall(r"\b(str|int|float|bool)\b", str(annotation))
    return bool(kinds) and set(kinds) == {"str"}
