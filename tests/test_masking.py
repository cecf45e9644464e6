"""No secret leaves in a text of settings, and each comes back to its place."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import masking, schema
from gateway.changes import KEPT
from gateway.errors import SettingsError
from gateway.section import Section
from tests import settings_texts

SCHEMAS = Path(__file__).parent / "schemas"
V1, V2 = (SCHEMAS / "v1.toml").read_text(), (SCHEMAS / "v2.toml").read_text()
SECRETS = ["v2-secret", "27182", "v2-mail-secret", "v2-webhook-secret"]


def test_no_secret_leaves() -> None:
    masked = masking.masked(V2)
    assert all(secret in V2 and secret not in masked for secret in SECRETS)
    assert masked.count(KEPT) == len(SECRETS)
    assert masking.unmasked(masked, V2) == V2 == masking.unmasked(masked, V2, schema.parse(V2, "x"))
    assert masking.secret_paths(V2) == (
        "incoming.registration.password",
        "calling.pin",
        "notifications.mail.password",
        "notifications.webhook.secret",
    )


def test_what_looks_like_a_secret_is_one() -> None:
    """Whoever adds a password to the schema is told here to mark it."""
    found: list[str] = []

    def look(section: type[Section], path: str) -> None:
        for name, info in section.model_fields.items():
            if re.search("password|secret|^pin$|token|passphrase", name):
                found.append(path + name)
            for inner in schema.sections_in(info.annotation):
                look(inner, f"{path}{name}.")

    look(schema.Settings, "")
    assert found and all(masking.is_secret(path) for path in found)


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("calling.pin", True),
        ("trunk.registration.password", True),
        ('incoming."registration".password', True),
        ("calling.pins", False),
        ("panel.button_pin", False),
        ("calling", False),
        ("", False),
        ("..", False),
    ],
)
def test_paths(path: str, secret: bool) -> None:
    assert masking.is_secret(path) == secret


@pytest.mark.parametrize(
    "written",
    [
        'calling = { pin = "271828" }',
        'calling.pin = "271828"',
        "[calling]\n'pin' = '271828' # 1",
        '["calling"]\npin="""271828"""',
        "[calling]\npin = 271828",
        "[calling]\npin = [271828]",
        "[calling]\npin = { a = 271828 }",
        "[calling]\npin.a.b = 271828",
        "[calling.pin]\na = 271828",
        "[[calling.pin]]\na = 271828",
        "[calling]\n# pin = 271828",
        "[calling]\n#pin='271828' # old",
        '#  calling.pin = "271828"',
    ],
)
def test_however_it_is_written(written: str) -> None:
    text = "schema = 2\n" + written + "\n"
    masked = masking.masked(text)
    assert "271828" not in masked and KEPT in masked


def test_a_file_of_schema_1() -> None:
    masked = masking.masked(V1)
    assert "v1-secret" not in masked and masking.unmasked(masked, V1) == V1
    # The owner's text is of one schema, what is in force of the other.
    assert masking.unmasked(masked, V2) == V1.replace("v1-secret", "v2-secret")
    only = 'schema = 2\n[incoming.registration]\npassword = "(kept)"\n'
    assert "v1-secret" in masking.unmasked(only, V1)


def test_a_secret_in_a_comment_comes_back() -> None:
    text = V2.replace("[calling]\n", '[calling]\n# pin = "1111"\n# pin = "2222" # older\n')
    masked = masking.masked(text)
    assert "1111" not in masked and "2222" not in masked
    assert masking.unmasked(masked, text) == text
    assert '# pin = "(kept)"' in masking.unmasked(masked, V2)


def test_nothing_is_in_force() -> None:
    masked = masking.masked(V2)
    for in_force in ("", 'schema = 2\n[calling]\npin = ""\n'):
        with pytest.raises(SettingsError) as caught:
            masking.unmasked(masked, in_force)
        found = [(p.path, masked.split("\n")[p.line - 1]) for p in caught.value.problems]
        assert found == [
            ("incoming.registration.password", 'password = "(kept)"'),
            ("calling.pin", 'pin = "(kept)"'),
            ("notifications.mail.password", 'password = "(kept)"'),
            ("notifications.webhook.secret", 'secret = "(kept)"'),
        ]


def test_a_masked_text_is_not_taken_as_settings() -> None:
    with pytest.raises(SettingsError) as caught:
        schema.parse(masking.masked(V2), "x")
    assert len(caught.value.problems) == len(SECRETS)
    assert all("stands for a secret" in problem.what for problem in caught.value.problems)


def test_a_new_secret_goes_in() -> None:
    masked = masking.masked(V2).replace(f'pin = "{KEPT}"', 'pin = "1357"')
    assert 'pin = "1357"' in masking.unmasked(masked, V2)


def test_errors_and_reprs_are_silent() -> None:
    read = schema.parse(V2, "x")
    assert not any(secret in repr(read) for secret in SECRETS)
    broken = V2.replace('pin = "27182"', 'pin = "27182x"').replace("v2-webhook-secret", "short-one")
    broken = broken.replace('password = "v2-secret"', 'password = "v2-\\u0007secret"')
    broken = broken.replace('password = "v2-mail-secret"', "password = 12345678")
    with pytest.raises(SettingsError) as caught:
        schema.parse(broken, "x")
    said = str(caught.value)
    assert len(caught.value.problems) == 4
    assert not re.search("27182|short-one|v2-|12345678", said)


@settings(max_examples=100, deadline=None)
@given(settings_texts.v2_texts() | settings_texts.v1_texts())
def test_round_trip(text: str) -> None:
    masked = masking.masked(text)
    assert masking.unmasked(masked, text) == text
    assert masking.unmasked(masked, text, schema.parse(text, "x")) == text
    raw = tomllib.loads(text)
    place = raw.get("incoming") if raw.get("schema") == 2 else raw.get("trunk")
    registration = place.get("registration") if isinstance(place, dict) else None
    if registration:
        assert tomllib.loads(masking.unmasked(masked, text)) == raw
        assert tomllib.loads(masked) != raw
    assert tomllib.loads(masking.masked(masked)) == tomllib.loads(masked)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=100))
def test_any_text_is_masked_or_refused(text: str) -> None:
    try:
        masked = masking.masked(text)
    except SettingsError:
        return
    assert masking.masked(masked) == masked
