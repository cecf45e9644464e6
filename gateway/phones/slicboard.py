"""The board file: which pins, which way round and which sound card each analog port has. TOML; pure.

name = "Two Ag1171 on a Pi"
chip = "header"            # the pin header; or a chip's name or label, as gpiodetect shows them

[[ports]]
number = 1                 # as printed beside the socket
card = "slic1"             # ALSA card id of its codec (cat /proc/asound/cards)
hook = 17                  # SHK: the number of the line, or its name
ring = 27                  # RM
polarity = 22              # F/R, by software; or by hardware:
# pwm = { chip = "pwmchip0", channel = 0 }
power_down = 23            # PD; may be left out
inverted = ["hook"]        # wires that mean the opposite of high
pull = "none"              # of the hook contact: none, up or down
"""

import tomllib
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.errors import Problem, SettingsError

MOST_PORTS: Final = 8
Pull = Literal["none", "up", "down"]
Pin = int | str

_WIRES: Final = ("hook", "ring", "polarity", "power_down")
_PULLS: Final[dict[str, Pull]] = {"none": "none", "up": "up", "down": "down"}
_KEYS: Final = {"number", "card", "pwm", "inverted", "pull", *_WIRES}


@dataclass(frozen=True, slots=True)
class Pwm:
    """A channel below /sys/class/pwm."""

    chip: str
    channel: int


@dataclass(frozen=True, slots=True)
class PortPins:
    """One port. `polarity` None: `pwm` swings it. `power_down` None: it always feeds."""

    number: int
    card: str
    hook: Pin
    ring: Pin
    polarity: Pin | None
    power_down: Pin | None
    pwm: Pwm | None
    inverted: frozenset[str]
    pull: Pull


@dataclass(frozen=True, slots=True)
class Board:
    """A board with analog ports."""

    name: str
    chip: str
    ports: tuple[PortPins, ...]


def parse(text: str, source: str) -> Board:
    """A board from its file. Raises SettingsError with every problem at once."""
    problems: list[Problem] = []
    try:
        raw: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fault = Problem("board", 0, f"this is not TOML ({error})", "Mend the line")
        raise SettingsError(source, (fault,)) from None

    def wrong(path: str, what: str, remedy: str) -> None:
        problems.append(Problem(path, 0, what, remedy))

    for key in sorted(raw.keys() - {"name", "chip", "ports"}):
        wrong(key, "no such word", "A board has name, chip and ports")
    for key in ("name", "chip"):
        if not isinstance(raw.get(key), str) or not raw[key]:
            wrong(key, "a word is missing", f'Say {key} = "…"')
    listed = raw.get("ports")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_PORTS:
        wrong("ports", "a board has 1 to 8 ports", "Give each one its [[ports]]")
        listed = []
    ports = [_port(entry, f"ports.{place}", wrong) for place, entry in enumerate(listed, 1)]
    _unlike([port for port in ports if port is not None], wrong)
    if problems:
        raise SettingsError(source, tuple(problems))
    return Board(raw["name"], raw["chip"], tuple(port for port in ports if port is not None))


def _port(entry: Any, path: str, wrong: Any) -> PortPins | None:
    if not isinstance(entry, dict):
        wrong(path, "this is no table", "Write [[ports]] above its lines")
        return None
    for key in sorted(entry.keys() - _KEYS):
        wrong(f"{path}.{key}", "no such word", f"A port has {', '.join(sorted(_KEYS))}")
    number, card = entry.get("number"), entry.get("card")
    if type(number) is not int or not 1 <= number <= MOST_PORTS:
        wrong(f"{path}.number", "a port is numbered 1 to 8", "Take what is printed beside its socket")
    if not isinstance(card, str) or not card or not card.replace("_", "").replace("-", "").isalnum():
        wrong(
            f"{path}.card", "the id of a sound card is missing", "cat /proc/asound/cards shows it in brackets"
        )
    for wire in _WIRES:
        pin = entry.get(wire)
        if pin is None and (wire == "power_down" or (wire == "polarity" and "pwm" in entry)):
            continue
        if type(pin) is not int or pin < 0:
            if not isinstance(pin, str) or not pin:
                wrong(
                    f"{path}.{wire}",
                    "a pin is missing",
                    "Give the line's number or name; gpioinfo lists them",
                )
    pwm = entry.get("pwm")
    if pwm is not None:
        sound = isinstance(pwm, dict) and pwm.keys() == {"chip", "channel"} and type(pwm["channel"]) is int
        if not sound or not isinstance(pwm["chip"], str) or not pwm["chip"] or "/" in pwm["chip"]:
            wrong(f"{path}.pwm", "this is no PWM channel", 'Write { chip = "pwmchip0", channel = 0 }')
        if "polarity" in entry:
            wrong(f"{path}.polarity", "F/R cannot hang on a pin and on PWM", "Leave one of the two out")
    inverted = entry.get("inverted", [])
    if not isinstance(inverted, list) or not set(map(str, inverted)) <= set(_WIRES):
        wrong(f"{path}.inverted", "not all of these are wires", f"Name some of {', '.join(_WIRES)}")
        inverted = []
    pull = entry.get("pull", "none")
    if pull not in _PULLS:
        wrong(f"{path}.pull", f"{pull!r} is no pull", "Say none, up or down")
        pull = "none"
    try:
        return PortPins(
            number=entry["number"],
            card=entry["card"],
            hook=entry["hook"],
            ring=entry["ring"],
            polarity=entry.get("polarity"),
            power_down=entry.get("power_down"),
            pwm=Pwm(pwm["chip"], pwm["channel"]) if pwm is not None else None,
            inverted=frozenset(map(str, inverted)),
            pull=_PULLS[pull],
        )
    except (KeyError, TypeError):
        return None


def _unlike(ports: list[PortPins], wrong: Any) -> None:
    """No number, card, pin or PWM channel twice."""
    seen: dict[tuple[str, Any], str] = {}
    for port in ports:
        where = f"port {port.number}"
        pins = {wire: getattr(port, wire) for wire in _WIRES}
        uses = [
            ("number", port.number, "number"),
            ("sound card", port.card, "card"),
            ("PWM channel", port.pwm, "pwm"),
        ]
        uses += [("pin", pin, wire) for wire, pin in pins.items()]
        for kind, value, key in uses:
            if value is None:
                continue
            if (kind, value) in seen:
                wrong(f"{where}.{key}", f"{kind} {value} is {seen[kind, value]}'s", "Give each port its own")
            seen.setdefault((kind, value), f"{where} ({key})")
