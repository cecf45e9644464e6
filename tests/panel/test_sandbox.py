"""The daemon's unit lets it use a GPIO chip and no other device: systemd and a kernel say so, not a reader of
the unit."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.vm.gpio import GpioSim
from tests.vm.hardware import mount

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
ExecStart=-systemd-tmpfiles --create {inside}/systemd/tmpfiles.conf
ExecStart=/bin/sh -c 'chgrp gpio /dev/{chip} && chmod 660 /dev/{chip}'
ExecStart=-systemctl start panel.service
ExecStart=-systemctl start barred.service
ExecStart=/bin/echo "end: of the probe"
"""


def unit(chip: str, *, allowed: bool) -> str:
    """gateway.service with another program, and without what allows the chip unless `allowed`."""
    text = (ROOT / "systemd" / "gateway.service").read_text()
    python = INSIDE / Path(sys.executable).relative_to(ROOT)
    lines = re.sub(r"ExecStart=.*", f"ExecStart={python} -m tests.panel.sandbox {chip}", text).splitlines()
    gone = ("Type=", "Restart", "WatchdogSec", "Wants=", "After=", "WantedBy", "Environment=")
    lines = [line for line in lines if not line.startswith(gone)]
    if not allowed:
        lines = [line for line in lines if "DeviceAllow" not in line]
        assert len(lines) < len(text.splitlines())
    at = lines.index("[Service]") + 1
    lines[at:at] = [
        "Type=oneshot", f"WorkingDirectory={INSIDE}", "Environment=PYTHONDONTWRITEBYTECODE=1",
        "StandardOutput=tty", "StandardError=tty", "TTYPath=/dev/console",
    ]  # fmt: skip
    return "\n".join(lines)


class Container:
    """A systemd of its own over this system's /usr, with the chip."""

    def __init__(self, chip: GpioSim, place: Path) -> None:
        mount("cgroup2", "/sys/fs/cgroup")
        name = chip.path.name
        (place / "probe.service").write_text(_PROBE.format(inside=INSIDE, chip=name))
        (place / "panel.service").write_text(unit(name, allowed=True))
        (place / "barred.service").write_text(unit(name, allowed=False))
        self._log = place / "log"
        self._output = self._log.open("w")
        self._child = subprocess.Popen(
            [
                "systemd-nspawn", "-q", "-D", "/", "--volatile=yes", "--register=no", "--keep-unit",
                "--machine=panel", "--capability=CAP_NET_ADMIN,CAP_BPF", "--system-call-filter=bpf",
                f"--bind=/dev/{name}", f"--bind-ro={ROOT}:{INSIDE}",
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
        until = time.monotonic() + 120
        while not (found := re.search(rf"^{wanted}: (.*?)\s*$", self.log, re.MULTILINE)):
            assert self._child.poll() is None and time.monotonic() < until, self.log
            time.sleep(0.1)
        return found[1]

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        self._output.close()


@pytest.mark.vm
def test_the_unit_may_use_the_chip(gpio_sim: Callable[[str, Sequence[str]], GpioSim], tmp_path: Path) -> None:
    chip = gpio_sim("panel", ["button", "lamp"])
    container = Container(chip, tmp_path)
    try:
        assert container.hears("button") == "False"
        assert container.hears("lit") == "yes" and chip.level("lamp")
        chip.drive("button", False)
        assert container.hears("edge") == "True"
        usual = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
        assert set(container.hears("devices").split()) - usual == {chip.path.name}
        container.hears("end")
        refused = r"the GPIO chip gpiochip\d cannot be opened: Operation not permitted"
        assert re.search(refused, container.log), "without its line the chip is barred"
    finally:
        container.close()
