"""USB phones as they hang on the box, and which of them is which phone of the settings. Values only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from gateway.phones.model import AudioDevice

NO_AUDIO: Final = AudioDevice("", "")


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """One device with sound or telephone keys.

    `place` is the socket ("1-1.4"), or the name of a device that hangs on none. `nodes` are the files of its
    keys below /dev, with their report descriptors; those of the kernel's own phone drivers have a `driver`
    and no descriptor. `sound` are the files of its audio. `expects_sound`, `expects_keys`: it says that it
    has these, found yet or not.
    """

    place: str
    vendor: int
    product: int
    serial: str = ""
    title: str = ""
    nodes: tuple[tuple[str, bytes], ...] = ()
    driver: str = ""
    audio: AudioDevice = NO_AUDIO
    sound: tuple[str, ...] = ()
    expects_sound: bool = False
    expects_keys: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which device a phone of the settings is: `any`, a socket, or `vendor:product`, or with `:SERIAL`."""

    usb: str = "any"
    keys: Literal["all", "hook", "none"] = "all"


def fits(wanted: str, device: UsbDevice) -> int:
    """How closely a device is what is wanted: 0 not at all, 1 any, to 4 by its serial number."""
    if wanted == "any":
        return 1
    if wanted == device.place:
        return 3
    ids = f"{device.vendor:04x}:{device.product:04x}"
    if wanted.lower() == ids:
        return 2
    return 4 if device.serial and wanted[:9].lower() == ids and wanted[9:] == f":{device.serial}" else 0


def assign(
    wanted: Mapping[str, Wanted], devices: Iterable[UsbDevice], taken: Mapping[str, str]
) -> dict[str, UsbDevice]:
    """Which device is which phone. The closest wish goes first; `any` keeps what it has (`taken`: place by
    phone) and else takes the lowest socket that nobody else wants."""
    free = {device.place: device for device in sorted(devices, key=lambda d: d.place)}
    found: dict[str, UsbDevice] = {}
    wishes = [
        (fits(wish.usb, device), taken.get(phone) == place, phone, place)
        for phone, wish in wanted.items()
        for place, device in free.items()
    ]
    wishes = [wish for wish in wishes if wish[0]]
    for _, _, phone, place in sorted(wishes, key=lambda w: (-w[0], not w[1], list(wanted).index(w[2]), w[3])):
        if phone not in found and place in free:
            found[phone] = free.pop(place)
    return found
