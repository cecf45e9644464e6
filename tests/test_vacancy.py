"""The place of the uplinks room: vacant, occupied, vacant again; whoever asks is answered all the while."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.errors import DoorError, RefusedError
from gateway.messages import MediaQuiet
from gateway.schema import Settings, parse
from gateway.settings.confirmations import Ledger
from gateway.vacancy import Vacancy
from tests.fakes import FakeUplinks

SETTINGS = parse((Path(__file__).parent / "example.toml").read_text(), "example.toml")


class Stage:
    """A place whose guard can refuse, and the rooms that were built."""

    def __init__(self) -> None:
        self.rooms: list[FakeUplinks] = []
        self.closed = 0
        self.refuses = False
        self.place = Vacancy(
            self._build, self._close, lambda: (), Ledger, changed=lambda: None, idle=lambda now: None
        )

    def _build(self, settings: Settings) -> FakeUplinks:
        self.rooms.append(FakeUplinks())
        return self.rooms[-1]

    def _close(self) -> None:
        if self.refuses:
            raise DoorError("nftables is not there", where="guard", remedy="Install it")
        self.closed += 1


def play(scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        stage = Stage()
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(stage.place.run())
            await scene(stage)
            task.cancel()

    asyncio.run(main())


async def settled(stage: Stage, standing: bool = True) -> None:
    while stage.place.standing() is not standing:  # noqa: ASYNC110  (its own turn is a second long)
        await asyncio.sleep(0.01)


def test_vacant_it_closes_the_guard_and_refuses_in_words() -> None:
    async def scene(stage: Stage) -> None:
        assert stage.place.now().guard == "absent" and not stage.place.standing()
        await settled(stage)
        assert stage.closed == 1 and stage.place.now().guard == "standing"
        assert stage.place.paths().paths == () and stage.place.now().uplinks == ()
        for wish in (lambda: stage.place.use("main"), lambda: stage.place.admit("main")):
            with pytest.raises(RefusedError, match="not set up yet"):
                result = wish()
                assert not isinstance(result, str)
                await result
        stage.place.media_quiet(MediaQuiet(uplink="main", calls=1, quiet_ms=300))
        stage.place.rescue(True)
        assert await stage.place.observe("main", 1.0) == "" and stage.place.confirmed_uplinks() == ()

    play(scene)


def test_a_guard_that_cannot_be_closed_is_tried_again() -> None:
    async def scene(stage: Stage) -> None:
        stage.refuses = True
        await asyncio.sleep(0)
        assert not stage.place.standing()
        stage.refuses = False
        await settled(stage)

    play(scene)


def test_a_room_moves_in_and_out() -> None:
    async def scene(stage: Stage) -> None:
        await settled(stage)
        await stage.place.apply(SETTINGS)
        assert len(stage.rooms) == 1 and stage.place.use("main") == "Calls leave by main."
        assert {u.name for u in stage.place.uplinks()} == {"main", "backup1"}
        await stage.place.apply(None)
        assert stage.closed == 2 and stage.place.now().uplinks == () and stage.place.standing()
        await stage.place.apply(SETTINGS)
        assert len(stage.rooms) == 2

    play(scene)


def test_a_room_that_dies_ends_the_process() -> None:
    class Dying(FakeUplinks):
        async def run(self) -> None:
            raise OSError("the kernel is gone")

    async def scene(stage: Stage) -> None:
        stage.place.occupy(SETTINGS)
        await asyncio.sleep(5)

    stage_rooms: list[FakeUplinks] = []

    class Haunted(Stage):
        def _build(self, settings: Settings) -> FakeUplinks:
            stage_rooms.append(Dying())
            return stage_rooms[-1]

    async def main() -> None:
        stage = Haunted()
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(stage.place.run())
            await asyncio.sleep(0)
            await scene(stage)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert caught.group_contains(OSError, match="the kernel is gone")
