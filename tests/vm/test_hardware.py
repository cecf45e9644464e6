"""The simulated hardware does what it says; what the doors are tested with must not lie."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.vm.gpio import GpioSim

pytestmark = pytest.mark.vm


def test_a_line_has_the_level_that_is_pulled(gpio_sim: Callable[[str, Sequence[str]], GpioSim]) -> None:
    chip = gpio_sim("board", ["button", "led"])
    assert chip.path.is_char_device()
    for level in (True, False, True):
        chip.drive("button", level)
        assert chip.level("button") is level
    chip.close()
    assert not chip.path.exists()
    gpio_sim("board", ["button"])


def test_two_chips_stand_side_by_side(gpio_sim: Callable[[str, Sequence[str]], GpioSim]) -> None:
    one, two = gpio_sim("one", ["a", "b"]), gpio_sim("two", ["a"])
    one.drive("b", True)
    assert one.path != two.path
    assert [one.level("a"), one.level("b"), two.level("a")] == [False, True, False]


def test_the_loopback_is_a_sound_card(loopback: str) -> None:
    (card,) = [p for p in Path("/sys/class/sound").glob("card*/id") if p.read_text().strip() == loopback]
    assert {p.name[-1] for p in card.parent.glob("pcmC*D*p")} == {"p"}
