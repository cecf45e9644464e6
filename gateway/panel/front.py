"""The panel's loop: the verdict and the button come in, the lamp and the owner's wishes go out.

Law: the lamp shows the verdict, unless somebody is pressing the button or has just asked something. A box
without a panel is a box; a panel that does not work is said once, and nothing else suffers.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Never, Protocol

from gateway.errors import DoorError, GatewayError
from gateway.inbox import Inbox, Post
from gateway.messages import Event
from gateway.panel import gestures, lamps
from gateway.panel.gestures import (
    Access,
    Armed,
    Edge,
    Gestures,
    Holding,
    Password,
    Recover,
    Reset,
    Stuck,
    Tap,
)
from gateway.panel.lamps import Lights, Pattern, Player
from gateway.panel.wiring import Broken, Wiring
from gateway.status import Lamp

IDENTIFY_S: Final = 30.0
POWER_ON_S: Final = 120.0
"""The loop's clock counts from the start of the machine; so early, a button that is down was held while the
power came on."""
TURN_S: Final = 2.0
"""The loop turns at least this often: its beat feeds the watchdog."""


class Board(Protocol):
    """Button and lamp. Its edges, and that it broke, come by the inbox that it was made with."""

    def open_lamp(self) -> None:
        """Raises DoorError."""

    def open_button(self) -> bool:
        """True: it is down. Raises DoorError."""

    def light(self, lights: Lights) -> None:
        """Raises DoorError."""

    def close(self) -> None: ...


class Orders(Protocol):
    """What the button can ask of the box. Each returns at once; what came of it is told as an Event by
    whoever does it. All but `approve` may raise GatewayError."""

    def approve(self) -> bool:
        """Somebody at the box says yes to what was asked; False: nothing was."""

    def open_access(self) -> None:
        """Let the box be set up from the office network for ten minutes."""

    def new_password(self) -> None:
        """Let the page's password be set anew; the settings stay."""

    def reset(self) -> None:
        """Factory reset."""

    def recover(self) -> None:
        """The way back to the version or the settings before."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the lamp is to know. `line`: number of the channel that calls use, from 1 in the owner's order
    (0: none); `asked`: somebody waits for a tap."""

    lamp: Lamp
    line: int
    asked: bool = False


@dataclass(frozen=True, slots=True)
class _Identify:
    pass


@dataclass(frozen=True, slots=True)
class _Rewire:
    wiring: Wiring


_Input = Edge | Broken | Shown | _Identify | _Rewire
OpenBoard = Callable[[Post[Edge | Broken], Wiring], Awaitable[Board]]


