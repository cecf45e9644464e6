"""Forms out of the settings' JSON Schema, and changes of the text out of what was filled in. Pure.

Law: a form changes exactly the values that differ from what it showed; all else in the owner's text stays
as it is. Whether the result is sound, the daemon says.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Literal

from gateway import editing, tomltext
from gateway.forms import Json, json_schema

Kind = Literal["text", "number", "switch", "choice", "choices", "long", "list", "secret"]
UNNAMED: Final = "new"


@dataclass(frozen=True, slots=True)
class Field:
    """One value. `shown`: as in the form (a list has one line each; choices a set of words); `key`: its name
    in the form; `problem`: what is wrong with it, in a sentence."""

    key: str
    title: str
    help: str
    kind: Kind
    shown: Any
    unit: str = ""
    expert: bool = False
    required: bool = False
    choices: Mapping[str, str] | None = None
    example: str = ""
    integer: bool = True
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A section below this one, or one of several. `path`: dotted."""

    path: str
    title: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Several:
    """A list of sections: its items, and the kinds that can be added."""

    path: str
    title: str
    help: str
    items: tuple[Item, ...]
    kinds: tuple[str, ...]
    ordered: bool


@dataclass(frozen=True, slots=True)
class Form:
    """A section as a form."""

    path: str
    title: str
    help: str
    fields: tuple[Field, ...]
    below: tuple[Item, ...]
    absent: tuple[Item, ...]
    lists: tuple[Several, ...]


@cache
def schema() -> Json:
    """The whole schema, once."""
    return json_schema()


def read(text: str) -> Json:
    """The values of a text; empty for an empty one."""
    return tomllib.loads(editing.current(text)) if text.strip() else {}


def sections() -> tuple[Item, ...]:
    """What stands at the top of the settings."""
    found = []
    for name, field in schema()["properties"].items():
        if name != "schema":
            model = _models(field)[0] if "$ref" in field else field
            title = field.get("title") or model.get("title", name)
            found.append(Item(name, title, field.get("description", model.get("description", ""))))
    return tuple(found)


def form(path: str, raw: Json) -> Form:
    """The form of the section at `path`. Raises LookupError when there is none."""
    model, values, title = _resolve(path, raw)
    fields, below, absent, lists = [], list[Item](), list[Item](), list[Several]()
    for name, field in model["properties"].items():
        inner = tomltext.path((*tomltext.parts(path), name)) if path else name
        if field.get("type") == "array" and _models(field["items"]):
            lists.append(_several(inner, field, values.get(name)))
        elif _models(field):
            item = Item(inner, field.get("title") or _models(field)[0]["title"], field.get("description", ""))
            optional = name not in values and "default" not in field and _needs(_models(field)[0])
            (absent if optional else below).append(item)
        elif name not in ("schema",) and "const" not in field:
            fields.append(_field(name, field, values, name in model.get("required", ())))
    return Form(
        path, title, model.get("description", ""), tuple(fields), tuple(below), tuple(absent), tuple(lists)
    )


def several(path: str, raw: Json) -> Several:
    """The list of sections at `path`. Raises LookupError when it is none."""
    *above, name = tomltext.parts(path)
    model, values, _ = _resolve(tomltext.path(above), raw) if above else (schema(), raw, "")
    field = model["properties"][name]
    if field.get("type") != "array" or not _models(field["items"]):
        raise LookupError(path)
    return _several(path, field, values.get(name))


def changed(text: str, shown: Form, given: Mapping[str, Sequence[str]]) -> str:
    """The text with what was filled in. Raises RefusedError, SettingsError as editing does, ValueError with a
    sentence for a number that is none."""
    for field in shown.fields:
        values = list(given.get(field.key, ()))
        path = tomltext.path((*tomltext.parts(shown.path), field.key))
        if field.kind == "secret" and not any(values):
            continue
        new = _given(field, values)
        if new == field.shown:
            continue
        if new in ("", (), None) and not field.required:
            text = _without(text, path)
        else:
            text = editing.set_value(text, path, _value(field, new))
    return text


