"""A phone of the CM109 kind over USB/IP, as Linux' driver `cm109` talks to it: a matrix of keys, and a bell.

    python -m tests.vm.cm109 PORT      `press SCANCODE` (two hex digits; 00 lets go); out as usbip.py

The driver drives columns (byte 1 of its report, low four bits) and asks which rows are closed (byte 1 of
ours, high four bits): all columns at once until a row shows, then one by one. A scan code is row and column.
Bit 5 of byte 0 of its report is the buzzer.
"""

import sys
import time

from tests.vm.usbip import UsbTelephone, main

_ASK_S = 0.01
"""A real one is asked by USB every 8 ms or so; the driver itself does not wait."""


class Cm109(UsbTelephone):
    """`press` closes one key of the matrix."""

    IDS = (0x0D8C, 0x000E)
    KEYS_BYTES = 4
    _columns = 0x0F
    _scancode = 0
    _buzzer = 0
    _told_at = 0.0

    def press(self, report: bytes) -> None:
        self._scancode = report[0]

    def set(self, report: bytes) -> None:
        self._columns = report[1] & 0x0F
        buzzer = report[0] & 0x20
        if buzzer != self._buzzer:
            self._buzzer = buzzer
            super().set(report[:1])

    def poll(self) -> None:
        closed = self._columns & self._scancode & 0x0F
        rows = self._scancode & 0xF0 if closed else 0
        time.sleep(max(self._told_at + _ASK_S - time.monotonic(), 0))
        self._told_at = time.monotonic()
        self._reports[:] = [bytes([0, rows | closed if closed else self._columns, 0, 0])]
        super().poll()


if __name__ == "__main__":
    main(int(sys.argv[1]), b"", kind=Cm109)