class Front:
    """Build it on the running loop. `open_board` is asked only where something is wired; `say` takes Events;
    `beat` is called with the time at every turn."""

    def __init__(
        self,
        wiring: Wiring,
        open_board: OpenBoard,
        orders: Orders,
        say: Callable[[Event], None],
        *,
        beat: Callable[[float], None] = lambda now: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._inbox = Inbox[_Input]()
        self._clock = asyncio.get_running_loop().time
        self._wiring, self._open_board = wiring, open_board
        self._orders, self._say_event, self._beat, self._wall = orders, say, beat, wall
        self._board: Board | None = None
        self._player: Player | None = None
        self._lights: Lights | None = None
        self._gestures: Gestures | None = None
        self._told = Shown("starting", 0)
        self._shown = self._told
        self._holding = Holding(None)
        self._armed = False
        self._counted: Pattern | None = None
        self._identify_until: float | None = None

    # --- what others say ----------------------------------------------------------------------------

    def show(self, shown: Shown) -> None:
        """The verdict, as often as anybody likes."""
        if shown != self._told:
            self._told = shown
            self._inbox.post(shown)

    def identify(self) -> None:
        """Somebody wants to know which box this is: blink for a while."""
        self._inbox.post(_Identify())

    def rewire(self, wiring: Wiring) -> None:
        """The settings of the panel have changed."""
        self._inbox.post(_Rewire(wiring))

    @property
    def has_lamp(self) -> bool:
        """A lamp works here."""
        return self._player is not None

    @property
    def has_button(self) -> bool:
        """A button works here."""
        return self._gestures is not None

    # --- the loop -----------------------------------------------------------------------------------

    async def run(self) -> Never:
        """Until cancelled. Only an error of this program ends it."""
        try:
            await self._open(power_on=self._clock() < POWER_ON_S)
            while True:
                now = self._clock()
                self._beat(now)
                self._light(now)
                event = await self._inbox.next(until=self._due(now))
                await self._receive(event, self._clock())
        finally:
            self._close()

    def _due(self, now: float) -> float:
        times = [
            self._gestures.due if self._gestures else None,
            self._player.due if self._player else None,
            self._identify_until,
        ]
        return min([now + TURN_S, *(t for t in times if t is not None)])

    async def _receive(self, event: _Input | None, now: float) -> None:
        edge = None
        match event:
            case Edge():
                edge = event
            case Broken(sentence):
                self._gestures = None
                self._holding, self._armed = Holding(None), False
                self.say(sentence)
            case Shown():
                self._shown = event
            case _Identify():
                self._identify_until = now + IDENTIFY_S
            case _Rewire(wiring):
                if wiring != self._wiring:
                    self._close()
                    self._wiring = wiring
                    await self._open(power_on=False)
            case None:
                pass
        if self._identify_until is not None and self._identify_until <= now:
            self._identify_until = None
        if self._gestures is not None:
            for action in self._gestures.receive(edge, now):
                self._perform(action)

    # --- opening ------------------------------------------------------------------------------------

    async def _open(self, *, power_on: bool) -> None:
        wiring = self._wiring
        if wiring.lamp is None and wiring.button_pin is None:
            self.say("No lamp and no button are wired; pages and gatewayctl tell all that they would.")
            return
        try:
            self._board = await self._open_board(self._inbox, wiring)
        except GatewayError as error:
            self.say(f"Lamp and button do not work. {error}")
            return
        if wiring.lamp is not None:
            try:
                self._board.open_lamp()
                self._player = Player(wiring.lamp, self._clock())
            except DoorError as error:
                self.say(f"The lamp does not work. {error}")
        if wiring.button_pin is not None:
            try:
                pressed = self._board.open_button()
                self._gestures = Gestures(self._clock(), pressed=pressed, power_on=power_on)
            except DoorError as error:
                self.say(f"The button does not work. {error}")

    def _close(self) -> None:
        if self._board is not None:
            self._board.close()
        self._board = self._player = self._gestures = self._lights = self._counted = None
        self._holding, self._armed = Holding(None), False

    # --- the lamp -----------------------------------------------------------------------------------

    def _pattern(self) -> Pattern:
        """What counts most now: the hand at the button, then what it asked, then what others ask."""
        if self._holding.recovering:
            return lamps.STATES["recovery"]
        if self._holding.band is not None:
            return lamps.HELD[self._holding.band]
        if self._armed:
            return lamps.RESET_ARMED
        if self._counted is not None:
            return self._counted
        if self._identify_until is not None:
            return lamps.STATES["identify"]
        return lamps.ASKED if self._shown.asked else lamps.STATES[self._shown.lamp]

    def _light(self, now: float) -> None:
        if self._player is None or self._board is None:
            self._counted = None
            return
        lights = self._player.show(self._pattern(), now)
        if self._counted is not None and self._player.ended:
            self._counted = None
            lights = self._player.show(self._pattern(), now)
        if lights == self._lights:
            return
        self._lights = lights
        try:
            self._board.light(lights)
        except DoorError as error:
            self._player = None
            self.say(f"The lamp does not work any more. {error}")

    # --- the button ---------------------------------------------------------------------------------

    def _perform(self, action: gestures.Action) -> None:
        try:
            match action:
                case Holding():
                    self._holding = action
                    self._counted = None
                case Armed(on):
                    self._armed = on
                    if on:
                        self.say("The button was held for a factory reset: a tap within 10 s starts it.")
                case Tap():
                    if not self._orders.approve():
                        self._counted = lamps.number(self._shown.line)
                case Access():
                    self.say("The button was held for the setup access.")
                    self._orders.open_access()
                case Password():
                    self.say("The button was held for a new password.")
                    self._orders.new_password()
                case Reset():
                    self.say("The button was held and tapped for a factory reset.")
                    self._orders.reset()
                case Recover():
                    self.say("The button was held while the power came on: recovery.")
                    self._orders.recover()
                case Stuck(on):
                    self.say(_stuck(on))
        except GatewayError as error:
            self.say(f"That was not done. {error}")

    def say(self, text: str) -> None:
        """A line of the timeline."""
        self._say_event(Event(at=self._wall(), kind="system", text=text))


def _stuck(on: bool) -> str:
    if on:
        return "The button has been down for a minute: see what lies on it. It is ignored until it is free."
    return "The button is free again."
