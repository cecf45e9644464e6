"""Door: the wires of a SLIC board on a GPIO chip (gpiod), and PWM channels of sysfs. Edges bear kernel time.

What becomes of an output when its line is let go of is the chip's affair: pinctrl-bcm2835 makes it an input
again, Raspberry Pi's kernels keep its level unless dtparam=strict_gpiod is set. So nobody relies on it: RM is
driven low before it is let go of, whoever comes next drives it low first (`silence`), and the board has a
resistor that pulls RM low (10 kohm), which alone counts while the machine boots or hangs.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import gpiod
from gpiod.line import Bias, Clock, Direction, Value
from gpiod.line import Edge as Edges

from gateway.errors import DoorError
from gateway.phones.card import Wire
from gateway.phones.hook import Edge
from gateway.phones.slicboard import Board, Pin, PortPins, Pwm

CONSUMER: Final = "steadyline-phones"
DEVICES: Final = Path("/dev")
PWM: Final = Path("/sys/class/pwm")
HEADERS: Final = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Labels of the chips that serve the pin header of a Raspberry Pi: 5, 4, and those before."""

_BIAS: Final = {"none": Bias.AS_IS, "up": Bias.PULL_UP, "down": Bias.PULL_DOWN}
_REST: Final = {"ring": False, "polarity": True, "power_down": False}
_WIRES: Final[dict[Wire, str]] = {"rm": "ring", "fr": "polarity", "pd": "power_down"}


class GpioWires:
    """All wires of a board, requested at once: at rest, with ring mode low, from the first moment on.

    Raises DoorError when chip or line cannot be had.
    """

    def __init__(self, board: Board, devices: Path = DEVICES, pwm: Path = PWM) -> None:
        self._ports = {port.number: port for port in board.ports}
        self._chip = _open(board.chip, devices)
        self._closing = contextlib.ExitStack()
        self._closing.callback(self._chip.close)
        try:
            self._hooks: dict[int, int] = {}
            self._outputs: dict[tuple[int, str], int] = {}
            for port in board.ports:
                self._hooks[self._offset(port.hook, port, "hook")] = port.number
                for name in _REST:
                    pin: Pin | None = getattr(port, name)
                    if pin is not None:
                        self._outputs[port.number, name] = self._offset(pin, port, name)
            self._out = self._request(self._output_settings())
            self._closing.callback(self._out.release)
            self._in = self._request(self._input_settings())
            self._closing.callback(self._in.release)
            self._pwm = {port.number: PwmChannel(port.pwm, pwm) for port in board.ports if port.pwm}
        except BaseException:
            self._closing.close()
            raise

    def _offset(self, pin: Pin, port: PortPins, wire: str) -> int:
        try:
            offset: int = self._chip.line_offset_from_id(pin)
        except (OSError, ValueError):
            offset = -1
        if not 0 <= offset < self._chip.get_info().num_lines:
            raise DoorError(
                f"{self._chip.path} has no line {pin}",
                where=f"port {port.number}, {wire}",
                remedy="Take the number or name of a line that gpioinfo lists",
            )
        return offset

    def _output_settings(self) -> dict[int, gpiod.LineSettings]:
        return {
            offset: gpiod.LineSettings(
                direction=Direction.OUTPUT,
                active_low=name in self._ports[number].inverted,
                output_value=Value(int(_REST[name])),
            )
            for (number, name), offset in self._outputs.items()
        }

    def _input_settings(self) -> dict[int, gpiod.LineSettings]:
        return {
            offset: gpiod.LineSettings(
                direction=Direction.INPUT,
                edge_detection=Edges.BOTH,
                bias=_BIAS[self._ports[number].pull],
                active_low="hook" in self._ports[number].inverted,
                event_clock=Clock.MONOTONIC,
            )
            for offset, number in self._hooks.items()
        }

    def _request(self, settings: dict[int, gpiod.LineSettings]) -> gpiod.LineRequest:
        try:
            # Room for the bounce of every port while a busy machine looks away.
            return self._chip.request_lines(
                {(offset,): how for offset, how in settings.items()}, consumer=CONSUMER, event_buffer_size=256
            )
        except OSError as error:
            held = [self._chip.get_line_info(offset) for offset in settings]
            names = ", ".join(f"{line.offset} ({line.consumer})" for line in held if line.used)
            in_use = f"; in use: {names}" if names else ""
            raise DoorError(
                f"{self._chip.path} refuses its lines: {error.strerror}{in_use}",
                where="wires of the analog ports",
                remedy="Free them, or name others in the board file",
            ) from error

    def fileno(self) -> int:
        """Readable when an edge waits."""
        fd: int = self._in.fd
        return fd

    def levels(self) -> dict[int, bool]:
        """The hook contact of each port, now: True when closed."""
        values = self._in.get_values(list(self._hooks))
        return {
            number: value is Value.ACTIVE for number, value in zip(self._hooks.values(), values, strict=True)
        }

    def edges(self) -> Iterator[tuple[int, Edge]]:
        """(port, edge) of those that wait; blocks when none does."""
        for event in self._in.read_edge_events():
            closed = event.event_type is event.Type.RISING_EDGE
            yield self._hooks[event.line_offset], Edge(closed, event.timestamp_ns / 1e9)

    def drive(self, number: int, wire: Wire, high: bool) -> None:
        """Set a control wire; one that the port has not is passed over."""
        offset = self._outputs.get((number, _WIRES[wire]))
        if offset is not None:
            self._out.set_value(offset, Value(int(high)))
        elif wire == "fr" and number in self._pwm:
            self._pwm[number].level(high)

    def swing(self, number: int, hz: float) -> None:
        """F/R by hardware at this frequency; 0: it stands still."""
        if number in self._pwm:
            self._pwm[number].swing(hz)

    def close(self) -> None:
        """Ring mode low everywhere, then let go of the lines."""
        with contextlib.suppress(OSError):
            for number in self._ports:
                self.swing(number, 0.0)
        with contextlib.suppress(OSError, ValueError, gpiod.RequestReleasedError):
            rings: dict[int | str, Value] = {
                offset: Value.INACTIVE for (_, name), offset in self._outputs.items() if name == "ring"
            }
            self._out.set_values(rings)
        self._closing.close()


