"""Analog phones put together: from a handset in the world to the inbox of the lines, and back."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from gateway.analog import AnalogPhones, WantedPort
from gateway.inbox import Inbox, Post
from gateway.phones.model import (
    Digit,
    Event,
    FromPhone,
    OffHook,
    OnHook,
    Plugged,
    Ring,
    RingCadence,
    Unplugged,
)
from gateway.phones.ports import FromCard, PortSetup
from gateway.phones.slic import Slic
from tests.phones import sounds
from tests.phones.electric import World
from tests.phones.test_slic import board

PATIENCE_S = 30.0


class Ears:
    def __init__(self) -> None:
        self.listened: list[tuple[str, bool]] = []

    def play_into(self, end: str, paths: tuple[str, ...], loop: bool) -> None:
        pass

    def listen(self, end: str, on: bool) -> None:
        self.listened.append((end, on))


class Room:
    def __init__(self, directory: Path) -> None:
        self.world, self.ears = World(2), Ears()
        self.lines: Inbox[FromPhone] = Inbox()
        self.phones = AnalogPhones(self.lines, directory / "board.toml", self._open)
        self.directory = directory

    def _open(self, inbox: Post[FromCard], text: str, source: str, ports: Mapping[int, PortSetup]) -> Slic:
        return Slic(inbox, text, source, ports, self.world.start, self.world.silence)

    def want(self, **phones: WantedPort) -> None:
        self.phones.want(phones, self.ears, self.directory)

    async def next(self, phone: str, kind: type[Event]) -> Event:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                said = await self.lines.next()
                assert said is not None
                self.phones.follow(said)
                if said.phone == phone and isinstance(said.event, kind):
                    return said.event


@contextlib.asynccontextmanager
async def room(directory: Path) -> AsyncIterator[Room]:
    made = Room(directory)
    task = asyncio.create_task(made.phones.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    made.world.close()


def test_from_the_handset_to_the_lines_and_back(tmp_path: Path) -> None:
    async def script() -> None:
        async with room(tmp_path) as box:
            (tmp_path / "board.toml").write_text(board("none"))
            box.want(desk=WantedPort(1, "DE"), hall=WantedPort(2, "GB", ring_hz=20))
            await box.next("hall", Plugged)
            hardware = box.phones.hardware("hall")
            assert hardware is not None
            hardware.do(Ring(RingCadence((2000, 4000))))
            async with asyncio.timeout(PATIENCE_S):
                while not box.world.swings[2]:  # noqa: ASYNC110  strokes of a bell are no event
                    await asyncio.sleep(0.01)
            box.world.move(2, True)
            await box.next("hall", OffHook)
            box.world.move(2, False)
            await box.next("hall", OnHook)
            assert box.ears.listened == [("hall", True), ("hall", False)]
            box.want(desk=WantedPort(1, "DE"))
            await box.next("hall", Unplugged)
            box.want(desk=WantedPort(1, "FR"))
            await box.next("desk", Plugged)
            box.world.move(1, True)
            await box.next("desk", OffHook)

    asyncio.run(script())


def test_a_listener_hears_through_its_countrys_dial_tone(tmp_path: Path) -> None:
    async def script() -> None:
        box = Room(tmp_path)
        box.want(desk=WantedPort(1, "DE"))
        luck = np.random.default_rng(1)
        line = np.concatenate([np.zeros(1600), sounds.press("7", luck, on_ms=80), np.zeros(1600)])
        for hz in (425, 400):
            n = np.arange(len(line))
            line = line + sounds.peak(-10) * np.sin(2 * np.pi * hz * n / 8000)
        box.phones.hears("desk", ("/run/tone-DE-stutter.wav",))
        listener = box.phones.listener("desk")
        heard = [e for at, frame in sounds.frames(sounds.pcm(line)) for e in listener.feed(frame, at)]
        assert [event.key for event in heard if isinstance(event, Digit)] == ["7"]
        box.phones.hears("nobody", ())
        box.phones.listener("nobody").close()

    asyncio.run(script())


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "no board file"), ("name = 3", "a word is missing"), ("\xff", "cannot be used")],
)
def test_a_box_without_a_sound_board_says_so_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None, told: str
) -> None:
    async def script() -> None:
        box = Room(tmp_path)
        if text is not None:
            (tmp_path / "board.toml").write_bytes(text.encode("latin-1"))
        box.want()
        assert not caplog.records
        box.want(desk=WantedPort(1, "DE"))
        assert box.phones.hardware("desk") is None

    with caplog.at_level(logging.ERROR):
        asyncio.run(script())
    assert told in caplog.text


def test_a_port_that_the_board_has_not_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def script() -> None:
        box = Room(tmp_path)
        (tmp_path / "board.toml").write_text(board("none"))
        box.want(desk=WantedPort(5, "DE"))
        assert "desk hangs on port 5" in caplog.text

    asyncio.run(script())
