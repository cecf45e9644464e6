"""The analog ports from the handset to the inbox and back: one suite over a world of wires, and over the
lines of a simulated GPIO chip in `make vm`. The process that has the wires is a real one in both."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import pytest

from gateway.errors import DoorError, SettingsError
from gateway.inbox import Inbox
from gateway.phones import gpio
from gateway.phones.card import Burst, Power, Reverse, Stop, Wire
from gateway.phones.model import Digit, DigitBegan, Flash, OffHook, OnHook
from gateway.phones.ports import CardDown, CardUp, FromCard, FromPort, PortSetup
from gateway.phones.pulse import LoopTimes
from gateway.phones.slic import Slic
from gateway.phones.slicboard import parse
from tests.phones.electric import World as FakeWorld
from tests.vm.gpio import GpioSim

NAMES = {"rm": "ring", "fr": "polarity", "pd": "power"}
PATIENCE_S = 60.0
"""An emulated machine is slow to start a process."""


def board(chip: str, ports: int = 2) -> str:
    lines = ['name = "test"', f'chip = "{chip}"']
    for n in range(1, ports + 1):
        lines += ["[[ports]]", f"number = {n}", f'card = "slic{n}"', f'hook = "hook{n}"', f'ring = "ring{n}"']
        lines += [f'polarity = "polarity{n}"', f'power_down = "power{n}"', 'inverted = ["power_down"]']
    return "\n".join(lines)


class World(Protocol):
    """What stands behind the wires."""

    def move(self, port: int, closed: bool) -> None: ...
    async def play(self, port: int, moves: Sequence[tuple[bool, float]]) -> None: ...
    def level(self, port: int, wire: Wire) -> bool: ...
    def unplug(self) -> None: ...
    def slic(self, inbox: Inbox[FromCard], ports: dict[int, PortSetup]) -> Slic: ...
    def close(self) -> None: ...


class Fake(FakeWorld):
    def slic(self, inbox: Inbox[FromCard], ports: dict[int, PortSetup]) -> Slic:
        return Slic(inbox, board("none"), "test", ports, self.start, self.silence)


class Sim:
    """A simulated chip; the power-down wires are inverted."""

    def __init__(self, make: Callable[[str, Sequence[str]], GpioSim]) -> None:
        self._chip = make("slic", [f"{name}{n}" for n in (1, 2) for name in ("hook", *NAMES.values())])

    def move(self, port: int, closed: bool) -> None:
        self._chip.drive(f"hook{port}", closed)

    async def play(self, port: int, moves: Sequence[tuple[bool, float]]) -> None:
        def in_time() -> None:
            at_s = time.monotonic()
            for closed, lasts_s in moves:
                self.move(port, closed)
                at_s += lasts_s
                time.sleep(max(0.0, at_s - time.monotonic()))

        await asyncio.to_thread(in_time)

    def level(self, port: int, wire: Wire) -> bool:
        return self._chip.level(f"{NAMES[wire]}{port}") != (wire == "pd")

    def unplug(self) -> None:
        self._chip.close()

    def slic(self, inbox: Inbox[FromCard], ports: dict[int, PortSetup]) -> Slic:
        return Slic(inbox, board(self._chip.path.name), "test", ports)

    def close(self) -> None:
        pass


Maker = Callable[[], World]


@pytest.fixture(params=["fake", pytest.param("sim", marks=pytest.mark.vm)])
def world(request: pytest.FixtureRequest) -> Maker:
    if request.param == "fake":
        return lambda: Fake(2)
    make = request.getfixturevalue("gpio_sim")
    return lambda: Sim(make)


class Room:
    """The door with its inbox and its world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.inbox: Inbox[FromCard] = Inbox()
        self.slic = world.slic(self.inbox, {n: PortSetup(LoopTimes(), "normal", 25.0) for n in (1, 2)})

    async def next(self, kind: type, port: int = 1) -> object:
        """The next of this kind; what comes before it is passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                said = await self.inbox.next()
                if isinstance(said, FromPort) and said.port == port and isinstance(said.heard, kind):
                    return said.heard
                if isinstance(said, kind):
                    return said

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():  # noqa: ASYNC110  a wire has no event to wait for
                await asyncio.sleep(0.002)

    def rings(self, port: int = 1) -> bool:
        return self.world.level(port, "rm")


@contextlib.asynccontextmanager
async def running(make: Maker, *, up: bool = True) -> AsyncIterator[Room]:
    room = Room(make())
    task = asyncio.create_task(room.slic.run())
    try:
        if up:
            await room.next(CardUp)
        yield room
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        room.world.close()


def live(make: Maker, script: Callable[[Room], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with running(make) as room:
            await script(room)

    asyncio.run(whole())


def test_lifted_and_laid_down_with_stamps_of_when_it_was(world: Maker) -> None:
    async def script(room: Room) -> None:
        before = time.monotonic()
        room.world.move(1, True)
        after = time.monotonic()
        lifted = await room.next(OffHook)
        assert isinstance(lifted, OffHook)
        assert before - 0.01 <= lifted.at_s <= after + 0.01
        await asyncio.sleep(0.2)
        room.world.move(1, False)
        laid = await room.next(OnHook)
        assert isinstance(laid, OnHook)
        assert laid.at_s > after

    live(world, script)


def test_ports_are_not_mixed_up(world: Maker) -> None:
    async def script(room: Room) -> None:
        room.world.move(2, True)
        await room.next(OffHook, port=2)
        room.slic.command(1, Burst(300))
        await room.until(lambda: room.rings(1))
        assert not room.rings(2)
        room.slic.command(2, Burst(300))  # it is lifted: it does not ring
        await room.until(lambda: not room.rings(1))
        assert not room.rings(2)

    live(world, script)


def test_flash_and_pulses(world: Maker) -> None:
    async def script(room: Room) -> None:
        pulses = [(False, 0.05), (True, 0.04)] * 3
        await room.world.play(1, [(True, 0.5), (False, 0.4), (True, 0.3), *pulses, (True, 0.3)])
        await room.next(OffHook)
        await room.next(DigitBegan)
        await room.next(Flash)
        await room.next(DigitBegan)
        digit = await room.next(Digit)
        assert isinstance(digit, Digit)
        assert (digit.key, digit.source) == ("3", "pulse")

    live(world, script)


def test_a_burst_ends_by_itself_and_moves_the_bell(world: Maker) -> None:
    async def script(room: Room) -> None:
        seen = set()

        def look() -> bool:
            seen.add(room.world.level(1, "fr"))
            return room.rings()

        room.slic.command(1, Burst(1000))
        await room.until(look)
        await room.until(lambda: not look())
        assert seen == {True, False}
        await room.until(lambda: room.world.level(1, "fr"))

    live(world, script)


def test_lifting_ends_the_burst(world: Maker) -> None:
    async def script(room: Room) -> None:
        room.slic.command(1, Burst(5000))
        await room.until(room.rings)
        began = time.monotonic()
        room.world.move(1, True)
        await room.next(OffHook)
        await room.until(lambda: not room.rings())
        assert time.monotonic() - began < 4.0

    live(world, script)


def test_stop_reverse_and_power(world: Maker) -> None:
    async def script(room: Room) -> None:
        room.slic.command(1, Burst(5000))
        await room.until(room.rings)
        room.slic.command(1, Reverse(True))
        room.slic.command(1, Stop())
        await room.until(lambda: not room.rings())
        await room.until(lambda: not room.world.level(1, "fr"))
        assert room.world.level(2, "fr")
        room.slic.command(1, Reverse(False))
        await room.until(lambda: room.world.level(1, "fr"))
        room.slic.command(1, Power(False))
        await room.until(lambda: room.world.level(1, "pd"))
        room.slic.command(1, Power(True))
        await room.until(lambda: not room.world.level(1, "pd"))

    live(world, script)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_death_of_the_process_silences_the_bell_and_is_mended(world: Maker, how: signal.Signals) -> None:
    """Stopped is as good as dead: what does not answer is killed."""

    async def script(room: Room) -> None:
        room.slic.command(1, Burst(5000))
        await room.until(room.rings)
        process = room.slic._process
        assert process is not None
        os.kill(process.pid, how)
        down = await room.next(CardDown)
        assert isinstance(down, CardDown)
        assert not room.rings()
        await room.next(CardUp)
        room.world.move(1, True)
        await room.next(OffHook)

    live(world, script)


def test_end_of_the_door_silences_the_bell(world: Maker) -> None:
    async def script() -> None:
        async with running(world) as room:
            room.slic.command(1, Burst(5000))
            await room.until(room.rings)
        assert not room.rings()

    asyncio.run(script())


def test_a_handset_that_is_off_at_the_start_is_told(world: Maker) -> None:
    async def script(room: Room) -> None:
        room.world.move(1, True)
        await room.next(OffHook)
        process = room.slic._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await room.next(CardUp)
        await room.next(OffHook)

    live(world, script)


def test_a_board_that_is_unplugged_is_told_in_words(world: Maker) -> None:
    async def script(room: Room) -> None:
        room.slic.command(1, Burst(300))
        await room.until(room.rings)
        room.world.unplug()
        room.slic.command(1, Burst(300))
        down = await room.next(CardDown)
        assert isinstance(down, CardDown)
        assert "the wires are gone" in down.why or "there is no GPIO chip" in down.why

    live(world, script)


def test_bad_board_file_is_refused_before_anything_starts() -> None:
    async def script() -> None:
        with pytest.raises(SettingsError, match="a board has 1 to 8 ports"):
            Slic(Inbox(), 'name = "x"\nchip = "y"', "board.toml", {})

    asyncio.run(script())


def test_missing_chip_is_told_again_and_again_in_words() -> None:
    async def script() -> None:
        inbox: Inbox[FromCard] = Inbox()
        slic = Slic(inbox, board("gpiochip-of-nobody"), "board.toml", {})
        task = asyncio.create_task(slic.run())
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(2):
                down = await inbox.next()
                assert isinstance(down, CardDown)
                assert "there is no GPIO chip gpiochip-of-nobody" in down.why
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(script())


@pytest.mark.vm
def test_lines_in_use_are_named(gpio_sim: Callable[[str, Sequence[str]], GpioSim]) -> None:
    chip = gpio_sim("slic", [f"{name}{n}" for n in (1, 2) for name in ("hook", *NAMES.values())])
    held = gpio.GpioWires(parse(board(chip.path.name), "test"))
    with pytest.raises(DoorError, match=r"in use: .*steadyline-phones"):
        gpio.GpioWires(parse(board(chip.path.name), "test"))
    held.close()
    with pytest.raises(DoorError, match="has no line hook3"):
        gpio.GpioWires(parse(board(chip.path.name, ports=3), "test"))
    gpio.silence(parse(board(chip.path.name), "test"))