def added(text: str, path: str, kind: str, given: Mapping[str, Sequence[str]]) -> str:
    """The text with one more item in the list at `path`. Raises as `changed`."""
    item: Json = {"kind": kind} if kind else {}
    for field in blank(path, kind).fields:
        new = _given(field, list(given.get(field.key, ())))
        if new not in ("", (), None) and new != field.shown:
            item[field.key] = _value(field, new)
        elif field.required and field.kind == "switch":
            item[field.key] = bool(new)
    named = {name: item[name] for name in ("name", "kind") if name in item}
    return editing.add(text, path, named | item)


def blank(path: str, kind: str) -> Form:
    """The form of an item that is to be added to the list at `path`."""
    *above, name = tomltext.parts(path)
    model = _resolve(tomltext.path(above), {}, loose=True)[0] if above else schema()
    inner = _model_of(model["properties"][name]["items"], {"kind": kind} if kind else {})
    fields = tuple(
        _field(key, field, {}, key in inner.get("required", ()))
        for key, field in inner["properties"].items()
        if "const" not in field and not _models(field) and not _models(field.get("items", {}))
    )
    return Form(path, inner["title"], inner.get("description", ""), fields, (), (), ())


def with_problems(shown: Form, raw: Json, problems: Mapping[str, str]) -> Form:
    """The form with what is wrong at its fields. `problems`: by dotted path as the daemon names them, where
    items of lists go by their number."""
    base = ".".join(str(part) for part in _numbered(shown.path, raw))
    fields = [
        replace(field, problem=_problem(f"{base}.{field.key}" if base else field.key, problems))
        for field in shown.fields
    ]
    return replace(shown, fields=tuple(fields))


def _problem(path: str, problems: Mapping[str, str]) -> str:
    """With the value itself, or with one of the items in it."""
    found = (said for at, said in problems.items() if at == path or at.startswith(f"{path}."))
    return next(found, "")


def refilled(shown: Form, given: Mapping[str, Sequence[str]]) -> Form:
    """The form as it was filled in, to be corrected; secrets have to be typed again."""
    fields = [
        field
        if field.kind == "secret"
        else replace(field, shown=_given(field, list(given.get(field.key, ()))))
        for field in shown.fields
    ]
    return replace(shown, fields=tuple(fields))


# --- the schema along a path ----------------------------------------------------------------------


def _resolve(path: str, raw: Json, *, loose: bool = False) -> tuple[Json, Json, str]:
    """The model at `path`, the values there, its title. `loose`: values may be missing."""
    model, values, title = schema(), raw, "Settings"
    parts = tomltext.parts(path) if path else ()
    at = 0
    while at < len(parts):
        field = model["properties"].get(parts[at])
        if field is None:
            raise LookupError(path)
        inner = values.get(parts[at])
        if field.get("type") == "array":
            if at + 1 >= len(parts):
                raise LookupError(path)
            item = _find(inner, parts[at + 1])
            if item is None and not loose:
                raise LookupError(path)
            model, values, title = _model_of(field["items"], item or {}), item or {}, parts[at + 1]
            at += 2
        else:
            models = _models(field)
            if not models:
                raise LookupError(path)
            model, values = models[0], inner if isinstance(inner, dict) else {}
            title = field.get("title") or model.get("title", parts[at])
            at += 1
    return model, values, title


def _numbered(path: str, raw: Json) -> Iterator[str | int]:
    values: Any = raw
    for part in tomltext.parts(path) if path else ():
        if isinstance(values, list):
            number = next((n for n, item in enumerate(values) if _name(item, n) == part), -1)
            values = values[number] if number >= 0 else {}
            yield number
        else:
            values = values.get(part, {}) if isinstance(values, dict) else {}
            yield part


def _models(field: Json) -> list[Json]:
    references = [field] if "$ref" in field else field.get("oneOf", [])
    return [schema()["$defs"][reference["$ref"].rpartition("/")[2]] for reference in references]


def _model_of(field: Json, item: Json) -> Json:
    models = _models(field)
    kind = item.get("kind")
    return next((m for m in models if m["properties"].get("kind", {}).get("const") == kind), models[0])


