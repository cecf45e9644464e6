"""How button and lamp are wired, and what a board tells beside edges. Plain values."""

from dataclasses import dataclass

from gateway.panel.lamps import Kind


@dataclass(frozen=True, slots=True)
class Wiring:
    """Lines of one GPIO chip (empty name: that of the board's header). `lamp` None or no `button_pin`: there
    is none. `lamp_pins`: (lamp,), (green, red) or (red, green, blue)."""

    gpiochip: str = ""
    button_pin: int | None = None
    button_active_low: bool = True
    lamp: Kind | None = None
    lamp_pins: tuple[int, ...] = ()
    lamp_active_low: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """What worked does not work any more; a sentence."""

    sentence: str
