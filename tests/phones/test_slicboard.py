"""The board file: what it says, and what each mistake is told as."""

from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.phones.slicboard import Pwm, parse

SOUND = """
name = "Two ports"
chip = "header"
[[ports]]
number = 1
card = "slic1"
hook = 17
ring = 27
polarity = 22
power_down = 23
inverted = ["hook"]
pull = "up"
[[ports]]
number = 2
card = "slic2"
hook = "GPIO5"
ring = 6
pwm = { chip = "pwmchip0", channel = 0 }
"""


def test_a_sound_file() -> None:
    board = parse(SOUND, "board.toml")
    one, two = board.ports
    assert (board.name, board.chip) == ("Two ports", "header")
    assert (one.hook, one.ring, one.polarity, one.power_down) == (17, 27, 22, 23)
    assert (one.inverted, one.pull, one.card, one.pwm) == (frozenset({"hook"}), "up", "slic1", None)
    assert (two.hook, two.polarity, two.power_down, two.pwm) == ("GPIO5", None, None, Pwm("pwmchip0", 0))
    assert two.pull == "none"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "Two ports"', "", "name: a word is missing"),
        ('chip = "header"', "chip = 4", "chip: a word is missing"),
        ('chip = "header"', 'chip = "header"\ncolour = "red"', "colour: no such word"),
        ("number = 1", "number = 9", "ports.1.number: a port is numbered 1 to 8"),
        ("number = 1", "number = true", "ports.1.number"),
        ("number = 2", "number = 1", "number 1 is port 1 (number)'s"),
        ('card = "slic2"', 'card = "slic1"', "sound card slic1 is port 1 (card)'s"),
        ('card = "slic2"', 'card = "hw:2,0"', "ports.2.card: the id of a sound card is missing"),
        ("hook = 17", "", "ports.1.hook: a pin is missing"),
        ("hook = 17", "hook = -1", "ports.1.hook: a pin is missing"),
        ("hook = 17", "hook = true", "ports.1.hook: a pin is missing"),
        ("ring = 6", "ring = 27", "pin 27 is port 1 (ring)'s"),
        ("ring = 6", "ring = 17", "pin 17 is port 1 (hook)'s"),
        ("polarity = 22", "", "ports.1.polarity: a pin is missing"),
        ("ring = 6", "ring = 6\npolarity = 7", "F/R cannot hang on a pin and on PWM"),
        ("channel = 0 }", "channel = 0, x = 1 }", "ports.2.pwm: this is no PWM channel"),
        ('chip = "pwmchip0", ', "", "ports.2.pwm: this is no PWM channel"),
        ('"pwmchip0"', '"../../etc"', "ports.2.pwm: this is no PWM channel"),
        ('["hook"]', '["bell"]', "ports.1.inverted: not all of these are wires"),
        ('"up"', '"sideways"', "ports.1.pull: 'sideways' is no pull"),
        ("ring = 27", "ring = 27\nvolume = 3", "ports.1.volume: no such word"),
    ],
)
def test_each_mistake_is_told_with_its_place(old: str, new: str, told: str) -> None:
    assert old in SOUND
    with pytest.raises(SettingsError) as caught:
        parse(SOUND.replace(old, new, 1), "board.toml")
    assert told in str(caught.value)
    assert str(caught.value).startswith("board.toml: ")


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(SOUND.replace("hook = 17", "").replace("ring = 6", "").replace('"up"', "7"), "board.toml")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("text", ["", "ports = 3", "[[ports]]\n" * 9, "ports = [1]", "this is [not toml"])
def test_no_board_at_all(text: str) -> None:
    with pytest.raises(SettingsError):
        parse(text, "board.toml")


def test_the_boards_that_we_ship_are_sound() -> None:
    files = sorted((Path(__file__).resolve().parents[2] / "image" / "boards").glob("*.toml"))
    assert files
    for file in files:
        assert len(parse(file.read_text(), str(file)).ports) >= 2