class PwmChannel:
    """One channel of sysfs; its pin is muxed to it by a dtoverlay. Raises DoorError when it is not there."""

    def __init__(self, which: Pwm, root: Path = PWM) -> None:
        self._path = root / which.chip / f"pwm{which.channel}"
        self._period_ns = 0
        try:
            if not self._path.is_dir():
                (root / which.chip / "export").write_text(str(which.channel))
            (self._path / "period").read_text()
        except OSError as error:
            raise DoorError(
                f"{which.chip} has no channel {which.channel} for us: {error.strerror}",
                where=str(self._path),
                remedy="Load its dtoverlay (pwm), and let the phones' user write to it",
            ) from error
        self._period(1_000_000)
        self.level(True)

    def level(self, high: bool) -> None:
        """Stand still at one level: all of the period, or nothing of it."""
        self._set("duty_cycle", self._period_ns if high else 0)
        self._set("enable", 1)

    def swing(self, hz: float) -> None:
        """A square wave; 0: the next `level` says where it stands."""
        if hz:
            self._period(round(1e9 / hz))
            self._set("duty_cycle", self._period_ns // 2)
            self._set("enable", 1)

    def _period(self, ns: int) -> None:
        # The kernel refuses a period below the duty cycle.
        self._set("duty_cycle", 0)
        self._set("period", ns)
        self._period_ns = ns

    def _set(self, name: str, value: int) -> None:
        (self._path / name).write_text(str(value))


def silence(board: Board, devices: Path = DEVICES) -> None:
    """Drive every ring mode low, after a process that held the wires is gone. Raises DoorError."""
    GpioWires(board, devices).close()


def _open(name: str, devices: Path) -> gpiod.Chip:
    """By name, label or path; "header": that of the pin header, else the only one there is."""
    paths = sorted(devices.glob("gpiochip*"))
    labels: dict[str, Path] = {}
    for path in paths:
        with contextlib.suppress(OSError), gpiod.Chip(str(path)) as chip:
            labels.setdefault(chip.get_info().label, path)
            labels.setdefault(path.name, path)
            labels.setdefault(str(path), path)
    found = labels.get(name)
    if name == "header":
        found = next((labels[label] for label in HEADERS if label in labels), None)
        found = found or (paths[0] if len(paths) == 1 else None)
    if found is None:
        known = ", ".join(sorted(label for label in labels if not label.startswith("/"))) or "none"
        raise DoorError(
            f"there is no GPIO chip {name} that may be opened",
            where="chip of the board file",
            remedy=f"Name one of these: {known}",
        )
    return gpiod.Chip(str(found))
