"""The settings that an owner starts from are sound, and every line that is commented out would be too."""

import re
from pathlib import Path

from gateway.schema import VirtualPhone, notes, parse

EXAMPLE = Path(__file__).parent.parent / "image" / "settings.toml"


def test_example_is_sound_as_it_stands() -> None:
    settings = parse(EXAMPLE.read_text(), "settings.toml")
    assert [u.name for u in settings.uplinks] == ["main", "backup"]


def test_example_is_sound_with_every_choice_taken() -> None:
    text = re.sub(r"(?m)^# (\[.*\]|[a-z_]+ = .*)$", r"\1", EXAMPLE.read_text())
    settings = parse(text, "settings.toml")
    assert settings.lan.devices == ("eth2",)
    assert [p.kind for p in settings.phones] == ["virtual", "analog", "usb"]
    assert settings.calling.pin and settings.panel.lamp == "rgb" and settings.notifications.mail
    assert settings.incoming.registration is not None
    phone = settings.phones[0]
    assert isinstance(phone, VirtualPhone) and phone.record.endswith("{call}.wav")


def test_example_has_no_line_without_effect() -> None:
    assert notes(parse(EXAMPLE.read_text(), "settings.toml")) == ()
