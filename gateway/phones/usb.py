"""Law: a phone is there once all of it is there, and gone at the first thing of it that fails.

Door: USB phones by hidraw, or by the event device of the kernel's own phone drivers; sound cards are only
named. One task looks at sysfs when the kernel announces something (and every few seconds), opens what came,
reads on the loop, and posts FromPhone. No phone waits for another.
"""

import asyncio
import contextlib
import functools
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.inbox import Post
from gateway.phones.hid import DescriptorError, parse
from gateway.phones.hidphone import QUIRKS, HidPhone, Table, compile_table
from gateway.phones.keyphone import KeyPhone
from gateway.phones.model import Action, FromPhone, Plugged, Unplugged
from gateway.phones.usbmodel import UsbDevice, Wanted, assign
from gateway.phones.usbnode import Announcements, Bus, Keys, Node

log = logging.getLogger(__name__)

SETTLE_S: Final = 0.02
"""A phone announces itself in some twenty messages: look once they are through."""
RETRY_S: Final = 0.1
"""While a device is not ready: its files have no access rights yet, or a part of it has not come."""
_MOST_AT_ONCE: Final = 64
_REPORT_BYTES: Final = 4096


@dataclass(slots=True)
class _Phone:
    """A phone that is plugged in."""

    device: UsbDevice
    nodes: list[Node]


