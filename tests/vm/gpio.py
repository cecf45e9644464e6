"""GPIO chips whose lines a test drives and reads: gpio-sim by configfs (admin-guide/gpio/gpio-sim)."""

from collections.abc import Sequence
from pathlib import Path

_CONFIG = Path("/sys/kernel/config/gpio-sim")


class GpioSim:
    """A chip with one line for each name, from offset 0 on. `path` is its character device."""

    def __init__(self, name: str, lines: Sequence[str]) -> None:
        self._config = _CONFIG / name
        self._bank = self._config / "bank0"
        self._bank.mkdir(parents=True)
        (self._bank / "num_lines").write_text(str(len(lines)))
        for offset, line in enumerate(lines):
            (self._bank / f"line{offset}").mkdir()
            (self._bank / f"line{offset}" / "name").write_text(line)
        (self._config / "live").write_text("1")
        chip = (self._bank / "chip_name").read_text().strip()
        device = (self._config / "dev_name").read_text().strip()
        self.path = Path("/dev") / chip
        self._offsets = {line: offset for offset, line in enumerate(lines)}
        self._closed = False
        self._lines = Path("/sys/devices/platform") / device / chip

    def drive(self, line: str, high: bool) -> None:
        """What stands outside pulls the line: an input reads it, with an edge that the kernel stamps."""
        (self._line(line) / "pull").write_text("pull-up" if high else "pull-down")

    def level(self, line: str) -> bool:
        """What the line carries, driven by the program or pulled from outside."""
        return (self._line(line) / "value").read_text().strip() == "1"

    def _line(self, line: str) -> Path:
        return self._lines / f"sim_gpio{self._offsets[line]}"

    def close(self) -> None:
        """Take the chip away, as a board that is unplugged; fine when it is gone."""
        if self._closed:
            return
        self._closed = True
        (self._config / "live").write_text("0")
        for offset in range(len(self._offsets)):
            (self._bank / f"line{offset}").rmdir()
        self._bank.rmdir()
        self._config.rmdir()
