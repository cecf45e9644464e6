"""A HID device that a program plays: /dev/uhid (Documentation/hid/uhid.rst, linux/uhid.h).

A thread answers the kernel; without it every write to the device's hidraw node would wait five seconds.
"""

import os
import queue
import select
import struct
import threading
from typing import Final

_DESTROY, _OUTPUT, _GET, _GET_REPLY = 1, 6, 9, 10
_CREATE, _INPUT, _SET, _SET_REPLY = 11, 12, 13, 14
_EVENT_BYTES: Final = 4 + 128 + 64 + 64 + 2 + 2 + 4 * 4 + 4096
_BUS_USB: Final = 3
_EIO: Final = 5


class UhidDevice:
    """Plugged in by being made. `written()` gives what was written to its hidraw node."""

    def __init__(self, descriptor: bytes, name: str = "Simulated phone", uniq: str = "") -> None:
        self._file = os.open("/dev/uhid", os.O_RDWR | os.O_CLOEXEC)
        self._written: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._stop, self._stopped = os.pipe()
        create = struct.pack(
            "=I128s64s64sHHIIII",
            *(_CREATE, name.encode(), b"", uniq.encode(), len(descriptor), _BUS_USB),
            *(0x1209, 0x0001, 0, 0),
        )
        os.write(self._file, (create + descriptor).ljust(_EVENT_BYTES, b"\0"))
        self._there = True
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def press(self, report: bytes) -> None:
        """An input report."""
        os.write(self._file, struct.pack("=IH", _INPUT, len(report)) + report)

    def written(self) -> bytes | None:
        """The oldest output report that was not asked for yet."""
        try:
            return self._written.get_nowait()
        except queue.Empty:
            return None

    def unplug(self) -> None:
        """Gone, with its nodes; fine when it is gone already."""
        if not self._there:
            return
        self._there = False
        os.write(self._stopped, b".")
        self._thread.join()
        os.write(self._file, struct.pack("=I", _DESTROY))
        for file in (self._file, self._stop, self._stopped):
            os.close(file)

    def _answer(self) -> None:
        while True:
            ready, _, _ = select.select([self._file, self._stop], [], [])
            if self._stop in ready:
                return
            event = os.read(self._file, _EVENT_BYTES)
            (kind,) = struct.unpack_from("=I", event)
            if kind == _OUTPUT:
                (size,) = struct.unpack_from("=H", event, 4 + 4096)
                self._written.put(event[4 : 4 + size])
            elif kind == _SET:
                number, _, _, size = struct.unpack_from("=IBBH", event, 4)
                self._written.put(event[12 : 12 + size])
                os.write(self._file, struct.pack("=IIH", _SET_REPLY, number, 0))
            elif kind == _GET:
                (number,) = struct.unpack_from("=I", event, 4)
                os.write(self._file, struct.pack("=IIHH", _GET_REPLY, number, _EIO, 0))
