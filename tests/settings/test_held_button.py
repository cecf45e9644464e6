"""What a held button does to the settings room, and the whole path from an edge of the button to it."""

import asyncio
from pathlib import Path

from gateway.changes import AskPresence, CheckPassword, KeepTrial, SetPassword
from gateway.frontpanel import FrontPanel
from gateway.inbox import Post
from gateway.messages import Done
from gateway.panel.gestures import Edge
from gateway.panel.wiring import Broken, Wiring
from tests.panel.hall import FakeBoard
from tests.settings.test_keeper import EXAMPLE, Stage, play


def test_setup_access_takes_whoever_asks_for_somebody_at_the_box(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        waiting = stage.post(AskPresence(why="set the password"), "web")
        await stage.until(lambda: stage.keeper.now().presence != "")
        assert stage.keeper.approve() and isinstance(await waiting, Done)
        stage.keeper.open_access()
        await stage.until(lambda: stage.said("can be set up for ten minutes"))
        proof = (await stage.done(AskPresence(why="set the password"), "web")).data["proof"]
        await stage.done(SetPassword(password="long enough", proof=str(proof)), "web")
        assert not stage.keeper.approve(), "nobody waits"

    play(tmp_path, scene)


def test_a_new_password_voids_the_old_one_and_lets_another_be_set(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.passwords.set("the old one")
        stage.keeper.new_password()
        await stage.until(lambda: stage.said("no password any more"))
        assert stage.keeper.now().access == "" and stage.passwords.access() == ""
        assert "no password is set" in await stage.refused(CheckPassword(password="the old one"), "web")
        proof = (await stage.done(AskPresence(why="set the password"), "web")).data["proof"]
        await stage.done(SetPassword(password="the new one", proof=str(proof)), "web")
        await stage.done(CheckPassword(password="the new one"), "web")
        assert stage.file.read_text() == EXAMPLE, "settings stay"

    play(tmp_path, scene)


def panel(stage: Stage, boards: list[FakeBoard], pressed: bool) -> FrontPanel:
    async def open_board(inbox: Post[Edge | Broken], wiring: Wiring) -> FakeBoard:
        await asyncio.sleep(0)
        boards.append(FakeBoard(inbox, wiring, set(), pressed))
        return boards[-1]

    return FrontPanel(stage.keeper, stage.events.append, beat=lambda now: None, open_board=open_board)


WIRED = EXAMPLE + "\n[panel]\nbutton_pin = 17\n"


def test_a_tap_at_the_board_answers_a_page(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        boards: list[FakeBoard] = []
        running = asyncio.create_task(panel(stage, boards, False).run())
        await stage.until(lambda: bool(boards))
        waiting = stage.post(AskPresence(why="decommission"), "web")
        await stage.until(lambda: stage.keeper.now().presence == "decommission")
        boards[0].press()
        await asyncio.sleep(0.1)
        boards[0].release()
        answer = await waiting
        assert isinstance(answer, Done) and answer.data["proof"]
        running.cancel()

    play(tmp_path, scene, text=WIRED)


def test_going_back_is_kept_without_anybody_to_confirm_it(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        view = await stage.try_(WIRED.replace('name = "office"', 'name = "branch"'))
        await stage.done(KeepTrial(trial=view.trial))
        front = panel(stage, [], False)
        running = asyncio.create_task(front.run())
        front.recover()
        await stage.until(lambda: stage.keeper.now().revision == 3)
        await stage.until(lambda: stage.keeper.now().trial == "")
        assert stage.file.read_text() == WIRED
        running.cancel()

    play(tmp_path, scene, text=WIRED)
