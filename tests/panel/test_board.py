"""One suite over every board: gpiozero's mock pins, our pin factory over lines that a test pretends, and the
same over a chip that the kernel simulates (in the virtual machine)."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from gpiozero.pins.mock import MockFactory

from gateway.errors import DoorError
from gateway.inbox import Inbox
from gateway.panel.board import Board, line_factory
from gateway.panel.gestures import Edge
from gateway.panel.lamps import Lights
from gateway.panel.lines import CONSUMER
from gateway.panel.wiring import Broken, Wiring
from tests.vm.gpio import GpioSim

BUTTON, LEDS = 4, (1, 2, 3)
WIRED = Wiring(button_pin=BUTTON, lamp="rgb", lamp_pins=LEDS)
UPSIDE_DOWN = Wiring(
    button_pin=BUTTON, button_active_low=False, lamp="two", lamp_pins=(1, 2), lamp_active_low=True
)


class Bench(Protocol):
    """What is outside the box: somebody who drives the line of the button and looks at those of the LEDs."""

    def pins(self, chip: str) -> Any: ...

    def drive(self, pin: int, high: bool) -> None: ...

    def level(self, pin: int) -> bool: ...


class Mocked:
    """gpiozero's own fake of a Raspberry Pi."""

    def __init__(self) -> None:
        self._factory = MockFactory()

    def pins(self, chip: str) -> Any:
        return self._factory

    def drive(self, pin: int, high: bool) -> None:
        line = self._factory.pin(pin)
        line.drive_high() if high else line.drive_low()

    def level(self, pin: int) -> bool:
        return bool(self._factory.pin(pin).state)


class Simulated:
    """A chip of the kernel's gpio-sim."""

    def __init__(self, chip: GpioSim) -> None:
        self.chip = chip

    def pins(self, chip: str) -> Any:
        return line_factory(self.chip.path.name)

    def drive(self, pin: int, high: bool) -> None:
        self.chip.drive(f"l{pin}", high)

    def level(self, pin: int) -> bool:
        return self.chip.level(f"l{pin}")


MakeChip = Callable[[str, Sequence[str]], GpioSim]


@pytest.fixture(params=["mock", pytest.param("kernel", marks=pytest.mark.vm)])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "mock":
        return Mocked()
    make: MakeChip = request.getfixturevalue("gpio_sim")
    return Simulated(make("panel", [f"l{n}" for n in range(8)]))


class Room:
    """An open board and what it posts."""

    def __init__(self, bench: Bench, wiring: Wiring) -> None:
        self.inbox = Inbox[Edge | Broken]()
        self.bench = bench
        self.board = Board(self.inbox, wiring, bench.pins)

    async def next(self) -> Edge | Broken | None:
        return await self.inbox.next(until=asyncio.get_running_loop().time() + 10)

    async def edge(self, high: bool) -> Edge:
        """Drive the button's line; the edge that comes of it, stamped between then and now."""
        clock = asyncio.get_running_loop().time
        began = clock()
        self.bench.drive(BUTTON, high)
        edge = await self.next()
        assert isinstance(edge, Edge) and began <= edge.at <= clock()
        return edge


def play(bench: Bench, wiring: Wiring, scene: Callable[[Room], Awaitable[None]]) -> None:
    async def main() -> None:
        room = Room(bench, wiring)
        try:
            await scene(room)
        finally:
            room.board.close()

    asyncio.run(main())


def test_the_lamp(bench: Bench) -> None:
    async def scene(room: Room) -> None:
        room.board.open_lamp()
        assert not any(bench.level(pin) for pin in LEDS), "dark at first"
        lights: Lights
        for lights in ((True, False, False), (False, True, True), (False, False, False), (True, True, True)):
            room.board.light(lights)
            assert tuple(bench.level(pin) for pin in LEDS) == lights

    play(bench, WIRED, scene)


def test_a_lamp_to_supply(bench: Bench) -> None:
    async def scene(room: Room) -> None:
        room.board.open_lamp()
        assert bench.level(1) and bench.level(2), "dark is high"
        room.board.light((True, False))
        assert not bench.level(1) and bench.level(2)

    play(bench, UPSIDE_DOWN, scene)


def test_the_button(bench: Bench) -> None:
    async def scene(room: Room) -> None:
        assert room.board.open_button() is False, "pulled up, nobody presses"
        edges = [await room.edge(high) for high in (False, True, False, True)]
        assert [edge.pressed for edge in edges] == [True, False, True, False]
        assert edges == sorted(edges, key=lambda edge: edge.at)

    play(bench, WIRED, scene)


