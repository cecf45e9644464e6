"""Door: sysfs. Which sound cards, hidraw nodes and keypads hang on one USB device, by their places alone.

Cards are found by the device that they are of and named by ALSA's own name for them; numbers of cards and of
hidraw nodes change with the order of plugging and are never kept.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from gateway.phones.hid import MAX_DESCRIPTOR_BYTES
from gateway.phones.keyphone import DRIVERS
from gateway.phones.model import AudioDevice
from gateway.phones.usbmodel import NO_AUDIO, UsbDevice

_AUDIO_CLASS, _HID_CLASS = "01", "03"


def scan(sys: Path = Path("/sys")) -> list[UsbDevice]:
    """All devices with sound or HID on USB, and HID devices of programs (uhid). About a millisecond.

    What goes away while it is being read is left out: the kernel will tell of it.
    """
    hid: dict[Path, list[tuple[str, bytes]]] = {}
    for node in _entries(sys / "class/hidraw"):
        if (device := _real(node / "device")) is not None:
            descriptor = _bytes(device / "report_descriptor")
            hid.setdefault(_owner(device) or device, []).append((node.name, descriptor))
    keypads: dict[Path, tuple[str, str]] = {}
    for node in _entries(sys / "class/input"):
        if node.name.startswith("event") and (device := _real(node)) is not None:
            driver = _driver(device)
            if driver in DRIVERS and (owner := _owner(device)) is not None:
                keypads[owner] = (node.name, driver)
    cards: dict[Path, Path] = {}
    for node in _entries(sys / "class/sound"):
        if re.fullmatch(r"card\d+", node.name) and (card := _real(node)) is not None:
            if (owner := _owner(card)) is not None:
                cards.setdefault(owner, card)
    return [
        _device(owner, hid.get(owner, []), keypads.get(owner), cards.get(owner))
        for owner in sorted({*hid, *keypads, *cards})
    ]


def _device(
    owner: Path, hid: list[tuple[str, bytes]], keypad: tuple[str, str] | None, card: Path | None
) -> UsbDevice:
    audio, sound = _audio(card) if card is not None else (NO_AUDIO, ())
    nodes = tuple(sorted(hid))
    driver = ""
    if keypad is not None:
        nodes, driver = ((f"input/{keypad[0]}", b""),), keypad[1]
    if _there(owner / "idVendor"):
        classes = [name for part in _entries(owner) if (name := _text(part / "bInterfaceClass"))]
        # The first part is at work while the others are still to come.
        whole = len(classes) >= _number(owner / "bNumInterfaces", 10)
        return UsbDevice(
            place=owner.name,
            vendor=_number(owner / "idVendor", 16),
            product=_number(owner / "idProduct", 16),
            serial=_text(owner / "serial"),
            title=" ".join(_text(owner / name) for name in ("manufacturer", "product")).strip(),
            nodes=nodes,
            driver=driver,
            audio=audio,
            sound=sound,
            expects_sound=_AUDIO_CLASS in classes or not whole,
            expects_keys=_HID_CLASS in classes or not whole,
        )
    told = dict(line.partition("=")[::2] for line in _text(owner / "uevent").splitlines())
    ids = re.fullmatch(r"[0-9A-F]+:([0-9A-F]{8}):([0-9A-F]{8})", told.get("HID_ID", ""), re.IGNORECASE)
    return UsbDevice(
        place=told.get("HID_UNIQ") or owner.name,
        vendor=int(ids[1], 16) if ids else 0,
        product=int(ids[2], 16) if ids else 0,
        title=told.get("HID_NAME", ""),
        nodes=nodes,
    )


def _audio(card: Path) -> tuple[AudioDevice, tuple[str, ...]]:
    """The first device of a card each way, and the files of both."""
    name = _text(card / "id")
    if not name:
        return NO_AUDIO, ()  # the kernel names a card last
    first: dict[str, tuple[str, str]] = {}
    for node in sorted(_entries(card)):
        if (found := re.fullmatch(r"pcmC\d+D(\d+)([cp])", node.name)) is not None:
            first.setdefault(found[2], (f"plughw:CARD={name},DEV={found[1]}", f"snd/{node.name}"))
    capture, playback = first.get("c", ("", "")), first.get("p", ("", ""))
    return AudioDevice(capture[0], playback[0]), tuple(file for _, file in first.values())


def _owner(device: Path) -> Path | None:
    """The USB device above, which has an idVendor; its interfaces have none."""
    for above in (device, *device.parents):
        if _there(above / "idVendor"):
            return above
    return None


def _driver(device: Path) -> str:
    """The driver of the USB interface above."""
    for above in device.parents:
        if _there(above / "bInterfaceClass"):
            driver = _real(above / "driver")
            return driver.name if driver is not None else ""
    return ""


def _there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from list(folder.iterdir())
    except OSError:
        return


def _real(link: Path) -> Path | None:
    try:
        return link.resolve(strict=True)
    except OSError:
        return None


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_DESCRIPTOR_BYTES + 1)
    except OSError:
        return b""


def _text(path: Path) -> str:
    return _bytes(path).decode(errors="replace").strip()


def _number(path: Path, base: int) -> int:
    try:
        return int(_text(path), base)
    except ValueError:
        return 0
