"""The panel's loop: what the lamp shows, what the button does, and that nothing of it can hurt the rest."""

import asyncio
from itertools import pairwise

import pytest

from gateway.messages import Event
from gateway.panel.front import IDENTIFY_S, Shown
from gateway.panel.gestures import STUCK_S
from gateway.panel.wiring import Wiring
from gateway.status import Lamp
from tests.panel.hall import AMBER, BLUE, DARK, GREEN, RED, RGB, VIOLET, WHITE, Hall, play

FINE = Shown("main", 1)


def test_the_verdict_is_shown() -> None:
    async def scene(hall: Hall) -> None:
        assert hall.board.film[-1][1] == WHITE, "starting"
        shown: list[tuple[Lamp, tuple[bool, ...]]] = [
            ("main", GREEN), ("attention", AMBER), ("no_calls", RED), ("setup", BLUE), ("updating", VIOLET),
        ]  # fmt: skip
        for lamp, lights in shown:
            await asyncio.sleep(3)
            hall.show(Shown(lamp, 1))
            frames = await hall.seen(3)
            assert {seen for _, seen in frames[1:]} | {frames[-1][1]} <= {lights, DARK}
            assert lights in [seen for _, seen in frames]
        hall.show(FINE)
        await asyncio.sleep(3)
        assert await hall.seen(60) == [(60.0, GREEN)]

    hall = play(scene)
    assert hall.texts == [] and not hall.board.open
    assert max(b - a for a, b in pairwise(hall.beats)) <= 2.001


def test_a_tap_approves_what_is_asked() -> None:
    async def scene(hall: Hall) -> None:
        hall.show(Shown("main", 1, asked=True))
        hall.orders.asked = True
        await asyncio.sleep(3)
        frames = await hall.seen(6)
        assert [lights for _, lights in frames].count(WHITE) >= 5, "the lamp asks too"
        await hall.hold(0.2)
        hall.show(FINE)
        await asyncio.sleep(2)
        assert await hall.seen(5) == [(5.0, GREEN)]

    assert play(scene).orders.done == ["approve"]


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_tap_tells_the_line_in_use(line: int) -> None:
    async def scene(hall: Hall) -> None:
        hall.show(Shown("main", line))
        await asyncio.sleep(3)
        await hall.hold(0.2)
        frames = await hall.seen(10)
        assert [lights for _, lights in frames if lights != DARK] == [WHITE] * line + [GREEN]

    assert play(scene).orders.done == []


def test_holds_are_counted_and_done() -> None:
    async def scene(hall: Hall) -> None:
        hall.show(FINE)
        await asyncio.sleep(3)
        hall.board.press()
        await asyncio.sleep(1)
        assert hall.board.film[-1][1] == WHITE, "felt"
        await asyncio.sleep(2.5)
        assert [lights for _, lights in await hall.seen(2.2) if lights != DARK] == [BLUE] * 2
        hall.board.release()
        await asyncio.sleep(3)
        await hall.hold(7)
        await hall.hold(25)

    hall = play(scene)
    assert hall.orders.done == ["access", "password"]
    assert [event.kind for event in hall.said] == ["system"] * 2 and "setup access" in hall.texts[0]


def test_factory_reset() -> None:
    async def scene(hall: Hall) -> None:
        hall.show(FINE)
        await hall.hold(13)
        assert hall.orders.done == []
        await asyncio.sleep(2)
        assert {lights for _, lights in await hall.seen(3)} == {RED, DARK}, "it waits for its tap"
        await hall.hold(0.2)
        assert hall.orders.done == ["reset"]
        await hall.hold(13)
        await asyncio.sleep(15)
        assert hall.board.film[-1][1] == GREEN
        await hall.hold(0.2)
        assert hall.orders.done == ["reset"]

    play(scene)


def test_what_is_refused_is_said() -> None:
    async def scene(hall: Hall) -> None:
        hall.orders.refuses = True
        await hall.hold(4)

    assert play(scene).texts[-1] == "That was not done. settings: the disk is full. Free space"


def test_recovery() -> None:
    async def scene(hall: Hall) -> None:
        await asyncio.sleep(4)
        assert RED in [lights for _, lights in await hall.seen(4)]
        hall.board.release()
        await asyncio.sleep(1)

    assert play(scene, up_s=8.0, pressed=True).orders.done == ["recover"]
    assert play(scene_later, up_s=1000.0, pressed=True).orders.done == []


async def scene_later(hall: Hall) -> None:
    await asyncio.sleep(8)
    hall.board.release()
    await asyncio.sleep(1)


