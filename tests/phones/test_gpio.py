"""The door to the wires where no chip is needed: PWM channels as sysfs has them, chips that are not there.

What needs a chip is in test_slic.py, over a simulated one.
"""

from pathlib import Path

import pytest

from gateway.errors import DoorError
from gateway.phones import gpio, linecard
from gateway.phones.gpio import PwmChannel
from gateway.phones.slicboard import Pwm, parse

BOARDS = Path(__file__).resolve().parents[2] / "image" / "boards"


class Channel:
    """A channel of /sys/class/pwm; `period` may not be below `duty_cycle`, as in the kernel."""

    def __init__(self, root: Path) -> None:
        self.path = root / "pwmchip0" / "pwm1"
        self.path.mkdir(parents=True)
        for name in ("enable", "period", "duty_cycle"):
            (self.path / name).write_text("0")

    def read(self, name: str) -> int:
        return int((self.path / name).read_text())


def test_a_channel_stands_still_swings_and_stands_still(tmp_path: Path) -> None:
    sysfs = Channel(tmp_path)
    channel = PwmChannel(Pwm("pwmchip0", 1), tmp_path)
    assert sysfs.read("enable") == 1
    assert sysfs.read("duty_cycle") == sysfs.read("period") > 0
    channel.swing(25.0)
    assert (sysfs.read("period"), sysfs.read("duty_cycle")) == (40_000_000, 20_000_000)
    channel.swing(0.0)
    channel.level(False)
    assert sysfs.read("duty_cycle") == 0
    channel.level(True)
    assert sysfs.read("duty_cycle") == sysfs.read("period") == 40_000_000


def test_a_channel_that_is_not_there_names_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(DoorError, match="Load its dtoverlay"):
        PwmChannel(Pwm("pwmchip7", 0), tmp_path)


def test_chips_that_are_not_there_are_told(tmp_path: Path) -> None:
    board = parse((BOARDS / "ag1171-pi.toml").read_text(), "board")
    with pytest.raises(DoorError, match="there is no GPIO chip header"):
        gpio.GpioWires(board, devices=tmp_path)
    with pytest.raises(DoorError, match="Name one of these: none"):
        gpio.silence(board, devices=tmp_path)


def test_silencing_says_why_it_could_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "board.toml"
    file.write_text((BOARDS / "ag1171-pi.toml").read_text().replace('"header"', '"nobodys-chip"'))
    assert linecard.main(["--silence", str(file)]) == 1
    assert "there is no GPIO chip nobodys-chip" in capsys.readouterr().err
    assert linecard.main(["--silence", str(tmp_path / "none.toml")]) == 1