def _needs(model: Json) -> bool:
    return bool(model.get("required"))


def _name(item: Json, number: int) -> str:
    for key in ("name", "pattern"):
        if item.get(key):
            return str(item[key])
    return str(number)


def _find(items: Any, name: str) -> Json | None:
    for number, item in enumerate(items if isinstance(items, list) else []):
        if name in (_name(item, number), str(number)):
            return dict(item)
    return None


def _several(path: str, field: Json, items: Any) -> Several:
    models = _models(field["items"])
    kinds = tuple(m["properties"]["kind"]["const"] for m in models if "kind" in m["properties"])
    known = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    rows = tuple(
        Item(
            tomltext.path((*tomltext.parts(path), _name(item, number))),
            _name(item, number),
            ", ".join(
                _words(item[k]) for k in list(item)[:4] if k not in ("name", "pattern") and item[k] != ""
            ),
        )
        for number, item in enumerate(known)
    )
    ordered = bool(models[0].get("x-ordered"))
    return Several(path, field["title"], field.get("description", ""), rows, kinds, ordered)


def _words(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_words(item) for item in value)
    return "yes" if value is True else "no" if value is False else str(value)


# --- one field ------------------------------------------------------------------------------------


def _field(name: str, field: Json, values: Json, required: bool) -> Field:
    kind = _kind(field)
    stands = values.get(name, field.get("default"))
    shown: Any = "" if stands is None or kind == "secret" else stands
    if kind == "list":
        shown = tuple(str(value) for value in shown or ())
    elif kind == "choices":
        shown = tuple(shown or ())
    elif kind in ("text", "long", "number", "choice"):
        shown = str(shown)
    elif kind == "switch":
        shown = bool(shown)
    examples = field.get("examples") or field.get("items", {}).get("examples") or [""]
    choices = field.get("x-choices")
    if choices is None and kind in ("choice", "choices"):
        choices = {word: word for word in field.get("enum") or field["items"]["enum"]}
    return Field(
        key=name,
        title=field.get("title", name),
        help=field.get("description", ""),
        kind=kind,
        shown=shown,
        unit=field.get("x-unit", ""),
        expert=bool(field.get("x-expert")),
        required=required,
        choices=choices,
        example=str(examples[0]) if not isinstance(examples[0], list) else str(examples[0][0]),
        integer=(field.get("items") or field).get("type") == "integer",
    )


def _kind(field: Json) -> Kind:
    if field.get("x-secret"):
        return "secret"
    if field.get("type") == "array":
        return "choices" if "enum" in field.get("items", {}) else "list"
    if "enum" in field:
        return "choice"
    if field.get("x-long"):
        return "long"
    simple: dict[str, Kind] = {"boolean": "switch", "integer": "number", "number": "number"}
    return simple.get(field.get("type", ""), "text")


def _given(field: Field, values: list[str]) -> Any:
    """What was filled in, in the shape of `shown`."""
    if field.kind == "switch":
        return bool(values)
    if field.kind == "choices":
        return tuple(word for word in field.choices or () if word in values)
    first = values[0].replace("\r\n", "\n") if values else ""
    if field.kind == "list":
        return tuple(line.strip() for line in first.replace(",", "\n").split("\n") if line.strip())
    return first if field.kind in ("long", "secret") else first.strip()


def _value(field: Field, new: Any) -> Any:
    """For the text of settings. Raises ValueError with a sentence."""
    if field.kind == "number":
        return _number(field, new)
    if field.kind == "list":
        return [_number(field, line) if field.integer else line for line in new]
    return list(new) if isinstance(new, tuple) else new


def _number(field: Field, text: str) -> int | float:
    try:
        return int(text) if field.integer else float(text)
    except ValueError:
        raise ValueError(f"{field.title}: {text[:40]} is no {'whole ' * field.integer}number") from None


def _without(text: str, path: str) -> str:
    values: Any = read(text)
    for part in tomltext.parts(path):
        if isinstance(values, list):
            values = _find(values, part)
        elif isinstance(values, dict):
            values = values.get(part)
        if values is None:
            return text
    return editing.unset(text, path)