def test_identify_ends() -> None:
    async def scene(hall: Hall) -> None:
        hall.show(FINE)
        await asyncio.sleep(3)
        hall.front.identify()
        frames = await hall.seen(IDENTIFY_S + 5)
        assert [lights for _, lights in frames].count(BLUE) >= 60
        assert frames[-1][1] == GREEN and frames[-1][0] == pytest.approx(5.0, abs=1.0)

    play(scene)


def test_a_stuck_button_is_said_and_the_lamp_goes_on() -> None:
    async def scene(hall: Hall) -> None:
        hall.show(FINE)
        hall.board.press()
        await asyncio.sleep(STUCK_S + 1)
        assert hall.board.film[-1][1] == GREEN
        await asyncio.sleep(3600)
        hall.board.release()
        await asyncio.sleep(1)

    hall = play(scene)
    assert len(hall.said) == 2 and "ignored" in hall.texts[0] and "free again" in hall.texts[1]
    assert hall.orders.done == []


def test_a_box_without_a_panel_is_a_box() -> None:
    async def scene(hall: Hall) -> None:
        hall.show(FINE)
        hall.front.identify()
        await asyncio.sleep(600)
        assert not hall.front.has_button

    hall = play(scene, wiring=Wiring())
    assert hall.boards == [] and len(hall.beats) < 320
    assert hall.texts == ["No lamp and no button are wired; pages and gatewayctl tell all that they would."]


def test_a_lamp_alone_and_a_button_alone() -> None:
    async def lamp(hall: Hall) -> None:
        hall.show(FINE)
        await asyncio.sleep(3)
        assert hall.board.film[-1][1] == (True,) and not hall.front.has_button

    async def button(hall: Hall) -> None:
        assert hall.front.has_button
        await hall.hold(0.2)
        await hall.hold(4)
        assert hall.orders.done == ["access"]

    play(lamp, wiring=Wiring(lamp="one", lamp_pins=(22,)))
    play(button, wiring=Wiring(button_pin=17))


def test_what_does_not_open_is_said_once_and_the_rest_works() -> None:
    async def deaf(hall: Hall) -> None:
        hall.show(FINE)
        await asyncio.sleep(60)
        assert hall.board.film[-1][1] == GREEN and not hall.front.has_button

    async def dark(hall: Hall) -> None:
        await hall.hold(4)
        assert hall.orders.done == ["access"] and hall.board.film == []

    async def nothing(hall: Hall) -> None:
        hall.show(FINE)
        await asyncio.sleep(60)

    assert play(deaf, faults=frozenset({"button"})).texts == [
        "The button does not work. panel: button is in use. Free it"
    ]
    assert play(dark, faults=frozenset({"lamp"})).texts[0] == (
        "The lamp does not work. panel: lamp is in use. Free it"
    )
    assert play(nothing, no_chip=True).texts == [
        "Lamp and button do not work. panel: there is no GPIO chip. Name another"
    ]


def test_what_breaks_later_is_said_once() -> None:
    async def scene(hall: Hall) -> None:
        hall.show(FINE)
        hall.board.press()
        await asyncio.sleep(4)
        hall.board.unplug()
        await asyncio.sleep(1)
        assert hall.board.film[-1][1] == GREEN, "nobody holds it any more"
        hall.board.faults.add("light")
        hall.show(Shown("no_calls", 0))
        await asyncio.sleep(60)

    hall = play(scene)
    assert len(hall.said) == 2 and "button is gone" in hall.texts[0] and "lamp" in hall.texts[1]
    assert hall.orders.done == []


def test_new_wiring_takes_effect_at_once() -> None:
    async def scene(hall: Hall) -> None:
        hall.show(FINE)
        await asyncio.sleep(3)
        hall.front.rewire(RGB)
        await asyncio.sleep(1)
        assert len(hall.boards) == 1, "nothing has changed"
        hall.front.rewire(Wiring(lamp="two", lamp_pins=(5, 6)))
        await asyncio.sleep(3)
        assert not hall.boards[0].open and hall.board.film[-1][1] == (True, False)
        hall.front.rewire(Wiring())
        await asyncio.sleep(3)
        assert not hall.board.open

    play(scene)


def test_events_bear_the_wall_clock() -> None:
    async def scene(hall: Hall) -> None:
        await hall.hold(4)

    assert play(scene).said == [
        Event(at=1.0, kind="system", text="The button was held for the setup access.")
    ]
