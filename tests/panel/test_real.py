"""The whole panel over a chip that the kernel simulates: a finger at one line, the LED's level at another."""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence

import pytest

from gateway import frontpanel
from gateway.messages import Event
from gateway.panel.front import Front, Shown
from gateway.panel.wiring import Wiring
from tests.panel.hall import FakeOrders
from tests.vm.gpio import GpioSim

pytestmark = pytest.mark.vm


class Outside:
    """Somebody before the box."""

    def __init__(self, chip: GpioSim) -> None:
        self._chip = chip

    async def hold(self, seconds: float, bounces: int = 5) -> None:
        for low in (True, False):
            for _ in range(bounces):
                self._chip.drive("button", not low)
                self._chip.drive("button", low)
            self._chip.drive("button", not low)
            await asyncio.sleep(seconds if low else 0.3)

    async def film(self, seconds: float) -> list[bool]:
        frames, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            frames.append(self._chip.level("lamp"))
            await asyncio.sleep(0.02)
        return frames


def flashes(frames: list[bool]) -> int:
    return sum(lit and not before for before, lit in itertools.pairwise(frames))


def test_a_day_at_the_panel(gpio_sim: Callable[[str, Sequence[str]], GpioSim]) -> None:
    chip = gpio_sim("panel", ["button", "lamp"])
    outside, orders, said = Outside(chip), FakeOrders(), list[Event]()
    wiring = Wiring(gpiochip=chip.path.name, button_pin=0, lamp="one", lamp_pins=(1,))

    async def main() -> None:
        front = Front(wiring, frontpanel.open_board, orders, said.append)
        front.show(Shown("main", 2))
        running = asyncio.create_task(front.run())
        for _ in range(400):
            if front.has_button:
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(2)
        assert all(await outside.film(2)), "all is well: steady"

        await outside.hold(0.3)
        assert flashes(await outside.film(4)) == 3, "two flashes for the second channel, then steady again"

        orders.asked = True
        await outside.hold(0.3)
        assert orders.done == ["approve"]

        await outside.hold(3.5)
        assert orders.done[-1] == "access"

        front.show(Shown("no_calls", 0))
        await asyncio.sleep(0.5)
        assert 10 <= flashes(await outside.film(5)) <= 15

        chip.close()
        await asyncio.sleep(1)
        assert (front.has_button, front.has_lamp, running.done()) == (False, False, False)
        running.cancel()

    asyncio.run(main())
    texts = [event.text for event in said]
    assert texts[0] == "The button was held for the setup access."
    assert sorted(text.split(".")[0] for text in texts[1:]) == [
        "The button is gone: No such device",
        "The lamp does not work any more",
    ]
