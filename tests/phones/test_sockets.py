"""The loop of the analog sockets: from the ports to the lines, and back to bells, wires and earpieces."""

import asyncio
import contextlib
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from gateway.inbox import Inbox
from gateway.phones.card import Burst, Command, Reverse, Stop
from gateway.phones.model import (
    AudioDevice,
    Caller,
    Digit,
    Event,
    FromPhone,
    OffHook,
    OnHook,
    Plugged,
    Ring,
    StopRing,
    Unplugged,
)
from gateway.phones.model import Reverse as ReverseLine
from gateway.phones.ports import CardDown, CardUp, FromCard, FromPort
from gateway.phones.profiles import profile
from gateway.phones.sockets import Socket, Sockets

GB = profile("GB")


class Door:
    """Ports that keep what they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, Command]] = []

    def command(self, port: int, command: Command) -> None:
        self.told.append((port, command))


class Earpieces:
    def __init__(self) -> None:
        self.played: list[tuple[str, str]] = []

    def play_into(self, end: str, paths: tuple[str, ...], loop: bool) -> None:
        assert not loop
        self.played += [(end, path) for path in paths]


class Room:
    def __init__(self, directory: Path) -> None:
        self.said: Inbox[FromCard] = Inbox()
        self.lines: Inbox[FromPhone] = Inbox()
        self.door, self.ears = Door(), Earpieces()
        self.sockets = Sockets(self.said, self.door, self.lines, self.ears, directory)
        self.sockets.replan({"desk": Socket("desk", 1, "slic1", GB), "hall": Socket("hall", 2, "slic2", GB)})

    async def next(self, phone: str) -> Event:
        async with asyncio.timeout(10):
            while True:
                heard = await self.lines.next()
                assert heard is not None
                if heard.phone == phone:
                    return heard.event

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110  the door is told things without an event to wait for
                await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def running(directory: Path, *, up: bool = True) -> AsyncIterator[Room]:
    room = Room(directory)
    task = asyncio.create_task(room.sockets.run())
    if up:
        room.said.post(CardUp())
        assert isinstance(await room.next("hall"), Plugged)
    yield room
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def live(directory: Path, script: Callable[[Room], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with running(directory) as room:
            await script(room)

    asyncio.run(whole())


def test_phones_are_there_while_the_card_is(tmp_path: Path) -> None:
    async def script() -> None:
        async with running(tmp_path, up=False) as room:
            room.sockets.perform("desk", Ring(GB.ring))
            room.said.post(CardUp())
            plugged = await room.next("desk")
            device = AudioDevice("plughw:CARD=slic1,DEV=0", "plughw:CARD=slic1,DEV=0")
            assert isinstance(plugged, Plugged)
            assert plugged.audio == device
            room.said.post(CardDown("the wires are gone. Look"))
            gone = await room.next("desk")
            assert isinstance(gone, Unplugged)
            assert gone.why == "the wires are gone. Look"
            assert room.door.told == []
            room.said.post(CardUp())
            assert isinstance(await room.next("desk"), Plugged)

    asyncio.run(script())


def test_what_a_port_hears_reaches_its_line(tmp_path: Path) -> None:
    async def script(room: Room) -> None:
        for heard in (OffHook(5.0), Digit("4", "pulse", 6.0), OnHook(7.0)):
            room.said.post(FromPort(2, heard))
            room.said.post(FromPort(7, heard))  # a port without a phone
            assert await room.next("hall") == heard

    live(tmp_path, script)


def test_a_ring_with_a_caller_is_wires_samples_and_bursts(tmp_path: Path) -> None:
    async def script(room: Room) -> None:
        room.sockets.hardware("desk").do(Ring(GB.ring, Caller("442079460001")))
        await room.until(lambda: (1, Burst(400)) in room.door.told)
        assert room.door.told[:2] == [(1, Reverse(True)), (1, Reverse(False))]
        ((phone, path),) = room.ears.played
        assert phone == "desk"
        with wave.open(path) as file:
            assert file.getframerate() == 8000
            assert 0.5 < file.getnframes() / 8000 < 1.5
        room.sockets.hardware("desk").do(StopRing())
        assert room.door.told[-1] == (1, Stop())

    live(tmp_path, script)


def test_a_lift_stops_the_bell_and_is_told(tmp_path: Path) -> None:
    async def script(room: Room) -> None:
        room.sockets.hardware("hall").do(Ring(GB.ring))
        assert room.door.told == [(2, Burst(400))]
        room.said.post(FromPort(2, OffHook(1.0)))
        assert await room.next("hall") == OffHook(1.0)
        assert room.door.told[-1] == (2, Stop())

    live(tmp_path, script)


def test_other_settings_touch_only_what_changed(tmp_path: Path) -> None:
    async def script(room: Room) -> None:
        room.sockets.hardware("desk").do(Ring(GB.ring))
        room.sockets.hardware("hall").do(Ring(GB.ring))
        room.sockets.replan(
            {"desk": Socket("desk", 1, "slic1", GB), "shop": Socket("shop", 2, "slic2", profile("DE"))}
        )
        assert isinstance(await room.next("hall"), Unplugged)
        assert isinstance(await room.next("shop"), Plugged)
        assert room.door.told == [(1, Burst(400)), (2, Burst(400)), (2, Stop())]
        await room.until(lambda: room.door.told.count((1, Burst(400))) >= 2)

    live(tmp_path, script)


def test_orders_for_nobody_are_let_go(tmp_path: Path) -> None:
    async def script(room: Room) -> None:
        room.sockets.hardware("nobody").do(ReverseLine(True))
        room.sockets.hardware("desk").do(ReverseLine(True))
        assert room.door.told == [(1, Reverse(True))]

    live(tmp_path, script)