def test_a_button_to_supply(bench: Bench) -> None:
    async def scene(room: Room) -> None:
        assert room.board.open_button() is False
        assert [(await room.edge(high)).pressed for high in (True, False)] == [True, False]

    play(bench, UPSIDE_DOWN, scene)


def test_a_board_can_be_opened_again(bench: Bench) -> None:
    async def scene(room: Room) -> None:
        for _ in range(3):
            room.board.open_lamp()
            room.board.open_button()
            room.board.light((True, True, True))
            room.board.close()
        again = Board(room.inbox, WIRED, bench.pins)
        again.open_lamp()
        again.light((False, True, False))
        assert bench.level(2)
        again.close()

    play(bench, WIRED, scene)


def test_a_line_is_used_once(bench: Bench) -> None:
    async def scene(room: Room) -> None:
        room.board.open_button()
        with pytest.raises(DoorError, match="lamp does not work"):
            room.board.open_lamp()
        assert (await room.edge(False)).pressed, "the button goes on"

    play(bench, Wiring(button_pin=BUTTON, lamp="two", lamp_pins=(1, BUTTON)), scene)


# --- what only a kernel can refuse ----------------------------------------------------------------


@pytest.fixture
def chip(gpio_sim: MakeChip) -> Iterator[GpioSim]:
    yield gpio_sim("panel", [f"l{n}" for n in range(8)])


@pytest.mark.vm
def test_a_chip_that_is_not_there(chip: GpioSim) -> None:
    async def scene(room: Room) -> None:
        with pytest.raises(DoorError, match=r"panel\.gpiochip: there is no GPIO chip gpiochip99\."):
            room.board.open_lamp()

    class Missing(Simulated):
        def pins(self, chip: str) -> Any:
            return line_factory("gpiochip99")

    play(Missing(chip), WIRED, scene)


@pytest.mark.vm
def test_a_line_that_is_not_there(chip: GpioSim) -> None:
    async def scene(room: Room) -> None:
        with pytest.raises(DoorError, match="has no line 77, only 0 to 7"):
            room.board.open_button()
        room.board.open_lamp()
        room.board.light((True, False, False))
        assert chip.level("l1"), "the lamp works all the same"

    play(Simulated(chip), Wiring(button_pin=77, lamp="rgb", lamp_pins=LEDS), scene)


@pytest.mark.vm
def test_a_line_that_somebody_else_has(chip: GpioSim) -> None:
    import gpiod

    async def scene(room: Room) -> None:
        with pytest.raises(DoorError, match=f"line {BUTTON} of .* is in use by the-neighbour"):
            room.board.open_button()
        room.board.open_lamp()
        holder = gpiod.Chip(str(chip.path)).get_line_info(LEDS[0])
        assert holder.consumer == CONSUMER, "everybody sees whose it is"

    with gpiod.request_lines(str(chip.path), consumer="the-neighbour", config={BUTTON: None}):
        play(Simulated(chip), WIRED, scene)


@pytest.mark.vm
def test_a_chip_that_is_pulled_out(chip: GpioSim) -> None:
    async def scene(room: Room) -> None:
        room.board.open_lamp()
        room.board.open_button()
        chip.close()
        broken = await room.next()
        assert isinstance(broken, Broken) and broken.sentence.startswith("The button is gone: ")
        with pytest.raises(DoorError):
            room.board.light((True, True, True))

    play(Simulated(chip), WIRED, scene)


@pytest.mark.vm
def test_the_only_chip_is_the_boards_own(chip: GpioSim) -> None:
    factory = line_factory("")
    assert factory.path == chip.path
    factory.close()


@pytest.mark.vm
def test_several_chips_need_a_name(chip: GpioSim, gpio_sim: MakeChip) -> None:
    gpio_sim("other", ["l0"])
    with pytest.raises(DoorError, match="several GPIO chips"):
        line_factory("")


@pytest.mark.skipif(bool(list(Path("/dev").glob("gpiochip*"))), reason="this machine has GPIO")
def test_a_machine_without_gpio() -> None:
    with pytest.raises(DoorError, match="this machine has no GPIO chip"):
        line_factory("")
    with pytest.raises(DoorError, match=r"there is no GPIO chip gpiochip0\. Name one"):
        line_factory("gpiochip0")


@pytest.mark.vm
def test_nothing_is_left_open(chip: GpioSim) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def scene(room: Room) -> None:
        before = descriptors()
        for _ in range(5):
            room.board.open_lamp()
            room.board.open_button()
            room.board.close()
        assert descriptors() == before

    play(Simulated(chip), WIRED, scene)
