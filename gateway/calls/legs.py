"""Law: the phone hears one leg at a time, and every leg that was started is ended by somebody.

The book-keeping of one call: actions go through `emit`, which keeps the books, and come out by `drain`.
"""

from dataclasses import dataclass

from gateway.calls.model import (
    Action,
    ConnectPhone,
    DisconnectPhone,
    EndLeg,
    Reinvite,
    Ringback,
    SetHold,
    StartLeg,
)


@dataclass(slots=True)
class Leg:
    """`media`: its audio can be connected; `ending`: it was told to end, and is not over yet."""

    uplink: str
    media: bool = False
    ending: bool = False


class Legs:
    """The legs of one call that are not over, and which of them the phone hears."""

    def __init__(self) -> None:
        self.open: dict[int, Leg] = {}
        self.heard: int | None = None
        self.ringback = False
        self._actions: list[Action] = []

    def drain(self) -> list[Action]:
        """The actions since the last time."""
        actions, self._actions = self._actions, []
        return actions

    def emit(self, *actions: Action) -> None:
        """Record what these do to the legs. What concerns a leg that is over is dropped."""
        for action in actions:
            match action:
                case StartLeg(leg, uplink):
                    self.open[leg] = Leg(uplink)
                case EndLeg(leg):
                    if leg not in self.open:
                        continue
                    self.open[leg].ending = True
                    self.silence(leg)
                case Reinvite(leg) | SetHold(leg, True):
                    if leg in self.open:
                        self.open[leg].media = False
                case ConnectPhone(leg):
                    self.heard = leg
                case DisconnectPhone():
                    self.heard = None
                case _:
                    pass
            self._actions.append(action)

    def connect(self, leg: int) -> None:
        """Let the phone hear this leg and no other, once it has audio."""
        if leg not in self.open or not self.open[leg].media or self.open[leg].ending:
            return
        if self.heard != leg:
            self.silence(self.heard)
        self.ring_back(False)
        self.emit(ConnectPhone(leg))

    def silence(self, leg: int | None) -> None:
        """Part the phone from this leg, if it hears it."""
        if leg is not None and self.heard == leg:
            self.emit(DisconnectPhone(leg))

    def ring_back(self, on: bool) -> None:
        """The ringing tone of our own."""
        if on != self.ringback:
            self.ringback = on
            self.emit(Ringback(on))

    def over(self, leg: int) -> None:
        """The leg's dialog is gone."""
        self.silence(leg)
        del self.open[leg]
