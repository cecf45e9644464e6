"""Phones whose keys the kernel turns into a keyboard's, and bells that have only on and off."""

import pytest

from gateway.phones.keyphone import KeyPhone, event
from gateway.phones.model import (
    Digit,
    Event,
    Flash,
    Light,
    Mute,
    OffHook,
    OnHook,
    Ring,
    RingCadence,
    StopRing,
)
from gateway.phones.ringer import Ringer

SYN = event(0, 0, 0)
GREEN, RED, SHIFT, THREE, MICMUTE = 28, 1, 42, 4, 248


def press(*codes: int) -> bytes:
    """Keys down in one report, as the drivers send them, and up in the next."""
    return b"".join(event(1, c, 1) for c in codes) + SYN + b"".join(event(1, c, 0) for c in codes) + SYN


def heard(*presses: bytes, phone: KeyPhone | None = None) -> list[Event]:
    one = phone or KeyPhone(buzzer=False)
    return [e for data in presses for e in one.heard(data, 7.0)]


def test_a_call_on_the_p1k() -> None:
    digits = [press(code) for code in (2, 11, 55, THREE)]
    assert heard(press(GREEN), *digits, press(SHIFT, THREE), press(RED)) == [
        OffHook(7.0),
        *(Digit(key, "keypad", 7.0) for key in "10*3#"),
        OnHook(7.0),
    ]


@pytest.mark.parametrize(("code", "key"), list(enumerate("0123456789*#ABCD", 0x200)))
def test_the_keys_of_the_cm109(code: int, key: str) -> None:
    assert heard(press(code)) == [Digit(key, "keypad", 7.0)]


def test_green_again_is_a_flash_and_micmute_a_mute() -> None:
    assert heard(press(GREEN), press(GREEN), press(MICMUTE), press(RED), press(GREEN)) == [
        OffHook(7.0),
        Flash(7.0),
        Mute(None, 7.0),
        OnHook(7.0),
        OffHook(7.0),
    ]


def test_a_key_that_repeats_is_told_once() -> None:
    assert heard(event(1, 2, 1) + SYN, event(1, 2, 2) + SYN, event(1, 2, 2) + SYN) == [
        Digit("1", "keypad", 7.0)
    ]


def test_what_was_lost_on_the_way_is_not_guessed() -> None:
    dropped = event(0, 3, 0)
    assert heard(event(1, 2, 1) + dropped + event(1, RED, 1) + SYN + press(3)) == [Digit("2", "keypad", 7.0)]


def test_half_an_event_is_none() -> None:
    assert heard(press(2)[:30], b"", b"x") == []


@pytest.mark.parametrize(("keys", "count"), [("hook", 2), ("none", 0)])
def test_the_owner_says_which_keys_count(keys: str, count: int) -> None:
    one = KeyPhone(buzzer=True, keys=keys)  # type: ignore[arg-type]
    assert len(heard(press(GREEN), press(2), press(MICMUTE), press(RED), phone=one)) == count


def test_the_buzzer_follows_the_cadence() -> None:
    one = KeyPhone(buzzer=True)
    assert one.tick(0.0) == [event(18, 1, 0) + SYN]
    assert one.perform(Ring(RingCadence((400, 200, 400, 2000))), 1.0) == [event(18, 1, 1) + SYN]
    switched = []
    while one.due is not None and one.due < 5.0:
        switched.append((round(one.due, 3), one.tick(one.due)[0] == event(18, 1, 1) + SYN))
    assert switched == [(1.4, False), (1.6, True), (2.0, False), (4.0, True), (4.4, False), (4.6, True)]
    assert one.perform(StopRing(), 4.9) == [event(18, 1, 0) + SYN]
    assert one.perform(Light("mute", True), 5.0) == []


def test_a_phone_without_a_buzzer_is_written_nothing() -> None:
    one = KeyPhone(buzzer=False)
    assert one.perform(Ring(RingCadence((1000, 4000))), 1.0) == []


@pytest.mark.parametrize("periods", [(), (1000,), (1000, 0), (0, 0)])
def test_a_cadence_without_a_pause_rings_until_it_is_stopped(periods: tuple[int, ...]) -> None:
    one = Ringer()
    one.start(RingCadence(periods), 1.0)
    assert [one.ringing, one.sounds(1.0), one.sounds(100.0), one.due] == [True, True, True, None]
    one.stop()
    assert [one.ringing, one.sounds(101.0)] == [False, False]
