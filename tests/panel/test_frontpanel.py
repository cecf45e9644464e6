"""The panel's room as the daemon runs it: the status it shows, new settings, and what the button asks of the
keeper."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import frontpanel
from gateway.changes import (
    ChangeVerb,
    GetHistory,
    HistoryNow,
    KeepTrial,
    RevisionView,
    RollBack,
    TrialNow,
    TrialView,
)
from gateway.errors import DoorError
from gateway.frontpanel import FrontPanel
from gateway.inbox import Inbox, Post
from gateway.messages import AnyMessage, Done, Event, Refused
from gateway.panel.gestures import Edge
from gateway.panel.wiring import Broken, Wiring
from gateway.schema import Settings, parse
from gateway.status import SettingsStatus, Status, UplinkStatus
from tests.panel.hall import DARK, GREEN, WHITE, FakeBoard, Jumping

EXAMPLE = (Path(__file__).parent.parent / "example.toml").read_text()
PANEL = '\n[panel]\nbutton_pin = 17\nlamp = "rgb"\nlamp_pins = [22, 27, 24]\n'


def status(active: str = "backup1", presence: str = "") -> Status:
    uplinks = tuple(
        UplinkStatus(name=name, role="backup", device=name, state="up", sentence="")
        for name in ("main", "backup1")
    )
    return Status(
        verdict="", lamp="backup", active_uplink=active, internet_uplink="", calls_process="running",
        guard="standing", uplinks=uplinks, settings=SettingsStatus(presence=presence),
    )  # fmt: skip


class FakeKeeper:
    """Remembers what it was asked; `revisions`: how many it has, the newest first."""

    def __init__(self, settings: Settings | None, revisions: int = 3) -> None:
        self.in_force = settings
        self.revisions = revisions
        self.refuses = self.waiting = False
        self.asked: list[Any] = []

    def settings(self) -> Settings | None:
        return self.in_force

    def approve(self) -> bool:
        self.asked.append("approve")
        return self.waiting

    def open_access(self) -> None:
        self.asked.append("access")

    def new_password(self) -> None:
        self.asked.append("password")

    def reset(self, who: str = "") -> None:
        self.asked.append("reset")

    def ask(self, verb: ChangeVerb, role: str, reply: Callable[[AnyMessage], None]) -> None:
        self.asked.append(verb)
        match verb:
            case GetHistory():
                views = (
                    RevisionView(revision=n, at=0.0, who="", why="", differences=1, sealed=True)
                    for n in range(self.revisions, 0, -1)
                )
                reply(HistoryNow(revisions=tuple(views)))
            case RollBack() if self.refuses:
                reply(Refused(what="another change is on trial", where="settings", remedy="Wait"))
            case RollBack():
                trial = TrialView(
                    trial="t1", who=verb.who, base=1, differences=(), touches=(), notes=(), left_s=60.0
                )
                reply(TrialNow(trial=trial))
            case _:
                reply(Done(text="Kept."))


class Scene:
    def __init__(self, keeper: FakeKeeper, pressed: bool) -> None:
        self.keeper = keeper
        self.boards: list[FakeBoard] = []
        self.said: list[Event] = []

        async def open_board(inbox: Post[Edge | Broken], wiring: Wiring) -> FakeBoard:
            await asyncio.sleep(0)
            self.boards.append(FakeBoard(inbox, wiring, set(), pressed))
            return self.boards[-1]

        self.panel = FrontPanel(keeper, self.said.append, beat=lambda now: None, open_board=open_board)

    async def hold(self, seconds: float) -> None:
        self.boards[-1].press()
        await asyncio.sleep(seconds)
        self.boards[-1].release()
        await asyncio.sleep(0.5)


def play(
    keeper: FakeKeeper, act: Callable[[Scene], Awaitable[None]], *, pressed: bool = False, up_s: float = 999.0
) -> Scene:
    loop = Jumping(up_s)

    async def main() -> Scene:
        scene = Scene(keeper, pressed)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(scene.panel.run())
            await asyncio.sleep(0.01)
            await act(scene)
            running.cancel()
        return scene

    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


WIRED = parse(EXAMPLE + PANEL, "example.toml")
BARE = parse(EXAMPLE, "example.toml")


def test_the_status_is_shown_and_the_line_told() -> None:
    async def act(scene: Scene) -> None:
        scene.panel.shown(status())
        await asyncio.sleep(3)
        film = scene.boards[-1].film
        assert film[-1][1] in (GREEN, DARK)
        length = len(film)
        await scene.hold(0.2)
        await asyncio.sleep(5)
        assert [lights for _, lights in film[length:]].count(WHITE) == 3, "felt, then two flashes: backup1"
        scene.panel.shown(status(presence="the page wants to set a password"))
        await asyncio.sleep(3)
        assert WHITE in [lights for _, lights in film[-4:]]

    assert play(FakeKeeper(WIRED), act).keeper.asked == ["approve"]


def test_holds_reach_the_keeper() -> None:
    async def act(scene: Scene) -> None:
        for seconds in (4, 8, 14, 0.2):
            await scene.hold(seconds)

    assert play(FakeKeeper(WIRED), act).keeper.asked == ["access", "password", "reset"]


def test_new_settings_rewire() -> None:
    async def act(scene: Scene) -> None:
        assert not scene.panel.has_button() and not scene.panel.identify()
        scene.keeper.in_force = WIRED
        scene.panel.shown(status())
        await asyncio.sleep(1)
        assert scene.panel.has_button() and scene.panel.identify()
        scene.keeper.in_force = None
        scene.panel.shown(status())
        await asyncio.sleep(1)
        assert not scene.panel.has_button() and not scene.boards[-1].open

    play(FakeKeeper(BARE), act)


async def _recover(scene: Scene) -> None:
    await asyncio.sleep(5)
    scene.boards[-1].release()
    await asyncio.sleep(1)


def test_recovery_goes_back_one_revision_and_keeps_it() -> None:
    keeper = play(FakeKeeper(WIRED), _recover, pressed=True, up_s=5.0).keeper
    back = RollBack(revision=2, who="the button", seconds=frontpanel.RECOVER_S)
    assert keeper.asked == [GetHistory(), back, KeepTrial(trial="t1")]


def test_recovery_that_cannot_be_is_said() -> None:
    scene = play(FakeKeeper(WIRED, revisions=1), _recover, pressed=True, up_s=5.0)
    assert scene.said[-1].text == "There are no settings to go back to."
    keeper = FakeKeeper(WIRED)
    keeper.refuses = True
    scene = play(keeper, _recover, pressed=True, up_s=5.0)
    assert scene.said[-1].text == (
        "The box did not go back to its settings before. another change is on trial. Wait"
    )


def test_wiring_of_a_panel_of_every_kind() -> None:
    panel = BARE.panel
    assert frontpanel.wiring(panel) == Wiring()
    two = panel.model_copy(
        update={"gpiochip": "gpiochip4", "lamp": "two", "lamp_pins": (5, 6), "lamp_active_low": True}
    )
    assert frontpanel.wiring(two) == Wiring("gpiochip4", None, True, "two", (5, 6), True)


def test_the_real_board_is_loaded_when_it_is_asked_for() -> None:
    async def main() -> str:
        board = await frontpanel.open_board(
            Inbox[Edge | Broken](), Wiring(gpiochip="gpiochip99", button_pin=1)
        )
        with pytest.raises(DoorError) as refused:
            board.open_button()
        board.close()
        return str(refused.value)

    assert "there is no GPIO chip gpiochip99" in asyncio.run(main())
