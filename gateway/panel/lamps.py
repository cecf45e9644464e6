"""Law: whoever sees no colours can tell the states by their rhythm alone, with every kind of lamp; and
nothing flashes more than three times a second (WCAG 2.2, 2.3.1), not even while one state follows another.

Pure: what to show and the time go in, which LEDs shine and when that changes come out. A line of a GPIO chip
is on or off, so nothing is dimmed. Moments are monotonic seconds.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from gateway.panel.gestures import Band
from gateway.status import Lamp

Colour = Literal["dark", "white", "red", "green", "blue", "amber", "violet"]
Kind = Literal["one", "two", "rgb"]
Lights = tuple[bool, ...]
"""The LEDs in the order of the settings: (lamp,), (green, red) or (red, green, blue)."""

MAX_FLASHES: Final = 3
FLASH_WINDOW_S: Final = 1.0
QUICK_S: Final = 0.17
"""Half of the quickest rhythm: 2.94 flashes a second."""

_LEDS: Final[dict[Kind, dict[Colour, Lights]]] = {
    "one": {
        "dark": (False,),
        **dict.fromkeys(("white", "red", "green", "blue", "amber", "violet"), (True,)),
    },
    "two": {
        "dark": (False, False),
        "white": (True, True),
        "red": (False, True),
        "green": (True, False),
        "blue": (True, True),
        "amber": (True, True),
        "violet": (True, True),
    },
    "rgb": {
        "dark": (False, False, False),
        "white": (True, True, True),
        "red": (True, False, False),
        "green": (False, True, False),
        "blue": (False, False, True),
        "amber": (True, True, False),
        "violet": (True, False, True),
    },
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A rhythm in one colour: seconds lit, dark, lit, … `words`: how a person would say it. Over and over, or
    `once`. An odd number of times: it stays as it is at the end."""

    colour: Colour
    times_s: tuple[float, ...]
    words: str
    once: bool = False

    @property
    def length_s(self) -> float:
        """One turn of the rhythm."""
        return sum(self.times_s)

    def lit(self, at_s: float) -> tuple[bool, float | None]:
        """Whether it is lit `at_s` seconds after it began, and how long it will stay so (None: for ever)."""
        length_s = self.length_s
        if len(self.times_s) == 1 or (self.once and at_s >= length_s):
            return len(self.times_s) % 2 == 1, None
        turn = 0.0 if self.once else at_s // length_s * length_s
        for index, lasts_s in enumerate(self.times_s):
            turn += lasts_s
            if at_s < turn:
                return index % 2 == 0, turn - at_s
        return True, self.times_s[0]  # rounding has put us at the very end of a turn


def _flashes(number: int, lit_s: float, dark_s: float, pause_s: float) -> tuple[float, ...]:
    return (*(lit_s, dark_s) * (number - 1), lit_s, pause_s)


STATES: Final[dict[Lamp, Pattern]] = {
    "starting": Pattern("white", _flashes(1, 0.2, 0.0, 1.8), "one flash, every 2 s"),
    "setup": Pattern("blue", _flashes(2, 0.2, 0.25, 1.35), "two flashes, every 2 s"),
    "recovery": Pattern("red", _flashes(3, 0.2, 0.25, 1.4), "three flashes, every 2.5 s"),
    "main": Pattern("green", (1.0,), "steady"),
    "backup": Pattern("green", (1.8, 0.2), "steady, with a short gap every 2 s"),
    "attention": Pattern("amber", (1.0, 1.0), "slowly on and off, 1 s each"),
    "no_calls": Pattern("red", (QUICK_S, QUICK_S), "quick flashes without a pause"),
    "updating": Pattern("violet", (1.2, 0.3, 0.2, 0.3), "long, short, long, short"),
    "identify": Pattern("blue", _flashes(6, QUICK_S, QUICK_S, 1.2), "six quick flashes, every 3 s"),
}

ASKED: Final = Pattern("white", (0.5, 0.2, 0.5, 0.8), "two long flashes, every 2 s")
"""Somebody at a page or at `gatewayctl` needs the word of somebody at the box: tap."""
RESET_ARMED: Final = Pattern("red", (0.4, 0.2), "on and off, nearly twice a second")
"""A factory reset waits for its tap."""
PRESSED: Final = Pattern("white", (1.0,), "steady")
HELD: Final[dict[Band, Pattern]] = {
    "tap": PRESSED,
    "access": Pattern("blue", _flashes(1, 0.2, 0.2, 0.9), "one flash, again and again"),
    "password": Pattern("violet", _flashes(2, 0.2, 0.2, 0.9), "two flashes, again and again"),
    "reset": Pattern("red", _flashes(3, 0.2, 0.2, 0.9), "three flashes, again and again"),
    "cancel": Pattern("dark", (0.1,), "no light"),
}
"""While the button is held, the lamp counts the band."""


def number(line: int) -> Pattern:
    """The number of the channel in use, told once: `line` flashes after a dark moment; 0: one long light."""
    if line <= 0:
        return Pattern("red", (0.0, 0.8, 1.6, 0.8), "one long light", once=True)
    return Pattern(
        "white", (0.0, 0.8, *_flashes(line, 0.3, 0.4, 1.0)), f"{line} flashes after a dark moment", once=True
    )


class Player:
    """Plays one pattern at a time on a lamp of this kind."""

    def __init__(self, kind: Kind, now: float) -> None:
        self._leds = _LEDS[kind]
        self._pattern = HELD["cancel"]
        self._began = now
        self._lights = self._leds["dark"]
        self._flashes: deque[float] = deque(maxlen=MAX_FLASHES)
        self.due: float | None = None
        """When `at` has something new to say; None: never, unless another pattern is shown."""

    @property
    def ended(self) -> bool:
        """A pattern that is told once has been told."""
        return self._pattern.once and self.due is None

    def show(self, pattern: Pattern, now: float) -> Lights:
        """Play this from now on; the one that is playing goes on undisturbed. Gives the lights now."""
        if pattern != self._pattern:
            self._pattern, self._began = pattern, now
        return self.at(now)

    def at(self, now: float) -> Lights:
        """The lights now; never earlier than the last time."""
        lit, lasts_s = self._pattern.lit(now - self._began)
        # Never a moment that has passed: rounding must not make the reader spin.
        self.due = None if lasts_s is None else now + max(lasts_s, 0.001)
        lights = self._leds[self._pattern.colour if lit else "dark"]
        if any(new and not old for new, old in zip(lights, self._lights, strict=True)):
            # A flash is any LED that was dark and shines, so a change of colour counts as one. Asked late, or
            # for one pattern after another, the rhythm alone would not keep the law.
            allowed = self._flashes[0] + FLASH_WINDOW_S if len(self._flashes) == MAX_FLASHES else now
            if now < allowed:
                self.due = min(allowed, self.due or allowed)
                lights = tuple(new and old for new, old in zip(lights, self._lights, strict=True))
            else:
                self._flashes.append(now)
        self._lights = lights
        return lights
