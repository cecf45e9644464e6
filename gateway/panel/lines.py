"""Door to the lines of a GPIO chip: a pin factory for gpiozero over gpiod, which has wheels where lgpio has
none, and whose edges bear the kernel's monotonic time.

A pin is the offset of its line. Nothing here has a thread: edges arrive when `read` is called, which is due
whenever the descriptor of a pin is readable. Every refusal is a DoorError that names chip, line and remedy.
"""

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import gpiod
from gpiod.line import Bias, Clock, Direction, Edge, Value
from gpiozero.exc import GPIOPinInUse, PinInvalidFunction, PinInvalidPull, PinSetInput
from gpiozero.pins import Factory, Pin, PinInfo

from gateway.errors import DoorError

DEVICES: Final = Path("/dev")
CONSUMER: Final = "steadyline"
HEADERS: Final = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Labels of the chips that serve the pin header of a Raspberry Pi: 5, 4, and those before."""

_BIAS: Final = {"floating": Bias.DISABLED, "up": Bias.PULL_UP, "down": Bias.PULL_DOWN}
_EDGES: Final = {"none": Edge.NONE, "rising": Edge.RISING, "falling": Edge.FALLING, "both": Edge.BOTH}
_WHERE: Final = "panel"


def find_chip(devices: Path = DEVICES) -> Path:
    """The chip of the board's pin header, else the only chip there is. Raises DoorError."""
    chips = sorted(devices.glob("gpiochip*"))
    labels: dict[str, Path] = {}
    for path in chips:
        with _open(path) as chip:
            labels.setdefault(chip.get_info().label, path)
    for label in HEADERS:
        if label in labels:
            return labels[label]
    if len(chips) == 1:
        return chips[0]
    if not chips:
        raise DoorError(
            "this machine has no GPIO chip",
            where=_WHERE,
            remedy="Leave button and lamp out of the settings",
        )
    names = ", ".join(path.name for path in chips)
    raise DoorError(
        f"this machine has several GPIO chips ({names})",
        where="panel.gpiochip",
        remedy="Name the one that button and lamp are wired to; gpioinfo shows their lines",
    )


def _open(path: Path) -> gpiod.Chip:
    try:
        return gpiod.Chip(str(path))
    except FileNotFoundError as error:
        raise DoorError(
            f"there is no GPIO chip {path.name}",
            where="panel.gpiochip",
            remedy="Name one that gpiodetect lists, or leave it empty for the board's own",
        ) from error
    except OSError as error:
        raise DoorError(
            f"the GPIO chip {path.name} cannot be opened: {error.strerror or error}",
            where=_WHERE,
            remedy="Check that the daemon may use it: ls -l /dev/gpiochip*",
        ) from error


class LineFactory(Factory):  # type: ignore[misc]  # gpiozero has no types
    """Pins of one chip. `path`: its device; None: the one of the board's header. Raises DoorError."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self.path = path or find_chip()
        self.chip = _open(self.path)
        self._pins: dict[int, LinePin] = {}

    def pin(self, name: int) -> "LinePin":
        """The same object for the same line, as gpiozero wants it."""
        if name not in self._pins:
            count = self.chip.get_info().num_lines
            if not 0 <= name < count:
                raise DoorError(
                    f"{self.path.name} has no line {name}, only 0 to {count - 1}",
                    where=_WHERE,
                    remedy="Name the line that it is wired to; gpioinfo shows them",
                )
            self._pins[name] = LinePin(self, name)
        return self._pins[name]

    def reserve_pins(self, requester: Any, *names: int) -> None:
        """One device a line; gpiozero would ask a description of the board, which most boards have not."""
        for name in names:
            if name in self._reservations:
                raise GPIOPinInUse(f"line {name} is in use already")
            self._reservations[name].append(requester)

    def release_pins(self, reserver: Any, *names: int | str) -> None:
        for name in map(int, names):
            self._reservations.pop(name, None)
            self._pins.pop(name, None)

    def close(self) -> None:
        for pin in list(self._pins.values()):
            pin.close()
        self._pins.clear()
        self.chip.close()

    @staticmethod
    def ticks() -> float:
        """Monotonic seconds, as in the kernel's edges."""
        return time.monotonic()

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        return later - earlier


