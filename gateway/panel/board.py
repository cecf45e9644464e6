"""Door to button and lamp: gpiozero's devices over a pin factory, LineFactory unless a test gives another.

Imported only where a panel is wired: gpiozero takes a few megabytes. It decides nothing and starts no thread;
edges go into the room's inbox with the time that the kernel gave them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from gpiozero import LED, DigitalInputDevice
from gpiozero.exc import GPIOZeroError
from gpiozero.pins import Factory

from gateway.errors import DoorError
from gateway.inbox import Post
from gateway.panel.gestures import Edge
from gateway.panel.lamps import Lights
from gateway.panel.lines import DEVICES, LineFactory, LinePin
from gateway.panel.wiring import Broken, Wiring


def line_factory(chip: str) -> Factory:
    """The pins of this chip (`gpiochip0`; empty: that of the board's header). Raises DoorError."""
    return LineFactory(DEVICES / chip if chip else None)


class _Button(DigitalInputDevice):  # type: ignore[misc]  # gpiozero has no types
    """A button of gpiozero tells no times and keeps a thread for holding; this tells times and needs none."""

    def __init__(self, told: Callable[[Edge], None], pin: int, *, pull_up: bool, factory: Factory) -> None:
        self._told: Callable[[Edge], None] = lambda edge: None  # the first call tells the level, not an edge
        super().__init__(pin, pull_up=pull_up, pin_factory=factory)
        self._told = told

    def _fire_events(self, ticks: float, new_active: bool) -> None:
        self._told(Edge(new_active, ticks))


class Board:
    """Open it on the running loop. `pins` makes the factory for a chip's name."""

    def __init__(
        self, inbox: Post[Edge | Broken], wiring: Wiring, pins: Callable[[str], Factory] = line_factory
    ) -> None:
        self._inbox = inbox
        self._wiring = wiring
        self._pins = pins
        self._factory: Factory | None = None
        self._leds: list[Any] = []
        self._button: _Button | None = None
        self._watched: int | None = None

    def open_lamp(self) -> None:
        """Take the LEDs, dark. Raises DoorError; then none is taken."""
        with _refusals("the lamp"):
            try:
                for pin in self._wiring.lamp_pins:
                    lit_high = not self._wiring.lamp_active_low
                    self._leds.append(LED(pin, active_high=lit_high, pin_factory=self._opened()))
            except BaseException:
                self._close_lamp()
                raise

    def open_button(self) -> bool:
        """Take the button; from now on its edges are posted. True: it is down. Raises DoorError."""
        assert self._wiring.button_pin is not None
        with _refusals("the button"):
            self._button = _Button(
                self._inbox.post,
                self._wiring.button_pin,
                pull_up=self._wiring.button_active_low,
                factory=self._opened(),
            )
            pin = self._button.pin
            if isinstance(pin, LinePin):
                self._watched = pin.fileno()
                asyncio.get_running_loop().add_reader(self._watched, self._readable, pin)
            return bool(self._button.is_active)

    def light(self, lights: Lights) -> None:
        """Have these LEDs shine, in the order of the pins. Raises DoorError when the chip is gone."""
        with _refusals("the lamp"):
            for led, lit in zip(self._leds, lights, strict=True):
                led.value = lit

    def close(self) -> None:
        """Dark, and everything given back; fine when it is gone."""
        self._unwatch()
        if self._button is not None:
            self._button.close()
            self._button = None
        self._close_lamp()
        if self._factory is not None:
            self._factory.close()
            self._factory = None

    def _opened(self) -> Factory:
        if self._factory is None:
            self._factory = self._pins(self._wiring.gpiochip)
        return self._factory

    def _close_lamp(self) -> None:
        for led in self._leds:
            with contextlib.suppress(DoorError, OSError, GPIOZeroError):
                led.off()
            led.close()
        self._leds.clear()

    def _readable(self, pin: LinePin) -> None:
        try:
            pin.read()
        except OSError as error:
            self._unwatch()
            self._inbox.post(Broken(f"The button is gone: {error.strerror or error}."))

    def _unwatch(self) -> None:
        if self._watched is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = None


@contextlib.contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Whatever library or kernel object to comes out as a DoorError about `what`."""
    try:
        yield
    except (GPIOZeroError, OSError) as error:
        raise DoorError(
            f"{what} does not work: {error}",
            where="panel",
            remedy="Check chip and pins in the settings; gpioinfo shows them",
        ) from error
