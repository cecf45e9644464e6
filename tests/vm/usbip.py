"""A USB telephone that a program plays: USB/IP over a socket that vhci_hcd was given (usbip_protocol.rst).

    python -m tests.vm.usbip PORT DESCRIPTOR [SERIAL [mute]]     DESCRIPTOR in hex; mute: without sound

An audio device of class 1.0, 16 kHz mono each way, and a HID interface with the report descriptor. It is
plugged in when "plugged" comes out, and unplugged when the program ends. Lines in: `press HEX`, `tone HZ`
(what its microphone hears), `echo` (it hears what its loudspeaker plays), `heard PATH` (into a file goes what
its loudspeaker has played since the last time). Lines out: `written HEX`, `heard`.

It has a process of its own: sound libraries wait inside the kernel for answers that it must give. One thread
does all, so no answer to an unlink can overtake the answer to what it unlinks: vhci_hcd would hang up.
"""

import array
import heapq
import math
import os
import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RATE_HZ: Final = 16_000
_FRAME_BYTES: Final = RATE_HZ // 1000 * 2
_ATTACH: Final = Path("/sys/devices/platform/vhci_hcd.0/attach")
_FULL_SPEED: Final = 2
_CMD_SUBMIT, _CMD_UNLINK, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4
_HEADER: Final = 48
_EPIPE, _ECONNRESET = -32, -104
_OUT, _IN, _KEYS = 1, 2, 3
"""Endpoints: loudspeaker, microphone, HID."""


def _descriptor(kind: int, *data: int) -> bytes:
    return bytes([2 + len(data), kind, *data])


def _word(value: int) -> tuple[int, int]:
    return value & 0xFF, value >> 8


def _rate() -> tuple[int, int, int]:
    return RATE_HZ & 0xFF, RATE_HZ >> 8 & 0xFF, RATE_HZ >> 16


def configuration(report_descriptor: bytes, sound: bool, keys_bytes: int) -> tuple[bytes, bytes]:
    """The configuration of the telephone, and its HID descriptor (which stands in it too)."""
    hid = _descriptor(0x21, *_word(0x0111), 0, 1, 0x22, *_word(len(report_descriptor)))
    terminals = (
        _descriptor(0x24, 2, 1, *_word(0x0101), 0, 1, *_word(0), 0, 0)  # in: USB
        + _descriptor(0x24, 3, 2, *_word(0x0401), 0, 1, 0)  # out: the handset, from 1
        + _descriptor(0x24, 2, 3, *_word(0x0401), 0, 1, *_word(0), 0, 0)  # in: the handset
        + _descriptor(0x24, 3, 4, *_word(0x0101), 0, 3, 0)  # out: USB, from 3
    )
    header = _descriptor(0x24, 1, *_word(0x0100), *_word(10 + len(terminals)), 2, 1, 2)
    audio = _descriptor(4, 0, 0, 0, 1, 1, 0, 0) + header + terminals
    for number, terminal, endpoint, sync in ((1, 1, _OUT, 0x09), (2, 4, 0x80 | _IN, 0x05)):
        audio += (
            _descriptor(4, number, 0, 0, 1, 2, 0, 0)
            + _descriptor(4, number, 1, 1, 1, 2, 0, 0)
            + _descriptor(0x24, 1, terminal, 1, *_word(1))
            + _descriptor(0x24, 2, 1, 1, 2, 16, 1, *_rate())
            + _descriptor(5, endpoint, sync, *_word(_FRAME_BYTES + 8), 1, 0, 0)
            + _descriptor(0x25, 1, 0, 0, 0, 0)
        )
    if not sound:
        audio = b""
    keys = (
        _descriptor(4, 3 if sound else 0, 0, 1, 3, 0, 0, 0)
        + hid
        + _descriptor(5, 0x80 | _KEYS, 3, *_word(keys_bytes), 4)
    )
    body = audio + keys
    return _descriptor(2, *_word(9 + len(body)), 4 if sound else 1, 1, 0, 0x80, 50) + body, hid


def _string(text: str) -> bytes:
    return _descriptor(3, *text.encode("utf-16-le"))


