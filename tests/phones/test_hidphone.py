"""Reports of telephones and headsets -> what their users did; and what the box wants -> reports."""

import pytest

from gateway.phones.hid import parse
from gateway.phones.hidphone import QUIRKS, HidPhone, Quirk, compile_table
from gateway.phones.model import (
    Caller,
    Digit,
    Event,
    Flash,
    Light,
    MessageWaiting,
    Mute,
    OffHook,
    OnHook,
    Redial,
    Reverse,
    Ring,
    RingCadence,
    StopRing,
)
from tests.phones import descriptors as d

GERMAN = RingCadence((1000, 4000))


def phone(descriptor: bytes, quirk: Quirk | None = None) -> HidPhone:
    table = compile_table(parse(descriptor), quirk)
    assert table is not None
    return HidPhone(table)


def heard(of: HidPhone, *reports: str) -> list[Event]:
    """The events of these reports, all at second 7."""
    return [event for report in reports for event in of.heard(bytes.fromhex(report), 7.0)]


def test_a_call_on_the_handset() -> None:
    one = phone(d.HANDSET)
    assert heard(one, "01 01 1f") == [OffHook(7.0)]
    assert heard(one, "01 01 05", "01 01 1f", "01 01 0b", "01 01 1f") == [
        Digit("5", "keypad", 7.0),
        Digit("#", "keypad", 7.0),
    ]
    assert heard(one, "01 05 1f", "01 01 1f") == [Mute(None, 7.0)]
    assert heard(one, "01 09 1f", "01 01 1f") == [Flash(7.0)]
    assert heard(one, "01 11 1f", "01 01 1f") == [Redial(7.0)]
    assert heard(one, "01 00 1f") == [OnHook(7.0)]


@pytest.mark.parametrize(("index", "key"), list(enumerate("0123456789*#ABCD")))
def test_every_key(index: int, key: str) -> None:
    assert heard(phone(d.HANDSET), f"01 00 {index:02x}") == [Digit(key, "keypad", 7.0)]


def test_what_is_held_down_is_told_once() -> None:
    one = phone(d.HANDSET)
    assert heard(one, *["01 01 05"] * 5) == [OffHook(7.0), Digit("5", "keypad", 7.0)]
    assert heard(one, "03 01", "03 00", "01 01 05") == [], "another report changes nothing"
    assert heard(one, "01 01 06") == [Digit("6", "keypad", 7.0)], "without letting go between them"


@pytest.mark.parametrize("report", ["", "01", "63 ff ff ff", "02 01", "03"])
def test_strange_reports_say_nothing(report: str) -> None:
    one = phone(d.HANDSET)
    heard(one, "01 01 1f")
    assert heard(one, report) == []
    assert one.off_hook


def test_busy_is_known_and_no_event() -> None:
    one = phone(d.HANDSET)
    assert heard(one, "01 02 1f") == [] and one.busy
    assert heard(one, "01 00 1f") == [] and not one.busy


def test_lamps_share_a_report_and_none_is_lost() -> None:
    one = phone(d.HANDSET)
    assert one.perform(Light("off_hook", True), 0.0) == [b"\x02\x11"], "the microphone is open"
    assert one.perform(Light("mute", True), 0.0) == [b"\x02\x05"]
    assert one.perform(MessageWaiting(True), 0.0) == [b"\x02\x25"]
    assert one.perform(Light("hold", True), 0.0) == [b"\x02\x2d"]
    assert one.perform(Light("hold", True), 0.0) == []
    assert one.perform(Reverse(True), 0.0) == [], "it has no wires to swap"
    assert one.perform(Light("off_hook", False), 0.0) == [b"\x02\x2c"]


def test_the_bell_follows_the_cadence_and_the_lamp_does_not() -> None:
    one = phone(d.HANDSET)
    assert one.tick(0.0) == [b"\x02\x00"], "what a former owner left lit is put out"
    assert one.perform(Ring(GERMAN, Caller("4930")), 10.0) == [b"\x02\x42"]
    assert one.due == pytest.approx(11.0)
    assert one.tick(10.5) == []
    assert one.tick(11.0) == [b"\x02\x02"]
    assert one.due == pytest.approx(15.0)
    assert one.tick(15.0) == [b"\x02\x42"]
    assert one.perform(StopRing(), 15.2) == [b"\x02\x00"]
    assert one.due is None


@pytest.mark.parametrize("periods", [(), (0, 0), (0,), (400, 200, 400, 2000), (1,)])
def test_any_cadence_is_rung(periods: tuple[int, ...]) -> None:
    one = phone(d.HANDSET)
    one.perform(Ring(RingCadence(periods)), 100.0)
    now = 100.0
    for _ in range(50):
        if one.due is None:
            break
        assert one.due > now
        now = one.due
        one.tick(now)
    one.perform(StopRing(), now)
    assert one.tick(now) == []


def test_reports_without_numbers() -> None:
    one = phone(d.HOOK_ONLY)
    assert heard(one, "01") == [OffHook(7.0)]
    assert heard(one, "00") == [OnHook(7.0)]
    assert one.perform(Light("off_hook", True), 0.0) == [b"\x00\x01"], "hidraw wants a 0 for no number"