class LinePin(Pin):  # type: ignore[misc]
    """One line, requested from the kernel while it is in use, so that nobody else can take it."""

    def __init__(self, factory: LineFactory, offset: int) -> None:
        self._factory = factory
        self._offset = offset
        self._request: gpiod.LineRequest | None = None
        self._function = "input"
        self._pull = "floating"
        self._edges = "none"
        self._when_changed: Callable[[float, int], None] | None = None

    def __repr__(self) -> str:
        return f"line {self._offset} of {self._factory.path.name}"

    def close(self) -> None:
        self._when_changed = None
        if self._request is not None:
            self._request.release()
            self._request = None

    def fileno(self) -> int:
        """Readable when an edge waits; valid while the pin is open."""
        assert self._request is not None
        return self._request.fd

    def read(self) -> None:
        """Hand on the edges that wait. Raises OSError when the chip is gone."""
        assert self._request is not None
        for event in self._request.read_edge_events():
            if self._when_changed is not None:
                rising = event.event_type is event.Type.RISING_EDGE
                self._when_changed(event.timestamp_ns / 1e9, int(rising))

    def output_with_state(self, state: bool) -> None:
        """Output from the first moment with this level: no blip where low means lit."""
        self._function = "output"
        self._apply(Value(int(bool(state))))

    def _apply(self, value: Value = Value.INACTIVE) -> None:
        output = self._function == "output"
        settings = gpiod.LineSettings(
            direction=Direction.OUTPUT if output else Direction.INPUT,
            bias=Bias.AS_IS if output else _BIAS[self._pull],
            edge_detection=Edge.NONE if output else _EDGES[self._edges],
            event_clock=Clock.MONOTONIC,
            output_value=value,
        )
        try:
            if self._request is None:
                self._request = self._factory.chip.request_lines({self._offset: settings}, consumer=CONSUMER)
            else:
                self._request.reconfigure_lines({self._offset: settings})
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> DoorError:
        if error.errno == errno.EBUSY:
            holder = self._factory.chip.get_line_info(self._offset).consumer or "somebody else"
            return DoorError(
                f"{self!r} is in use by {holder}",
                where=_WHERE,
                remedy="Free it (a dtoverlay of the board may hold it), or wire another line",
            )
        return DoorError(
            f"{self!r} refused: {error.strerror or error}",
            where=_WHERE,
            remedy="Check chip and line in the settings; gpioinfo shows what each line can do",
        )

    # --- what gpiozero asks (its properties call these) ---------------------------------------------

    def _get_info(self) -> PinInfo:
        return PinInfo(self._offset, str(self._offset), frozenset({str(self._offset)}), "", 0, 0, {"gpio"})

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f"{self!r} can be input or output, not {value}")
        self._function = value
        self._apply()

    def _get_state(self) -> int:
        assert self._request is not None
        return int(self._request.get_value(self._offset) is Value.ACTIVE)

    def _set_state(self, value: float) -> None:
        if self._function != "output" or self._request is None:
            raise PinSetInput(f"{self!r} is an input")
        try:
            self._request.set_value(self._offset, Value(int(bool(value))))
        except OSError as error:
            raise self._refused(error) from error

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if value not in _BIAS:
            raise PinInvalidPull(f"{self!r} can be pulled up, down or not at all, not {value}")
        self._pull = value
        self._apply()

    def _set_bounce(self, value: float | None) -> None:
        """The gestures settle contacts, with a table that can be tested; the kernel's way is not used."""

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        self._edges = value
        self._apply()

    def _get_when_changed(self) -> Callable[[float, int], None] | None:
        return self._when_changed

    def _set_when_changed(self, value: Callable[[float, int], None] | None) -> None:
        self._when_changed = value