class UsbPhones:
    """All USB phones of the box. `run()` in a task group; `perform` and `known` on its loop."""

    def __init__(self, inbox: Post[FromPhone], wanted: Mapping[str, Wanted], bus: Bus | None = None) -> None:
        self._inbox = inbox
        self._wanted = dict(wanted)
        self._bus = bus or Bus()
        self._phones: dict[str, _Phone] = {}
        self._seen: list[UsbDevice] = []
        self._waiting_since: dict[str, float] = {}
        self._look_at = 0.0
        self._wake = asyncio.Event()

    # --- from outside -----------------------------------------------------------------------------------

    def want(self, wanted: Mapping[str, Wanted]) -> None:
        """Other phones, from now on; those that stay as they are notice nothing."""
        for phone, wish in self._wanted.items():
            if wanted.get(phone) != wish:
                self._unplug(phone, "the settings have changed")
        self._wanted = dict(wanted)
        self._look(0.0)

    def perform(self, phone: str, action: Action) -> None:
        """What the line of this phone wants of it; nothing happens while it is not there."""
        if (found := self._phones.get(phone)) is not None:
            now = asyncio.get_running_loop().time()
            for node in found.nodes:
                node.write(node.keys.perform(action, now))
            self._wake.set()

    def hardware(self, phone: str) -> "Hardware":
        """One phone, as its line has it: plugged in or not."""
        return Hardware(self, phone)

    def known(self) -> tuple[tuple[UsbDevice, str], ...]:
        """Every device that could be a phone, and which one it is ("" for none): to choose from."""
        names = {phone.device.place: name for name, phone in self._phones.items()}
        return tuple((device, names.get(device.place, "")) for device in self._seen)

    # --- the task ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled; then all phones are let go of, their lamps as they are."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            stack.callback(self._close)
            try:
                announcements = self._bus.announcements()
            except OSError as error:
                log.warning(
                    "hardware is not announced here (%s): looking every %g s", error, self._bus.poll_s
                )
            else:
                stack.callback(announcements.close)
                loop.add_reader(announcements.fileno(), self._announced, announcements)
                stack.callback(loop.remove_reader, announcements.fileno())
            while True:
                self._wake.clear()
                now = loop.time()
                if now >= self._look_at:
                    self._look_at = now + self._bus.poll_s
                    self._reconcile(now)
                due = self._look_at
                for phone in self._phones.values():
                    for node in phone.nodes:
                        if node.keys.due is not None and node.keys.due <= now:
                            node.write(node.keys.tick(now))
                        if node.keys.due is not None:
                            due = min(due, node.keys.due)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await self._wake.wait()

    def _announced(self, announcements: Announcements) -> None:
        if announcements.heard():
            self._look(SETTLE_S)

    def _look(self, in_s: float) -> None:
        self._look_at = min(self._look_at, asyncio.get_running_loop().time() + in_s)
        self._wake.set()

    def _reconcile(self, now: float) -> None:
        """Make what is plugged in what sysfs says and the settings want."""
        self._seen = [device for device in self._bus.scan() if _is_phone(device)]
        by_place = {device.place: device for device in self._seen}
        for name, phone in list(self._phones.items()):
            device = by_place.get(phone.device.place)
            if device is None or (device.nodes, device.audio) != (phone.device.nodes, phone.device.audio):
                self._unplug(name, "it was unplugged")
        taken = {name: phone.device.place for name, phone in self._phones.items()}
        assigned = assign(self._wanted, self._seen, taken)
        for name, phone in list(self._phones.items()):
            if assigned.get(name, phone.device).place != phone.device.place:
                self._unplug(name, "a device that fits better has come")
        self._waiting_since = {
            place: since for place, since in self._waiting_since.items() if place in by_place
        }
        for name, device in assigned.items():
            if name not in self._phones:
                self._plug(name, device, now)

    def _plug(self, name: str, device: UsbDevice, now: float) -> None:
        since = self._waiting_since.setdefault(device.place, now)
        patient = now - since < self._bus.patience_s
        missing = [node for node in device.sound if not self._bus.usable(node)]
        lacking = (device.expects_sound and not device.sound) or (device.expects_keys and not device.nodes)
        if patient and (lacking or missing):
            self._look(RETRY_S)
            return
        if (device.expects_sound and not device.sound) or missing:
            log.warning(
                "phone %s: no sound from %s (%s)", name, device.title or device.place, missing or "no card"
            )
        try:
            nodes = self._open(name, device)
        except OSError as error:
            if patient:
                self._look(RETRY_S)
            elif now - since < self._bus.patience_s + self._bus.poll_s:
                log.error(
                    "phone %s: %s may not be opened (%s): install systemd/60-steadyline.rules for udev, and "
                    "plug it in again",
                    name, device.title or device.place, error.strerror,
                )  # fmt: skip
            return
        self._waiting_since.pop(device.place, None)
        self._phones[name] = _Phone(device, nodes)
        log.info("phone %s is %s at %s", name, device.title or "a device without a name", device.place)
        rings = any(node.keys.rings for node in nodes)
        self._inbox.post(FromPhone(name, Plugged(device.audio, now, rings)))
        loop = asyncio.get_running_loop()
        for node in nodes:
            node.write(node.keys.tick(now))  # what a former owner left lit
            loop.add_reader(node.file, self._readable, name, node)

    def _open(self, name: str, device: UsbDevice) -> list[Node]:
        """All nodes of a device that have telephone keys. Raises OSError, with none left open."""
        loop = asyncio.get_running_loop()
        nodes: list[Node] = []

        def failed(error: OSError) -> None:
            loop.call_soon_threadsafe(self._lost, name, device, error)

        try:
            for node, descriptor in device.nodes:
                keys = _keys(device, descriptor, self._wanted[name])
                if keys is not None:
                    nodes.append(Node(self._bus.open(node), keys, failed))
        except OSError:
            for opened in nodes:
                opened.close()
            raise
        return nodes

    # --- what happens on an open phone ------------------------------------------------------------------

    def _readable(self, name: str, node: Node) -> None:
        now = asyncio.get_running_loop().time()
        for _ in range(_MOST_AT_ONCE):
            try:
                report = os.read(node.file, _REPORT_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._unplug(name, f"it was unplugged ({error.strerror})")
                return
            if not report:
                self._unplug(name, "it was unplugged")
                return
            for event in node.keys.heard(report, now):
                self._inbox.post(FromPhone(name, event))

    def _lost(self, name: str, device: UsbDevice, error: OSError) -> None:
        """The thread that writes found the device gone."""
        if (phone := self._phones.get(name)) is not None and phone.device is device:
            self._unplug(name, f"it was unplugged ({error.strerror})")

    def _unplug(self, name: str, why: str) -> None:
        if (phone := self._phones.pop(name, None)) is None:
            return
        loop = asyncio.get_running_loop()
        for node in phone.nodes:
            loop.remove_reader(node.file)
            node.close()
        log.info("phone %s: %s", name, why)
        self._inbox.post(FromPhone(name, Unplugged(why, loop.time())))
        self._look(RETRY_S)

    def _close(self) -> None:
        loop = asyncio.get_running_loop()
        for phone in self._phones.values():
            for node in phone.nodes:
                loop.remove_reader(node.file)
                node.close()
        self._phones.clear()


@dataclass(frozen=True, slots=True)
class Hardware:
    """The phone of one name."""

    _door: UsbPhones
    _phone: str

    def do(self, action: Action) -> None:
        """What its line wants of it."""
        self._door.perform(self._phone, action)


def _is_phone(device: UsbDevice) -> bool:
    """It speaks and hears, or it has telephone keys: a loudspeaker, a camera or a keyboard is none."""
    if device.driver or (device.audio.capture and device.audio.playback):
        return True
    return any(_table(device.vendor, device.product, descriptor) for _, descriptor in device.nodes)


def _keys(device: UsbDevice, descriptor: bytes, wanted: Wanted) -> Keys | None:
    """The machine for the keys behind a node, if it has any of a telephone."""
    if device.driver:
        return KeyPhone(buzzer=device.driver == "cm109", keys=wanted.keys)
    table = _table(device.vendor, device.product, descriptor)
    return HidPhone(table, wanted.keys) if table is not None else None


@functools.lru_cache(maxsize=64)
def _table(vendor: int, product: int, descriptor: bytes) -> Table | None:
    """The table of a telephone; a descriptor is read once, however often its device is looked at."""
    try:
        return compile_table(parse(descriptor), QUIRKS.get((vendor, product)))
    except DescriptorError as error:
        log.warning("the USB device %04x:%04x describes itself wrongly: %s", vendor, product, error)
        return None
