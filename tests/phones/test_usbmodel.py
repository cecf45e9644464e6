"""Which device on USB is which phone of the settings."""

import pytest

from gateway.phones.usbmodel import UsbDevice, Wanted, assign, fits

JABRA = UsbDevice("1-1.2", 0x0B0E, 0x0412, serial="A:7")
POLY = UsbDevice("1-1.4", 0x047F, 0xC053)
TWIN = UsbDevice("1-1.10", 0x0B0E, 0x0412, serial="B8")


@pytest.mark.parametrize(
    ("wanted", "device", "closeness"),
    [
        ("any", JABRA, 1),
        ("0b0e:0412", JABRA, 2),
        ("0B0E:0412", JABRA, 2),
        ("1-1.2", JABRA, 3),
        ("0b0e:0412:A:7", JABRA, 4),
        ("0B0E:0412:A:7", JABRA, 4),
        ("0b0e:0412:a:7", JABRA, 0),
        ("0b0e:0412:B8", JABRA, 0),
        ("047f:c053:", POLY, 0),
        ("1-1", JABRA, 0),
        ("", JABRA, 0),
    ],
)
def test_how_closely_a_device_fits(wanted: str, device: UsbDevice, closeness: int) -> None:
    assert fits(wanted, device) == closeness


def assigned(
    wishes: dict[str, str], devices: list[UsbDevice], taken: dict[str, str] | None = None
) -> dict[str, str]:
    wanted = {phone: Wanted(usb) for phone, usb in wishes.items()}
    return {phone: device.place for phone, device in assign(wanted, devices, taken or {}).items()}


def test_the_closest_wish_goes_first_whatever_the_order() -> None:
    wishes = {"a": "any", "b": "0b0e:0412", "c": "1-1.2"}
    for devices in ([JABRA, POLY, TWIN], [TWIN, POLY, JABRA]):
        assert assigned(wishes, devices) == {"a": "1-1.4", "b": "1-1.10", "c": "1-1.2"}


def test_any_keeps_what_it_has() -> None:
    wishes = {"a": "any", "b": "any"}
    assert assigned(wishes, [JABRA, POLY]) == {"a": "1-1.2", "b": "1-1.4"}
    assert assigned(wishes, [JABRA, POLY], {"b": "1-1.2"}) == {"a": "1-1.4", "b": "1-1.2"}
    assert assigned(wishes, [POLY], {"b": "1-1.4"}) == {"b": "1-1.4"}


def test_two_alike_are_told_apart_by_their_numbers() -> None:
    wishes = {"a": "0b0e:0412:B8", "b": "0b0e:0412:A:7"}
    assert assigned(wishes, [JABRA, TWIN]) == {"a": "1-1.10", "b": "1-1.2"}
    assert assigned(wishes, [JABRA]) == {"b": "1-1.2"}


def test_nobody_and_nothing() -> None:
    assert assigned({}, [JABRA]) == {} == assigned({"a": "any"}, [])
