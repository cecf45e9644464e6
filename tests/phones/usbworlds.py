"""Worlds of USB phones for one suite: a fake sysfs with sockets for nodes, and the kernel's own in the
machine of tests/vm. In each a phone is plugged and unplugged, presses keys, and sees what is written to it.
"""

import errno
import itertools
import os
import shutil
import socket
from pathlib import Path
from typing import Protocol

from gateway.phones.usbmodel import UsbDevice
from gateway.phones.usbnode import Announcements, Bus
from gateway.phones.usbtree import scan


class Phone(Protocol):
    """What hangs on the box, from its own side."""

    def press(self, report: bytes) -> None: ...
    def written(self) -> bytes | None: ...
    def unplug(self) -> None: ...


class World(Protocol):
    """Where phones are plugged in. `sound`: they have sound cards too."""

    sound: bool
    bus: Bus

    def plug(self, descriptor: bytes, place: str = "1-1", serial: str = "") -> Phone: ...


class _Told:
    """Announcements by a socket."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def fileno(self) -> int:
        return self._end.fileno()

    def heard(self) -> bool:
        try:
            while self._end.recv(100):
                pass
        except BlockingIOError:
            return True
        return True

    def close(self) -> None:
        pass


class FakeBus(Bus):
    """USB as a folder like /sys, and sockets for nodes. `deny`: nodes that may not be opened yet."""

    def __init__(self, sys: Path) -> None:
        self.sys = sys
        self.nodes: dict[str, socket.socket] = {}
        self.deny: set[str] = set()
        self.opened: list[str] = []
        self.ends: list[socket.socket] = []
        self.tell, self._told = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.setblocking(False)
        for name in ("hidraw", "input", "sound"):
            (sys / "class" / name).mkdir(parents=True)

    def scan(self) -> list[UsbDevice]:
        return scan(self.sys)

    def announcements(self) -> Announcements:
        return _Told(self._told)

    def open(self, node: str) -> int:
        if node in self.deny:
            raise OSError(errno.EACCES, "Permission denied")
        if node not in self.nodes:
            raise OSError(errno.ENOENT, "No such file or directory")
        self.opened.append(node)
        return os.dup(self.nodes[node].fileno())

    def usable(self, node: str) -> bool:
        return node not in self.deny

    def close(self) -> None:
        """Let go of all sockets."""
        for end in (self.tell, self._told, *self.nodes.values(), *self.ends):
            end.close()


class FakePhone:
    """One device of a fake bus."""

    def __init__(self, bus: FakeBus, device: Path, links: list[Path], end: socket.socket) -> None:
        self._bus = bus
        self._device = device
        self._links = links
        self._end = end
        end.setblocking(False)

    def press(self, report: bytes) -> None:
        self._end.send(report)

    def written(self) -> bytes | None:
        try:
            return self._end.recv(4096)
        except BlockingIOError:
            return None

    def unplug(self, quietly: bool = False) -> None:
        """`quietly`: without an announcement."""
        for link in self._links:
            link.unlink()
        shutil.rmtree(self._device)
        self._end.close()
        if not quietly:
            self._bus.tell.send(b"remove")


class FakeWorld:
    """Plugs devices into a fake bus; each hidraw node and each card has the next free number."""

    sound = True

    def __init__(self, root: Path) -> None:
        self.bus = FakeBus(root / "sys")
        self._root = root
        self._number = 0
        self._cards: set[str] = set()

    def plug(
        self,
        descriptor: bytes,
        place: str = "1-1",
        serial: str = "",
        *,
        ids: tuple[int, int] = (0x1209, 0x0001),
        audio: str = "cp",
        driver: str = "usbhid",
        announce: bool = True,
    ) -> FakePhone:
        """`audio`: directions of its card, empty for none; `driver`: the one of its keys; no keys when
        `descriptor` is empty and the driver is usbhid."""
        number, self._number = self._number, self._number + 1
        sys = self.bus.sys
        usb = sys / "devices/usb1" / place
        vendor, product = ids
        _files(
            usb,
            idVendor=f"{vendor:04x}", idProduct=f"{product:04x}", product="Simulated phone",
        )  # fmt: skip
        if serial:
            _files(usb, serial=serial)
        links = []
        if audio:
            control = usb / f"{place}:1.0"
            name = next(n for k in itertools.count() if (n := f"Phone{k or ''}") not in self._cards)
            self._cards.add(name)
            _files(control, bInterfaceClass="01")
            _files(control / f"sound/card{number}", id=name)
            for direction in audio:
                (control / f"sound/card{number}/pcmC{number}D0{direction}").mkdir()
            links.append(_link(sys / f"class/sound/card{number}", control / f"sound/card{number}"))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.bus.ends.append(theirs)
        ours.setblocking(False)
        keys = usb / f"{place}:1.3"
        _files(keys, bInterfaceClass="03")
        drivers = sys / "bus/usb/drivers" / driver
        drivers.mkdir(parents=True, exist_ok=True)
        _link(keys / "driver", drivers)
        if driver != "usbhid":
            (keys / f"input/input{number}/event{number}").mkdir(parents=True)
            links.append(
                _link(sys / f"class/input/event{number}", keys / f"input/input{number}/event{number}")
            )
            self.bus.nodes[f"input/event{number}"] = ours
        elif descriptor:
            hid = keys / f"0003:{vendor:04X}:{product:04X}.{number:04X}"
            _files(hid, report_descriptor=descriptor, uevent=f"HID_ID=0003:{vendor:08X}:{product:08X}\n")
            (hid / f"hidraw/hidraw{number}").mkdir(parents=True)
            _link(hid / f"hidraw/hidraw{number}/device", hid)
            links.append(_link(sys / f"class/hidraw/hidraw{number}", hid / f"hidraw/hidraw{number}"))
            self.bus.nodes[f"hidraw{number}"] = ours
        else:
            ours.close()
        if announce:
            self.bus.tell.send(b"add")
        return FakePhone(self.bus, usb, links, theirs)


def _files(folder: Path, **contents: str | bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode() + b"\n")


def _link(link: Path, target: Path) -> Path:
    link.symlink_to(target)
    return link