def _tone(hz: float) -> bytes:
    """A second of it; whole numbers have no seam."""
    turn = 2 * math.pi * hz / RATE_HZ
    return array.array("h", (int(8000 * math.sin(turn * n)) for n in range(RATE_HZ))).tobytes()


@dataclass(slots=True)
class _Request:
    """One URB. `packets`: (offset, length) of an isochronous one."""

    number: int
    endpoint: int
    inward: bool
    length: int
    setup: bytes
    data: bytes
    packets: list[tuple[int, int]]


class UsbTelephone:
    """The device's own side of the socket. `IDS`: vendor and product; `KEYS_BYTES`: of an input report."""

    IDS = (0x1209, 0x0002)
    KEYS_BYTES = 16

    def __init__(self, wire: socket.socket, report_descriptor: bytes, serial: str, sound: bool) -> None:
        self._wire = wire
        self._report_descriptor = report_descriptor
        self._configuration, self._hid = configuration(report_descriptor, sound, self.KEYS_BYTES)
        self._strings = {0: _descriptor(3, 0x09, 0x04), 1: _string("Simulated"), 2: _string("USB phone")}
        if serial:
            self._strings[3] = _string(serial)
        self._device = _descriptor(
            *(1, *_word(0x0110), 0, 0, 0, 64, *_word(self.IDS[0]), *_word(self.IDS[1]), *_word(0x0100)),
            *(1, 2, 3 if serial else 0, 1),
        )
        self._received = bytearray()
        self._waiting: dict[int, _Request] = {}
        self._due: list[tuple[float, int]] = []
        self._free_at = {_OUT: 0.0, _IN: 0.0}
        self._reports: list[bytes] = []
        self._tone = _tone(0.0)
        self._phase = 0
        self._echo: bytearray | None = None
        self._heard = bytearray()

    # --- the user's side --------------------------------------------------------------------------

    def order(self, line: str) -> None:
        """One line of stdin."""
        word, _, rest = line.strip().partition(" ")
        if word == "press":
            self.press(bytes.fromhex(rest))
        elif word == "tone":
            self._tone, self._echo = _tone(float(rest)), None
        elif word == "echo":
            self._echo = bytearray()
        elif word == "heard":
            Path(rest).write_bytes(self._heard)
            self._heard.clear()
            print("heard", flush=True)

    def press(self, report: bytes) -> None:
        """An input report."""
        self._reports.append(report)
        self.poll()

    def set(self, report: bytes) -> None:
        """An output report has come."""
        print("written", report.hex(), flush=True)

    def _microphone(self, size: int) -> bytes:
        if self._echo is not None:
            taken = bytes(self._echo[:size])
            del self._echo[:size]
            return taken.ljust(size, b"\0")
        start = self._phase
        self._phase = (start + size) % len(self._tone)
        return (self._tone[start:] + self._tone * (size // len(self._tone) + 1))[:size]

    # --- the wire ---------------------------------------------------------------------------------

    @property
    def due(self) -> float | None:
        """When an isochronous request ends: call `tick` then."""
        return self._due[0][0] if self._due else None

    def received(self, data: bytes) -> None:
        """Bytes from vhci_hcd."""
        self._received += data
        while len(self._received) >= _HEADER:
            command, number, _, direction, endpoint = struct.unpack_from(">5I", self._received)
            if command == _CMD_UNLINK:
                (victim,) = struct.unpack_from(">I", self._received, 20)
                del self._received[:_HEADER]
                found = self._waiting.pop(victim, None)
                self._send(struct.pack(">5Ii24x", _RET_UNLINK, number, 0, 0, 0, _ECONNRESET if found else 0))
                continue
            _, length, _, count, _ = struct.unpack_from(">5I", self._received, 20)
            count = 0 if count == 0xFFFFFFFF else count
            outward = length if direction == 0 else 0
            whole = _HEADER + outward + 16 * count
            if len(self._received) < whole:
                return
            packets = [
                struct.unpack_from(">II", self._received, _HEADER + outward + 16 * n) for n in range(count)
            ]
            request = _Request(
                number,
                endpoint,
                direction == 1,
                length,
                bytes(self._received[40:48]),
                bytes(self._received[_HEADER : _HEADER + outward]),
                [(offset, size) for offset, size in packets],
            )
            del self._received[:whole]
            self._submitted(request)

    def _submitted(self, request: _Request) -> None:
        if request.endpoint == 0:
            self._control(request)
        elif request.packets:
            # One packet is a millisecond; requests follow one another without a gap.
            start = max(self._free_at[request.endpoint], time.monotonic())
            self._free_at[request.endpoint] = end = start + len(request.packets) / 1000
            self._waiting[request.number] = request
            heapq.heappush(self._due, (end, request.number))
        elif request.inward:
            self._waiting[request.number] = request
            self.poll()
        else:
            self.set(request.data)
            self._done(request, 0, b"", len(request.data))

    def tick(self, now: float) -> None:
        """Isochronous requests whose last packet has gone by."""
        while self._due and self._due[0][0] <= now:
            _, number = heapq.heappop(self._due)
            if (request := self._waiting.pop(number, None)) is None:
                continue
            if request.inward:
                sizes = [min(size, _FRAME_BYTES) for _, size in request.packets]
                data = self._microphone(sum(sizes))
            else:
                sizes, data = [size for _, size in request.packets], b""
                self._heard += request.data
                if self._echo is not None:
                    self._echo += request.data
            told = b"".join(
                struct.pack(">4I", offset, size, actual, 0)
                for (offset, size), actual in zip(request.packets, sizes, strict=True)
            )
            self._done(request, 0, data + told, sum(sizes), len(sizes))

    def poll(self) -> None:
        """The kernel asks for an input report, or there is one."""
        for number, request in list(self._waiting.items()):
            if request.endpoint == _KEYS and self._reports:
                del self._waiting[number]
                report = self._reports.pop(0)
                self._done(request, 0, report, len(report))

    def _control(self, request: _Request) -> None:
        kind, code, value, _, length = struct.unpack("<BBHHH", request.setup)
        answer: bytes | None = b""
        if (kind, code) in ((0x80, 6), (0x81, 6)):
            answer = {
                1: self._device,
                2: self._configuration,
                3: self._strings.get(value & 0xFF),
                0x21: self._hid,
                0x22: self._report_descriptor,
            }.get(value >> 8)
        elif kind in (0x80, 0x82) and code == 0:
            answer = b"\1\0" if kind == 0x80 else b"\0\0"
        elif (kind, code) == (0x80, 8):
            answer = b"\1"
        elif (kind, code) == (0xA2, 0x81):
            answer = bytes(_rate())
        elif (kind, code) == (0x21, 9):
            self.set(request.data)
        elif kind & 0x80:
            answer = None
        if answer is None:
            self._done(request, _EPIPE, b"", 0)
        elif request.inward:
            self._done(request, 0, answer[:length], len(answer[:length]))
        else:
            self._done(request, 0, b"", len(request.data))

    def _done(self, request: _Request, status: int, data: bytes, actual: int, packets: int = 0) -> None:
        head = struct.pack(">5IiIIII8x", _RET_SUBMIT, request.number, 0, 0, 0, status, actual, 0, packets, 0)
        self._send(head + (data if request.inward or packets else b""))

    def _send(self, data: bytes) -> None:
        self._wire.sendall(data)


def main(
    port: int,
    descriptor: bytes,
    serial: str = "",
    sound: str = "",
    *,
    kind: type[UsbTelephone] = UsbTelephone,
) -> None:
    """Until stdin ends, or the kernel hangs up."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    device = kind(ours, descriptor, serial, sound != "mute")
    _ATTACH.write_text(f"{port} {theirs.fileno()} {0x10000 + port} {_FULL_SPEED}")
    theirs.close()
    print("plugged", flush=True)
    orders = b""
    with selectors.DefaultSelector() as selector:
        selector.register(ours, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while True:
            wait_s = None if device.due is None else max(device.due - time.monotonic(), 0)
            for key, _ in selector.select(wait_s):
                data = os.read(key.fd, 65536)
                if not data:
                    return
                if key.fd == 0:
                    *lines, orders = (orders + data).split(b"\n")
                    for line in lines:
                        device.order(line.decode())
                else:
                    device.received(data)
            device.tick(time.monotonic())


if __name__ == "__main__":
    main(int(sys.argv[1]), bytes.fromhex(sys.argv[2]), *sys.argv[3:])