def test_a_hook_key_lifts_and_lays_down_in_turn() -> None:
    one = phone(d.HOOK_KEY)
    assert heard(one, "01", "00", "01", "00") == [OffHook(7.0), OnHook(7.0)]
    assert heard(one, "02", "00") == [Mute(None, 7.0)]


def test_a_hook_key_hangs_up_what_was_taken_elsewhere() -> None:
    one = phone(d.HOOK_KEY)
    one.perform(Light("off_hook", True), 1.0)
    assert heard(one, "01", "00") == [OnHook(7.0)]
    one.perform(Light("off_hook", False), 8.0)
    assert heard(one, "01", "00") == [OffHook(7.0)]


def test_a_headset_of_the_teams_kind() -> None:
    one = phone(d.DELL_SP325)
    assert heard(one, "05 01") == [OffHook(7.0)]
    assert heard(one, "05 03", "05 01") == [Mute(None, 7.0)]
    assert heard(one, "05 05", "05 01", "05 09", "05 01") == [Redial(7.0), Flash(7.0)]
    assert heard(one, "05 00") == [OnHook(7.0)]
    assert one.perform(Ring(GERMAN), 0.0) == [b"\x05\x04"]
    assert one.perform(Light("off_hook", True), 0.0) == [b"\x05\x15"]


def test_keys_that_are_called_constant_count() -> None:
    one = phone(d.ANKER_POWERCONF)
    assert heard(one, "02 01", "02 05", "02 00") == [OffHook(7.0), Mute(None, 7.0), OnHook(7.0)]
    assert one.perform(Light("off_hook", True), 0.0) == [b"\x02\x11"]


def test_a_device_without_a_hook_lamp() -> None:
    one = phone(d.LOGITECH_MX_BRIO)
    assert heard(one, "08 02", "08 03", "08 00") == [OffHook(7.0), Mute(None, 7.0), OnHook(7.0)]
    assert one.tick(0.0) == [b"\x08\x00"]
    assert one.perform(Light("off_hook", True), 0.0) == []
    assert one.perform(Light("mute", True), 0.0) == [b"\x08\x01"]


def test_each_lamp_in_a_report_of_its_own() -> None:
    one = phone(d.EVERY_LAMP_ITS_REPORT)
    assert one.perform(Ring(GERMAN), 0.0) == [b"\x17\x00", b"\x18\x01", b"\x20\x00"]
    assert one.perform(Light("off_hook", True), 0.0) == [b"\x17\x01"]
    assert one.perform(StopRing(), 0.0) == [b"\x18\x00"]
    assert heard(one, "08 01", "09 01", "09 00", "08 00") == [OffHook(7.0), Mute(None, 7.0), OnHook(7.0)]


def test_one_application_in_another() -> None:
    assert heard(phone(d.NESTED), "01 01") == [OffHook(7.0)]


def test_a_keyboard_is_no_telephone() -> None:
    assert compile_table(parse(d.KEYBOARD)) is None


def test_what_a_device_can() -> None:
    able = {}
    for name, descriptor in d.ALL.items():
        table = compile_table(parse(descriptor))
        assert table is not None
        able[name] = (table.hook, table.mute, table.has_keypad, table.rings)
    assert able == {
        "handset": ("switch", "key", True, True),
        "hook only": ("switch", None, False, False),
        "hook key": ("key", "key", False, False),
        "Dell SP325": ("switch", "key", False, True),
        "Anker PowerConf": ("switch", "key", False, True),
        "Logitech MX Brio": ("switch", "key", False, False),
        "every lamp its report": ("switch", "key", False, True),
        "nested": ("switch", None, False, False),
    }


def test_the_quirk_of_a_mute_that_is_a_state() -> None:
    one = phone(d.DELL_SP325, QUIRKS[0x18D1, 0x8001])
    assert heard(one, "05 02", "05 02", "05 00") == [Mute(True, 7.0), Mute(False, 7.0)]


def test_quirks_of_hook_and_of_usages_that_must_not_be_used() -> None:
    one = phone(d.DELL_SP325, Quirk(hook="key", deny=frozenset({0x080021, 0x0B0024})))
    assert heard(one, "05 01", "05 00", "05 05", "05 00") == [OffHook(7.0), OnHook(7.0)]
    assert one.perform(Light("off_hook", True), 0.0) == [b"\x05\x01"]


@pytest.mark.parametrize(("keys", "count"), [("all", 3), ("hook", 2), ("none", 0)])
def test_the_owner_says_which_keys_count(keys: str, count: int) -> None:
    table = compile_table(parse(d.HANDSET))
    assert table is not None
    one = HidPhone(table, keys)  # type: ignore[arg-type]
    assert len(heard(one, "01 01 1f", "01 01 05", "01 00 1f")) == count
    assert one.perform(Light("hold", True), 0.0) == [b"\x02\x08"], "its lamps are lit all the same"
