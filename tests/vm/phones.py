"""The kernel's own USB as two worlds for tests/phones/test_usb.py: HID alone, and all of a phone."""

import subprocess
import sys
import threading
from queue import Empty, SimpleQueue

from gateway.phones.usbnode import Bus
from tests.vm.kernel import ROOT
from tests.vm.uhid import UhidDevice


class UhidWorld:
    """Phones of HID alone, which hang on no socket: their names are their serial numbers."""

    sound = False

    def __init__(self) -> None:
        self.bus = Bus()
        self._plugged: list[UhidDevice] = []

    def plug(self, descriptor: bytes, place: str = "1-1", serial: str = "") -> UhidDevice:
        """`place` sorts them, as sockets would."""
        self._plugged.append(UhidDevice(descriptor, uniq=place))
        return self._plugged[-1]

    def close(self) -> None:
        """Unplug all that a test left."""
        for phone in self._plugged:
            phone.unplug()


class UsbIpPhone:
    """A phone in its own process (usbip.py)."""

    def __init__(
        self, port: int, descriptor: bytes, serial: str = "", *, sound: bool = True, kind: str = "usbip"
    ) -> None:
        """`kind`: the program that plays it."""
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._written: SimpleQueue[bytes] = SimpleQueue()
        words = [str(port), descriptor.hex(), serial, "" if sound else "mute"]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-m", f"tests.vm.{kind}", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.line() == "plugged", "the kernel did not take it"

    def press(self, report: bytes) -> None:
        self.order(f"press {report.hex()}")

    def written(self) -> bytes | None:
        try:
            return self._written.get_nowait()
        except Empty:
            return None

    def order(self, line: str) -> None:
        """A line of usbip.py's own."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def line(self, within_s: float = 20.0) -> str:
        """Its next answer."""
        return self._lines.get(timeout=within_s)

    def unplug(self) -> None:
        """Pulled: the socket closes in the middle of whatever is going on. Fine when it is gone."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "written":
                self._written.put(bytes.fromhex(rest))
            else:
                self._lines.put(line.strip())


class UsbIpWorld:
    """Whole phones, with sound."""

    sound = True

    def __init__(self) -> None:
        self.bus = Bus()
        self.bus.patience_s = 20.0  # an emulated machine takes its time to find all parts
        self._plugged: list[UsbIpPhone] = []

    def plug(
        self, descriptor: bytes, place: str = "1-1", serial: str = "", *, sound: bool = True
    ) -> UsbIpPhone:
        """`place`: the last digit is the socket of the simulated hub, from 1."""
        self._plugged.append(UsbIpPhone(int(place[-1]) - 1, descriptor, serial, sound=sound))
        return self._plugged[-1]

    def plug_cm109(self, place: str = "1-1") -> UsbIpPhone:
        """A phone of that kind: `press` takes a scan code."""
        self._plugged.append(UsbIpPhone(int(place[-1]) - 1, b"", kind="cm109"))
        return self._plugged[-1]

    def close(self) -> None:
        """Unplug all that a test left."""
        for phone in self._plugged:
            phone.unplug()
