"""The calls unit may use USB phones, and no keyboard: udev, systemd and a kernel say so, not a reader."""

import grp
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.phones import descriptors as d
from tests.phones.usbworlds import Phone
from tests.vm.hardware import load, mount
from tests.vm.phones import UsbIpWorld

ROOT = Path(__file__).parent.parent.parent
INSIDE = Path("/srv/steadyline")

_PROBE = """[Unit]
DefaultDependencies=no
After=systemd-journald.service
Requires=systemd-journald.service
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
ExecStart=systemd-sysusers {inside}/systemd/sysusers.conf
ExecStart=/bin/sh -c 'chgrp audio /dev/snd/*; chgrp steadyline-calls /dev/hidraw0 /dev/uinput'
ExecStart=/bin/sh -c 'chmod 660 /dev/snd/* /dev/hidraw0 /dev/uinput'
ExecStart=-systemctl start phones.service
ExecStart=/bin/echo "end: of the probe"
"""


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture
def udev() -> Iterator[None]:
    """Debian's udev with our rules beside its own."""
    rules = Path("/run/udev/rules.d")
    rules.mkdir(parents=True, exist_ok=True)
    (rules / "60-steadyline.rules").write_text((ROOT / "systemd/udev.rules").read_text())
    subprocess.run(["systemd-sysusers", str(ROOT / "systemd/sysusers.conf")], check=True)
    daemon = subprocess.Popen(["/lib/systemd/systemd-udevd"], stderr=subprocess.DEVNULL)
    until(Path("/run/udev/control").exists, "udev does not start")
    yield
    daemon.terminate()
    daemon.wait()
    (rules / "60-steadyline.rules").unlink()


def rights(path: Path) -> tuple[str, str]:
    """(mode, group) of a device."""
    about = path.stat()
    return f"{stat.S_IMODE(about.st_mode):o}", grp.getgrgid(about.st_gid).gr_name


def nodes() -> set[Path]:
    return set(Path("/dev").glob("hidraw*"))


@pytest.mark.vm
def test_udev_gives_the_calls_process_telephones_alone(usbip_world: UsbIpWorld, udev: None) -> None:
    before = nodes()
    usbip_world.plug(d.HANDSET, "1-1")
    until(lambda: len(nodes() - before) == 1, "no hidraw node comes")
    (telephone,) = nodes() - before
    until(lambda: rights(telephone) == ("660", "steadyline-calls"), f"{telephone} stays {rights(telephone)}")
    card = next(Path("/dev/snd").glob("pcmC*p"))
    until(lambda: rights(card) == ("660", "audio"), f"{card} stays {rights(card)}")

    before = nodes()
    usbip_world.plug(d.KEYBOARD, "1-2", sound=False)
    until(lambda: len(nodes() - before) == 1, "no hidraw node comes")
    (keyboard,) = nodes() - before
    # udev works in order: what comes later is done later.
    before = nodes()
    usbip_world.plug(d.HANDSET, "1-3")
    until(lambda: len(nodes() - before) == 1, "no hidraw node comes")
    (last,) = nodes() - before
    until(lambda: rights(last)[1] == "steadyline-calls", "the rules stopped")
    assert rights(keyboard) == ("600", "root")


def unit() -> str:
    """gateway-calls.service with another program."""
    text = (ROOT / "systemd/gateway-calls.service").read_text()
    python = INSIDE / Path(sys.executable).relative_to(ROOT)
    program = f"ExecStart={python} -m tests.phones.usbsandbox /dev/uinput"
    lines = re.sub(r"ExecStart=.*", program, text).splitlines()
    gone = ("Type=", "Restart", "WatchdogSec", "Wants=", "After=", "Requires=", "WantedBy", "StartLimit")
    lines = [line for line in lines if not line.startswith(gone)]
    lines.insert(lines.index("[Unit]") + 1, "DefaultDependencies=no")
    at = lines.index("[Service]") + 1
    lines[at:at] = [
        "Type=oneshot", f"WorkingDirectory={INSIDE}", "Environment=PYTHONDONTWRITEBYTECODE=1",
        "StandardOutput=tty", "StandardError=tty", "TTYPath=/dev/console",
    ]  # fmt: skip
    return "\n".join(lines)


class Container:
    """A systemd of its own over this system's /usr, with the nodes of the phone."""

    def __init__(self, place: Path) -> None:
        mount("cgroup2", "/sys/fs/cgroup")
        (place / "probe.service").write_text(_PROBE.format(inside=INSIDE))
        (place / "phones.service").write_text(unit())
        self._log = place / "log"
        self._output = self._log.open("w")
        sound = [str(path) for path in Path("/dev/snd").iterdir() if path.is_char_device()]
        self._child = subprocess.Popen(
            [
                "systemd-nspawn", "-q", "-D", "/", "--volatile=yes", "--register=no", "--keep-unit",
                "--machine=phones", "--capability=CAP_NET_ADMIN,CAP_BPF", "--system-call-filter=bpf",
                "--bind=/dev/hidraw0", "--bind=/dev/uinput", *(f"--bind={path}" for path in sound),
                f"--bind-ro={ROOT}:{INSIDE}",
                *(f"--bind-ro={path}:/etc/systemd/system/{path.name}" for path in place.glob("*.service")),
                "-b", "systemd.unit=probe.service", "systemd.firstboot=off",
            ],
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def hears(self, wanted: str) -> str:
        """What follows this word and its colon."""
        end = time.monotonic() + 120
        while not (found := re.search(rf"^{wanted}: (.*?)\s*$", self.log, re.MULTILINE)):
            assert self._child.poll() is None and time.monotonic() < end, self.log
            assert "Failed to start" not in self.log and "\nend: " not in self.log, self.log
            time.sleep(0.1)
        return found[1]

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        self._output.close()
        # What its systemd made of the control groups would be in the way of the next one.
        payload = Path("/sys/fs/cgroup/payload")
        if payload.exists():
            (payload / "cgroup.kill").write_text("1")
            until(lambda: "populated 0" in (payload / "cgroup.events").read_text(), "somebody lives on")
            for folder in sorted((path for path in payload.rglob("*") if path.is_dir()), reverse=True):
                folder.rmdir()
            payload.rmdir()


def lit(phone: Phone) -> bool:
    """The phone has seen its lamp for off-hook."""
    report = phone.written()
    return report is not None and report[:2] == b"\x02\x11"


@pytest.mark.vm
def test_the_unit_may_use_a_phone(usbip_world: UsbIpWorld, tmp_path: Path) -> None:
    load("uinput")
    phone = usbip_world.plug(d.HANDSET)
    until(lambda: Path("/dev/hidraw0").exists() and bool(list(Path("/dev/snd").glob("pcm*"))), "no phone")
    container = Container(tmp_path)
    try:
        assert container.hears("plugged").startswith("plughw:CARD=")
        assert container.hears("sound") == "opened opened"
        assert container.hears("forbidden") == "Operation not permitted", (
            "a device that the unit does not name"
        )
        until(lambda: lit(phone), "the lamp is not lit")
        phone.press(bytes.fromhex("01 01 1f"))
        assert container.hears("lifted") == "yes"
        phone.unplug()
        assert "unplugged" in container.hears("gone")
        container.hears("end")
    finally:
        container.close()
