"""The JSON Schema says of every value what a form has to show, and the reference page is the schema's."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway import forms, schema
from gateway.section import Section

ROOT = Path(__file__).parent.parent
SCHEMA = forms.json_schema()
V2 = tomllib.loads((Path(__file__).parent / "schemas" / "v2.toml").read_text())


def test_the_reference_page_is_current() -> None:
    assert (ROOT / "SETTINGS.md").read_text() == forms.reference() + "\n", "write it anew: make reference"


def test_every_value_of_every_section_is_said() -> None:
    """A label for each; help wherever the label alone leaves a question."""
    for name, section in SCHEMA["$defs"].items():
        assert section["title"] and section["description"], name
        for key, field in section["properties"].items():
            assert field["title"], (name, key)
            assert field.get("description") or _plain(field), f"{name}.{key} needs help text"
            if key.endswith(("_s", "_ms", "_min", "_hz", "_db", "_mb")):
                assert field["x-unit"], f"{name}.{key} needs a unit"
            if field.get("type") in ("integer", "number"):
                assert "minimum" in field and "maximum" in field, f"{name}.{key} needs bounds"


def _plain(field: dict[str, Any]) -> bool:
    return any(word in field for word in ("x-choices", "const", "enum")) or field.get("type") == "boolean"


def test_choices_are_all_said() -> None:
    for section in SCHEMA["$defs"].values():
        for field in section["properties"].values():
            if choices := field.get("x-choices"):
                words = field.get("enum") or field["items"]["enum"]
                assert list(choices) == words


def test_secrets_are_written_only() -> None:
    text = json.dumps(SCHEMA)
    assert text.count('"x-secret": true') == text.count('"writeOnly": true') == 4


def test_no_null_and_no_python() -> None:
    text = json.dumps(SCHEMA)
    assert "null" not in text and "Section" not in text


@pytest.mark.parametrize("name", [name for name in SCHEMA["properties"] if name != "schema"])
def test_each_section_stands_on_the_page(name: str) -> None:
    assert re.search(rf"^## `\[+{name}\]", forms.reference(), re.MULTILINE)


_KINDS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def _accepts(found: dict[str, Any], value: Any) -> bool:
    """Does a schema, as far as ours go, take the value? Just the words that are used."""
    if "$ref" in found:
        return _accepts(SCHEMA["$defs"][found["$ref"].rpartition("/")[2]], value)
    if "oneOf" in found:
        return sum(_accepts(option, value) for option in found["oneOf"]) == 1
    kinds = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    if "type" in found and not isinstance(value, kinds[found["type"]]):  # type: ignore[arg-type]
        return False
    if "const" in found and value != found["const"]:
        return False
    if "enum" in found and value not in found["enum"]:
        return False
    if "pattern" in found and not re.search(found["pattern"], value):
        return False
    if isinstance(value, int | float) and not found.get("minimum", value) <= value <= found.get(
        "maximum", value
    ):
        return False
    if isinstance(value, list):
        return all(_accepts(found["items"], item) for item in value)
    if isinstance(value, dict):
        fields = found["properties"]
        return all(key in value for key in found.get("required", ())) and all(
            key in fields and _accepts(fields[key], inner) for key, inner in value.items()
        )
    return True


def test_the_schema_takes_a_sound_file() -> None:
    assert _accepts(SCHEMA, V2)


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("appliance", {"country": "Britain"}),
        ("appliance", {"colour": 1}),
        ("calling", {"parallel_calls": 0}),
        ("calling", {"types": ["lunar"]}),
        ("panel", {"lamp": "two dozen"}),
        ("web", {"https_port": "443"}),
    ],
)
def test_the_schema_refuses_what_is_refused(section: str, change: dict[str, Any]) -> None:
    assert not _accepts(SCHEMA, {**V2, section: {**V2[section], **change}})


def test_defaults_are_those_of_the_settings() -> None:
    for name, info in schema.Settings.model_fields.items():
        if isinstance(info.default, Section):
            fields = SCHEMA["$defs"][type(info.default).__name__]["properties"]
            said = {key: field["default"] for key, field in fields.items() if "default" in field}
            real = json.loads(info.default.model_dump_json(exclude_none=True))
            assert {key: real[key] for key in said} == said, name
