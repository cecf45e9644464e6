"""A change is told value by value, under names that people know."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from gateway import editing, schema
from gateway.changes import KEPT
from gateway.differences import difference
from tests import settings_texts

V2 = (Path(__file__).parent / "schemas" / "v2.toml").read_text()


def changed(text: str) -> list[tuple[str, str, str]]:
    found = difference(schema.parse(V2, "old"), schema.parse(text, "new"))
    return [(d.path, d.before, d.after) for d in found]


def test_nothing() -> None:
    assert changed(V2) == []
    assert changed(V2 + "# a comment\n") == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("uplinks.backup.metered", False, [("uplinks.backup.metered", "true", "false")]),
        ("trunk.port", 5081, [("trunk.port", "5080", "5081")]),
        ("trunk.codecs", ["PCMU"], [("trunk.codecs", '["PCMA", "opus"]', '["PCMU"]')]),
        ("calling.pin", "31415", [("calling.pin", KEPT, KEPT)]),
        ("calling.pin", "27182", []),
        (
            'trunk.caller_id_rules."_49.".caller_id',
            "442012345678",
            [('trunk.caller_id_rules."_49.".caller_id', '"442037691880"', '"442012345678"')],
        ),
        (
            'incoming.rules."".phones',
            ["hall"],
            [('incoming.rules."".phones', '["desk", "hall"]', '["hall"]')],
        ),
        ("phones.hall.port", 2, [("phones.hall.port", "1", "2")]),
        ("watching.failback_after_s", 30.0, [("watching.failback_after_s", "60.0", "30.0")]),
    ],
)
def test_one_value(path: str, value: object, told: list[tuple[str, str, str]]) -> None:
    text = editing.set_value(V2, path, value)
    assert changed(text) == told


def test_a_value_that_comes_and_one_that_goes() -> None:
    assert changed(editing.unset(V2, "trunk.port")) == [("trunk.port", "5080", "")]
    assert changed(editing.unset(V2, "panel.button_pin")) == [("panel.button_pin", "17", "")]
    assert changed(editing.unset(V2, "appliance.language")) == [("appliance.language", '"de"', '"en"')]


def test_items_that_come_and_go() -> None:
    more = editing.add(V2, "uplinks", {"name": "third", "device": "eth5", "dhcp": True})
    assert changed(more) == [
        ("uplinks.third.name", "", '"third"'),
        ("uplinks.third.device", "", '"eth5"'),
        ("uplinks.third.dhcp", "", "true"),
    ]
    first = editing.move(more, "uplinks.third", 0)
    assert changed(first)[0] == ("uplinks", '["main", "backup"]', '["third", "main", "backup"]')
    gone = changed(editing.unset(V2, "incoming.registration"))
    assert gone == [
        ("incoming.registration.login", '"100200"', ""),
        ("incoming.registration.password", KEPT, ""),
        ("incoming.registration.expires_s", "600", ""),
    ]


def test_only_the_order() -> None:
    swapped = editing.move(V2, "uplinks.backup", 0)
    assert changed(swapped) == [("uplinks", '["main", "backup"]', '["backup", "main"]')]


def test_a_new_name_is_no_new_order_where_order_means_nothing() -> None:
    text = editing.add(V2, "phones", {"name": "last", "kind": "virtual"})
    renamed = text.replace('name = "front"', 'name = "lobby"').replace('"front"', '"lobby"')
    found = [d.path for d in difference(schema.parse(text, "old"), schema.parse(renamed, "new"))]
    assert "phones" not in found and {"phones.front.name", "phones.lobby.name"} <= set(found)


def test_another_kind_of_phone() -> None:
    text = V2.replace(
        'kind = "usb"\nextension = "22"\nusb = "046d:0a44:A1"\nkeys = "hook"',
        'kind = "virtual"\nextension = "22"',
    )
    assert changed(text) == [
        ("phones.front.kind", '"usb"', '"virtual"'),
        ("phones.front.usb", '"046d:0a44:A1"', ""),
        ("phones.front.keys", '"hook"', ""),
    ]


def test_the_first_settings_and_the_last() -> None:
    settings_now = schema.parse(V2, "x")
    first = difference(None, settings_now)
    assert all(d.before == "" and d.after for d in first)
    assert difference(None, None) == ()
    gone = difference(settings_now, None)
    assert [d.path for d in gone] == [d.path for d in first]
    said = str(first) + str(gone)
    assert not any(secret in said for secret in ("v2-secret", "27182", "v2-mail-secret", "v2-webhook-secret"))


@settings(max_examples=100, deadline=None)
@given(settings_texts.v2_texts(), settings_texts.v2_texts())
def test_any_two(one: str, other: str) -> None:
    before, after = schema.parse(one, "one"), schema.parse(other, "other")
    there, back = difference(before, after), difference(after, before)
    assert bool(there) == (before != after)
    assert there == difference(before, after)
    orders = {"uplinks", "phones", "incoming.rules", "trunk.caller_id_rules"}
    assert sorted((d.path, d.before, d.after) for d in there if d.path not in orders) == sorted(
        (d.path, d.after, d.before) for d in back if d.path not in orders
    )
    assert len({d.path for d in there}) == len(there)
