"""The settings as JSON Schema (2020-12), which is all that forms, the API and the reference page are made of.

Beside the standard's own words: `x-unit`, `x-expert`, `x-secret` (goes in, never comes out), `x-long` (text
of several lines), `x-choices` (what each word means), `x-key` (the field that names one of several),
`x-ordered` (which comes first means something). Fields stand in the order in which a form shows them.

    python -m gateway.forms             the JSON Schema (as `gatewayctl settings schema`)
    python -m gateway.forms reference   SETTINGS.md (make reference)
"""

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from gateway import tomltext
from gateway.schema import VERSION, Settings
from gateway.section import Section, sections_in

Json = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> Json:
    """The schema of the newest version. Equal for equal versions of the program."""
    schema = _tidy(Settings.model_json_schema())
    schema = {"$schema": _DIALECT, "title": "Steadyline settings", **schema}
    schema["properties"]["schema"] |= {"const": VERSION, "type": "integer"}
    for section in _sections(Settings):
        if section is not Settings:
            schema["$defs"][section.__name__] |= _said_of(section)
    return schema


def _sections(section: type[Section]) -> list[type[Section]]:
    found = {section: None}
    for info in section.model_fields.values():
        for inner in sections_in(info.annotation):
            found |= dict.fromkeys(_sections(inner))
    return list(found)


def _said_of(section: type[Section]) -> Json:
    said: Json = {"title": section.TITLE, "description": section.HELP}
    if section.KEY:
        said["x-key"] = section.KEY
    if section.ORDERED:
        said["x-ordered"] = True
    return said


def _tidy(schema: Any) -> Any:
    """TOML has no null: what may be none is left out. The default of a section is that of its fields."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    options = schema.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        rest = [option for option in options if option != {"type": "null"}]
        schema = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        schema = (rest[0] if len(rest) == 1 else {"anyOf": rest}) | schema
    if isinstance(schema.get("default"), dict):
        schema = {key: value for key, value in schema.items() if key != "default"}
    if schema.get("x-secret"):
        schema = schema | {"writeOnly": True}
    if choices := schema.get("x-choices"):
        words = schema.get("enum") or schema["items"]["enum"]
        schema = schema | {"x-choices": {word: choices[word] for word in words}}
    if "kind" in (fields := schema.get("properties", {})):
        # It says what all the rest means.
        first = {name: fields[name] for name in ("name", "kind")}
        schema = schema | {"properties": first | fields}
    return {key: _tidy(value) for key, value in schema.items()}


# --- reference page ---------------------------------------------------------------------------------------


_OPENING: Final = """\
# Settings

All that may stand in `settings.toml`, made from the schema by `make reference`. The file is
[TOML](https://toml.io); a section of which there may be several (`[[uplinks]]`) stands in double brackets,
once for each. What is left out has its default. *Expert* values are right as they are for most boxes; a
*secret* goes in and is never shown again.

The file begins with `schema = {version}`. Files of older schemas are read as they were meant. `gatewayctl
settings validate FILE` names every fault with its line, and what would be right."""


def reference() -> str:
    """SETTINGS.md: every section and every value, for owners who write the file by hand."""
    schema = json_schema()
    lines = [*_OPENING.format(version=VERSION).split("\n"), ""]
    for name, field in schema["properties"].items():
        if name != "schema":
            lines += _section(schema, name, field)
    return "\n".join(lines)


def _section(schema: Json, path: str, field: Json) -> Iterator[str]:
    several = field.get("type") == "array"
    for model in _models(schema, field["items"] if several else field):
        brackets = f"[[{path}]]" if several else f"[{path}]"
        kind = model["properties"].get("kind", {}).get("const")
        yield f"## `{brackets}`" + (f" of kind `{kind}`" if kind else "")
        yield ""
        yield model["description"]
        yield ""
        below = {name: inner for name, inner in model["properties"].items() if _is_section(inner)}
        rows = [(name, inner) for name, inner in model["properties"].items() if name not in below]
        if rows:
            yield "| value | meaning | what may stand | default |"
            yield "|---|---|---|---|"
            for name, inner in rows:
                yield _row(name, inner, required=name in model.get("required", []))
            yield ""
        for name, inner in below.items():
            yield from _section(schema, f"{path}.{name}", inner)


def _models(schema: Json, field: Json) -> list[Json]:
    references = [field] if "$ref" in field else field.get("oneOf", [])
    return [schema["$defs"][reference["$ref"].rpartition("/")[2]] for reference in references]


def _is_section(field: Json) -> bool:
    items = field.get("items", field)
    return "$ref" in items or "oneOf" in items


def _row(name: str, field: Json, *, required: bool) -> str:
    marks = [word for word in ("expert", "secret") if field.get(f"x-{word}")]
    meaning = f"**{field['title']}**" + (f" ({', '.join(marks)})" if marks else "")
    meaning += f": {field['description']}" if field.get("description") else ""
    default = "*must be given*" if required else "*none*"
    if "default" in field:
        default = f"`{tomltext.value(field['default'])}`"
    cells = (f"`{name}`", meaning, _what(field), default)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _what(field: Json) -> str:
    if choices := field.get("x-choices"):
        said = "; ".join(f"`{word}`: {meaning}" for word, meaning in choices.items())
        return f"list of {said}" if field.get("type") == "array" else said
    if field.get("type") == "array":
        inner = {key: value for key, value in field["items"].items() if key != "examples" or not _like(field)}
        return f"list of {_what(inner)}{_like(field)}"
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if "const" in field:
        return f"`{tomltext.value(field['const'])}`"
    kinds = {"integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    kind = kinds.get(field["type"], "text")
    if "minimum" in field:
        kind += f", {field['minimum']:g} to {field['maximum']:g}"
    if field.get("x-unit"):
        kind += f" {field['x-unit']}"
    return kind + _like(field)


def _like(field: Json) -> str:
    """An example, where neither default nor law 19 makes it idle."""
    if field.get("default") or field.get("x-secret") or not field.get("examples"):
        return ""
    return f", like `{tomltext.value(field['examples'][0])}`"


if __name__ == "__main__":
    if sys.argv[1:] == ["reference"]:
        print(reference())
    else:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
