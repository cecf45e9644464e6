"""A file of every version that there ever was is read as it was meant, and rewritten with its comments; one
of a version to come is refused."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from gateway import editing, migrations, schema
from gateway.errors import SettingsError
from gateway.section import Section
from tests import settings_texts

FILES = Path(__file__).parent / "schemas"


def test_every_version_has_its_file() -> None:
    versions = range(migrations.OLDEST, migrations.LATEST + 1)
    assert sorted(file.name for file in FILES.iterdir()) == [f"v{version}.toml" for version in versions]
    for version in versions:
        assert tomllib.loads((FILES / f"v{version}.toml").read_text())["schema"] == version


@pytest.mark.parametrize("file", sorted(FILES.iterdir()), ids=lambda file: file.stem)
def test_a_recorded_file_is_read(file: Path) -> None:
    reading = schema.read(file.read_text(), file.name)
    assert f"v{reading.schema}.toml" == file.name
    assert schema.notes(reading.settings, file.read_text()) == reading.notes
    older = [note for note in reading.notes if "of schema" in note]
    assert bool(older) == (reading.schema < schema.VERSION)


def test_what_schema_1_meant() -> None:
    read = schema.parse((FILES / "v1.toml").read_text(), "v1")
    assert read.incoming.registration is not None
    assert (read.incoming.registration.login, read.incoming.registration.expires_s) == ("100200", 600)
    assert [(rule.number, rule.phones) for rule in read.incoming.rules] == [
        ("442012345678", ("desk",)),
        ("", ("desk", "hall")),
    ]
    newest = schema.parse((FILES / "v2.toml").read_text(), "v2")
    same = {"trunk", "ports", "watching"}
    assert read.model_dump(include=same) == newest.model_dump(include=same)


def test_the_newest_recorded_file_sets_everything() -> None:
    """Else a new setting would never be in a recorded file, and could change its meaning unseen."""
    raw = tomllib.loads((FILES / f"v{migrations.LATEST}.toml").read_text())
    there: set[str] = set()
    known: list[str] = []

    def look(section: type[Section], values: list[Any], path: str) -> None:
        for name, info in section.model_fields.items():
            here = f"{path}{info.alias or name}"
            known.append(here)
            given = [value[here.rpartition(".")[2]] for value in values if here.rpartition(".")[2] in value]
            there.update([here] if given else [])
            for inner in schema.sections_in(info.annotation):
                items = [item for value in given for item in (value if isinstance(value, list) else [value])]
                look(inner, [item for item in items if item.get("kind") in (None, _kind(inner))], f"{here}.")

    look(schema.Settings, [raw], "")
    left = [path for path in dict.fromkeys(known) if path not in there]
    # Star codes are alike, and a channel with both IPv6 by hand and by announcement is refused.
    assert [path for path in left if not path.startswith("dialling.codes.")] == ["uplinks.slaac"]


def _kind(section: type[Section]) -> str | None:
    found = section.model_fields.get("kind")
    return found.annotation.__args__[0] if found and found.annotation else None


def test_the_owners_text_is_rewritten_with_its_comments() -> None:
    old = (FILES / "v1.toml").read_text()
    new = editing.current(old)
    assert schema.parse(new, "new") == schema.parse(old, "old")
    changed = [(a, b) for a, b in zip(old.split("\n"), new.split("\n"), strict=True) if a != b]
    assert [b.split("#")[0].strip() for _, b in changed] == [
        "schema = 2",
        "[incoming.registration]",
        "[[incoming.rules]]",
        "[[incoming.rules]]",
    ]
    assert re.findall("#.*", old) == re.findall("#.*", new)
    assert editing.current(new) == new


@pytest.mark.parametrize(
    ("written", "rewritten"),
    [
        ('incoming = [{ phones = ["desk"] }]\n', 'phones = ["desk"]'),
        ('incoming = [ # all\n  { phones = ["desk"] },\n]\n', "# all"),
        ('trunk.registration = { login = "1", password = "2" } # free\n', "# free"),
        ('trunk.registration.login = "1" # free\ntrunk.registration.password = "2"\n', "# free"),
        ('[trunk]\nregistration.login = "1"\nregistration.password = "2" # x\n', "# x"),
        ('[trunk]\nserver = "a"\nregistration = { login = "1", password = "2" }\n', 'server = "a"'),
        ('trunk = { server = "a", registration = { login = "1", password = "2" } }\n', 'server = "a"'),
        ('trunk = { registration = { login = "1", password = "2" }, server = "a" }\n', 'server = "a"'),
        ('[ "trunk" . registration ]\nlogin = "1"\n', "[incoming.registration]"),
        ("incoming = []\n", ""),
        ("incoming = 3\n", ""),
        ("[trunk]\nregistration = 3\n", ""),
        ('[[incoming]]\r\nphones = ["desk"]\r\n', "[[incoming.rules]]\r\n"),
        ('[incoming]\nrules = [{ phones = ["desk"] }]\n[trunk.registration]\nlogin = "1"\n', "[incoming]"),
    ],
)
def test_any_way_of_writing_it(written: str, rewritten: str) -> None:
    new = editing.current(written)
    wanted = migrations.migrate(tomllib.loads(written))[0]
    assert _pruned(tomllib.loads(new)) == _pruned(wanted)
    assert rewritten in new


def _pruned(value: dict[str, object]) -> dict[str, object]:
    return {key: inner for key, inner in value.items() if inner not in ({}, [], {"rules": []})}


@settings(max_examples=200, deadline=None)
@given(settings_texts.v1_texts())
def test_every_sound_v1_is_a_sound_v2_with_the_same_meaning(text: str) -> None:
    before = schema.parse(text, "v1")
    rewritten = editing.current(text)
    assert tomllib.loads(rewritten)["schema"] == migrations.LATEST
    assert schema.parse(rewritten, "v2") == before
    raw = tomllib.loads(text)
    assert [(r.number, list(r.phones)) for r in before.incoming.rules] == [
        (rule.get("number", ""), rule["phones"]) for rule in raw.get("incoming", [])
    ]
    registration = raw["trunk"].get("registration")
    assert (before.incoming.registration is None) == (registration is None)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("3", "of schema 3, and this version knows 2 at most"),
        ("9223372036854775808", "knows 2 at most"),
        ("0", "no version"),
        ("-1", "no version"),
        ("true", "no version"),
        ("1.0", "no version"),
        ('"2"', "no version"),
        ("[2]", "no version"),
    ],
)
def test_a_version_that_is_not_known(said: str, what: str) -> None:
    text = (FILES / "v2.toml").read_text().replace("schema = 2", f"schema = {said}")
    with pytest.raises(SettingsError) as caught:
        schema.parse(text, "x")
    [problem] = caught.value.problems
    assert (problem.path, problem.line) == ("schema", 2) and what in problem.what and problem.remedy


def test_faults_of_an_older_file_name_the_places_in_it() -> None:
    text = (FILES / "v1.toml").read_text()
    text = text.replace('phones = ["desk", "hall"]', 'phones = ["attic"]').replace(
        "expires_s = 600", "expires_s = 1"
    )
    text = text.replace('login = "100200"', 'login = "4444"')
    with pytest.raises(SettingsError) as caught:
        schema.parse(text, "x")
    found = [(p.path, text.split("\n")[p.line - 1].strip()) for p in caught.value.problems]
    assert found == [
        ("trunk.registration.expires_s", "expires_s = 1"),
        ("incoming.1.phones.0", 'phones = ["attic"]'),
    ]
