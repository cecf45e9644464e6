"""The panel's room as the daemon runs it: its board opened where one is wired, its wishes put to the keeper.

Decides nothing: gateway/panel/front.py does.
"""

import asyncio
import importlib
from collections.abc import Callable
from typing import Protocol

from gateway.changes import ChangeVerb, GetHistory, HistoryNow, KeepTrial, RollBack, TrialNow
from gateway.errors import DoorError
from gateway.inbox import Post
from gateway.messages import AnyMessage, Event, Refused
from gateway.panel.front import Board, Front, OpenBoard, Shown
from gateway.panel.gestures import Edge
from gateway.panel.wiring import Broken, Wiring
from gateway.schema import Panel, Settings
from gateway.status import Status

WHO = "the button"
RECOVER_S = 60
"""Going back takes less, and nobody has to confirm it: a hand at the button did."""


class Keeper(Protocol):
    """The settings room as the button needs it."""

    def settings(self) -> Settings | None: ...

    def approve(self) -> bool: ...

    def open_access(self) -> None: ...

    def new_password(self) -> None: ...

    def reset(self, who: str = WHO) -> None: ...

    def ask(self, verb: ChangeVerb, role: str, reply: Callable[[AnyMessage], None]) -> None: ...


async def open_board(inbox: Post[Edge | Broken], wiring: Wiring) -> Board:
    """The real one. Its libraries take a few megabytes and half a second of a Pi: they are loaded where there
    is a panel, and beside the loop. Raises DoorError."""
    try:
        module = await asyncio.to_thread(importlib.import_module, "gateway.panel.board")
    except ImportError as error:
        raise DoorError(
            f"a library is missing: {error}", where="panel", remedy="Install the programs again"
        ) from error
    board: Board = module.Board(inbox, wiring)
    return board


class FrontPanel:
    """Build it on the running loop, and give `shown` every new status."""

    def __init__(
        self,
        keeper: Keeper,
        say: Callable[[Event], None],
        *,
        beat: Callable[[float], None],
        open_board: OpenBoard = open_board,
    ) -> None:
        self._keeper = keeper
        self._panel = _panel(keeper.settings())
        self._front = Front(wiring(self._panel), open_board, _Orders(keeper, self.recover), say, beat=beat)
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._front.run(), name="front")
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                await self._go_back()

    def shown(self, status: Status) -> None:
        """The picture of the box, as often as anybody likes; new settings of the panel take effect here."""
        panel = _panel(self._keeper.settings())
        if panel != self._panel:
            self._panel = panel
            self._front.rewire(wiring(panel))
        names = [uplink.name for uplink in status.uplinks]
        line = names.index(status.active_uplink) + 1 if status.active_uplink in names else 0
        self._front.show(Shown(status.lamp, line, asked=bool(status.settings.presence)))

    def identify(self) -> bool:
        """Have the lamp blink for a while; False: there is none."""
        if self._front.has_lamp:
            self._front.identify()
        return self._front.has_lamp

    def has_button(self) -> bool:
        """A button works here."""
        return self._front.has_button

    def recover(self) -> None:
        """Go back to the settings before the newest ones, soon."""
        self._wanted.set()

    async def _go_back(self) -> None:
        """Put the settings before the newest ones in force, and keep them."""
        history = await self._ask(GetHistory())
        older = history.revisions[1:2] if isinstance(history, HistoryNow) else ()
        for one in older:
            tried = await self._ask(RollBack(revision=one.revision, who=WHO, seconds=RECOVER_S))
            if isinstance(tried, TrialNow) and tried.trial is not None:
                await self._ask(KeepTrial(trial=tried.trial.trial))
            elif isinstance(tried, Refused):
                self._front.say(
                    f"The box did not go back to its settings before. {tried.what}. {tried.remedy}"
                )
        if not older:
            self._front.say("There are no settings to go back to.")

    async def _ask(self, verb: ChangeVerb) -> AnyMessage:
        answer: asyncio.Future[AnyMessage] = asyncio.get_running_loop().create_future()
        self._keeper.ask(verb, "ctl", lambda message: None if answer.done() else answer.set_result(message))
        return await answer


class _Orders:
    """The keeper, as the front speaks to it."""

    def __init__(self, keeper: Keeper, recover: Callable[[], None]) -> None:
        self.approve = keeper.approve
        self.open_access = keeper.open_access
        self.new_password = keeper.new_password
        self.reset = keeper.reset
        self.recover = recover


def wiring(panel: Panel) -> Wiring:
    """The settings' section in the room's words."""
    return Wiring(
        gpiochip=panel.gpiochip,
        button_pin=panel.button_pin,
        button_active_low=panel.button_active_low,
        lamp=None if panel.lamp == "none" else panel.lamp,
        lamp_pins=panel.lamp_pins,
        lamp_active_low=panel.lamp_active_low,
    )


def _panel(settings: Settings | None) -> Panel:
    return settings.panel if settings else Panel()
