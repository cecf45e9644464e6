"""A panel room without hardware: a board with verbs of the world, orders that remember, a clock that jumps.

Nothing in such a room waits for anything but time, so the loop does not sleep: it moves its clock to the next
moment at which somebody wants to be woken.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

from gateway.errors import DoorError, GatewayError, RefusedError
from gateway.inbox import Post
from gateway.messages import Event
from gateway.panel.front import Front, Shown
from gateway.panel.gestures import Edge
from gateway.panel.lamps import Lights
from gateway.panel.wiring import Broken, Wiring

RGB = Wiring(button_pin=17, lamp="rgb", lamp_pins=(22, 27, 24))
DARK, RED, GREEN, BLUE = (False,) * 3, (True, False, False), (False, True, False), (False, False, True)
WHITE, AMBER, VIOLET = (True,) * 3, (True, True, False), (True, False, True)


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found:
            assert timeout is not None, "everybody waits for everybody"
            self.now += max(0.0, timeout)
        return found


class Jumping(asyncio.SelectorEventLoop):
    """A loop that never sleeps."""

    def __init__(self, started_s: float) -> None:
        self.clock = _Selector()
        self.clock.now = started_s
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def play(scene: Callable[["Hall"], Awaitable[None]], *, up_s: float = 1000.0, **more: Any) -> "Hall":
    """Run a scene in a room that stands; the machine has been up for `up_s`."""
    loop = Jumping(up_s)

    async def main() -> Hall:
        hall = Hall(**more)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(hall.front.run())
            await asyncio.sleep(0.001)
            await scene(hall)
            running.cancel()
        return hall

    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


class FakeBoard:
    """`film`: what the lamp has shown, with times. `faults` names what does not open."""

    def __init__(self, inbox: Post[Edge | Broken], wiring: Wiring, faults: set[str], pressed: bool) -> None:
        self._inbox, self._clock = inbox, asyncio.get_running_loop().time
        self.wiring, self.faults, self.pressed = wiring, faults, pressed
        self.film: list[tuple[float, Lights]] = []
        self.open = True

    def _check(self, what: str) -> None:
        if what in self.faults:
            raise DoorError(f"{what} is in use", where="panel", remedy="Free it")

    def open_lamp(self) -> None:
        self._check("lamp")

    def open_button(self) -> bool:
        self._check("button")
        return self.pressed

    def light(self, lights: Lights) -> None:
        assert self.open
        self._check("light")
        self.film.append((self._clock(), lights))

    def close(self) -> None:
        self.open = False

    def press(self) -> None:
        self.pressed = True
        self._inbox.post(Edge(True, self._clock()))

    def release(self) -> None:
        self.pressed = False
        self._inbox.post(Edge(False, self._clock()))

    def unplug(self) -> None:
        self._inbox.post(Broken("The button is gone: no such device."))


class FakeOrders:
    """`asked`: a client waits for a tap. `refuses`: nothing can be done now."""

    def __init__(self) -> None:
        self.asked = self.refuses = False
        self.done: list[str] = []

    def approve(self) -> bool:
        if self.asked:
            self.done.append("approve")
        return self.asked

    def open_access(self) -> None:
        self._do("access")

    def new_password(self) -> None:
        self._do("password")

    def reset(self) -> None:
        self._do("reset")

    def recover(self) -> None:
        self._do("recover")

    def _do(self, what: str) -> None:
        if self.refuses:
            raise RefusedError("the disk is full", where="settings", remedy="Free space")
        self.done.append(what)


class Hall:
    """The room and all that can be seen of it."""

    def __init__(
        self,
        wiring: Wiring = RGB,
        *,
        faults: frozenset[str] = frozenset(),
        pressed: bool = False,
        no_chip: bool = False,
    ) -> None:
        self.boards: list[FakeBoard] = []
        self.orders = FakeOrders()
        self.said: list[Event] = []
        self.beats: list[float] = []
        self._clock = asyncio.get_running_loop().time

        async def open_board(inbox: Post[Edge | Broken], wiring: Wiring) -> FakeBoard:
            await asyncio.sleep(0)
            if no_chip:
                raise GatewayError("there is no GPIO chip", where="panel", remedy="Name another")
            self.boards.append(FakeBoard(inbox, wiring, set(faults), pressed))
            return self.boards[-1]

        self.front = Front(
            wiring, open_board, self.orders, self.said.append, beat=self.beats.append, wall=lambda: 1.0
        )

    @property
    def board(self) -> FakeBoard:
        return self.boards[-1]

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.said]

    async def hold(self, seconds: float) -> None:
        self.board.press()
        await asyncio.sleep(seconds)
        self.board.release()
        await asyncio.sleep(0.1)

    async def seen(self, seconds: float) -> list[tuple[float, Lights]]:
        """What the lamp shows from now on: (how long, lights)."""
        began, first = self._clock(), self.board.film[-1][1]
        length = len(self.board.film)
        await asyncio.sleep(seconds)
        frames = [(began, first), *self.board.film[length:], (self._clock(), DARK)]
        return [(round(later - at, 2), lights) for (at, lights), (later, _) in pairwise(frames)]

    def show(self, shown: Shown) -> None:
        self.front.show(shown)
