"""Door: hidraw and event devices. Opening them, and writing to them without ever waiting for one.

A write may block for seconds in a device that hangs, so each node has a thread that writes.
"""

import errno
import fcntl
import logging
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from gateway.phones.model import Action, Event
from gateway.phones.uevent import Uevents
from gateway.phones.usbmodel import UsbDevice
from gateway.phones.usbtree import scan

log = logging.getLogger(__name__)

_EVIOCGRAB: Final = 0x40044590


class Keys(Protocol):
    """A phone's keys and lamps: HidPhone and KeyPhone."""

    @property
    def due(self) -> float | None: ...
    @property
    def rings(self) -> bool: ...
    def heard(self, report: bytes, now: float) -> list[Event]: ...
    def perform(self, action: Action, now: float) -> list[bytes]: ...
    def tick(self, now: float) -> list[bytes]: ...


class Announcements(Protocol):
    """What says that it is time to look."""

    def fileno(self) -> int: ...
    def heard(self) -> bool: ...
    def close(self) -> None: ...


class Bus:
    """The kernel's USB, as this room needs it; anything with the same verbs will do."""

    poll_s = 2.0
    """How often to look without having been told: an announcement may be lost."""
    patience_s = 3.0
    """How long a device may take until its parts are there and may be opened; then it does without."""

    def scan(self) -> list[UsbDevice]:
        """Every device that could be a phone."""
        return scan()

    def announcements(self) -> Announcements:
        """Where it is said that something came or went."""
        return Uevents()

    def open(self, node: str) -> int:
        """A node below /dev, for reading and writing without waiting; for us alone if it is a keypad."""
        file = os.open(f"/dev/{node}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        if node.startswith("input/"):
            try:
                fcntl.ioctl(file, _EVIOCGRAB, 1)  # or its digits are typed into the console too
            except OSError:
                os.close(file)
                raise
        return file

    def usable(self, node: str) -> bool:
        """A node below /dev may be used by this process."""
        return os.access(f"/dev/{node}", os.R_OK | os.W_OK)


@dataclass(slots=True)
class Node:
    """One open file of a phone and the thread that writes to it."""

    file: int
    keys: Keys
    failed: Callable[[OSError], None]
    queue: "queue.SimpleQueue[bytes | None]" = field(default_factory=queue.SimpleQueue)
    thread: threading.Thread | None = None

    def write(self, reports: list[bytes]) -> None:
        if reports and self.thread is None:
            self.thread = threading.Thread(target=self._write, args=(os.dup(self.file),), daemon=True)
            self.thread.start()
        for report in reports:
            self.queue.put(report)

    def _write(self, file: int) -> None:
        try:
            while (report := self.queue.get()) is not None:
                try:
                    os.write(file, report)
                except OSError as error:
                    # A headset that knows no such report refuses it (EPIPE) and goes on.
                    if error.errno in (errno.ENODEV, errno.EIO, errno.ESHUTDOWN):
                        self.failed(error)
                        return
                    log.debug("a lamp was refused: %s", error)
        finally:
            os.close(file)

    def close(self) -> None:
        self.queue.put(None)
        os.close(self.file)
