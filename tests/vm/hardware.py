"""The simulated hardware as fixtures. Each loads the modules that it needs, and skips outside the machine.

gpio_sim("slic", ["shk0", "fr0", "rm0"]) -> GpioSim     path, drive(line, high), level(line)
loopback -> the name of a sound card that hears on device 1 what is played on device 0, and the reverse
"""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.vm.gpio import GpioSim
from tests.vm.kernel import kernel
from tests.vm.phones import UhidWorld, UsbIpWorld

_libc = ctypes.CDLL(None, use_errno=True)


def inside() -> bool:
    """True in the virtual machine (or on one that says that its hardware may be played with)."""
    return os.environ.get("STEADYLINE_VM") == "1"


def load(*modules: str, options: str = "") -> None:
    """Load modules with what they need; skips the test outside. `options` are the last one's."""
    if not inside():
        pytest.skip("needs simulated hardware: python -m tests.vm.run")
    files = kernel().files(modules)
    for path in files:
        if os.path.exists(f"/sys/module/{path.stem}"):
            continue
        more = options.split() if path is files[-1] else []
        done = subprocess.run(
            ["busybox", "insmod", str(path), *more], capture_output=True, text=True, check=False
        )
        if done.returncode and "File exists" not in done.stderr:
            raise OSError(f"{path.name}: {done.stderr.strip()}")


def mount(kind: str, place: str) -> None:
    """Mount a file system of the kernel's own; fine when it stands already."""
    if not os.path.ismount(place) and _libc.mount(kind.encode(), place.encode(), kind.encode(), 0, None):
        raise OSError(ctypes.get_errno(), f"cannot mount {kind} on {place}")


@pytest.fixture
def gpio_sim() -> Iterator[Callable[[str, Sequence[str]], GpioSim]]:
    """Makes chips; they are gone after the test."""
    load("gpio_sim")
    mount("configfs", "/sys/kernel/config")
    made: list[GpioSim] = []

    def make(name: str, lines: Sequence[str]) -> GpioSim:
        made.append(GpioSim(name, lines))
        return made[-1]

    yield make
    for chip in made:
        chip.close()


@pytest.fixture
def uhid_world() -> Iterator[UhidWorld]:
    """Phones of HID alone."""
    load("uhid", "hid_generic")
    world = UhidWorld()
    yield world
    world.close()


@pytest.fixture
def usbip_world() -> Iterator[UsbIpWorld]:
    """USB phones with sound and HID."""
    load("vhci_hcd", "usbhid", "hid_generic", "snd_usb_audio")
    world = UsbIpWorld()
    yield world
    world.close()


@pytest.fixture
def loopback() -> str:
    """The ALSA name of a loopback card."""
    load("snd_aloop")
    return "Loopback"
