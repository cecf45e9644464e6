"""The loop of the analog sockets: ports of the board on one side, lines on the other, a table between them.

It keeps no rule of its own: what a ring is made of is decided by analog.py, what an edge means by the port.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from gateway.inbox import Inbox, Post
from gateway.phones import card
from gateway.phones.analog import Analog, PlaySamples
from gateway.phones.analog import Output as Wanted
from gateway.phones.model import Action, AudioDevice, FromPhone, Plugged, Unplugged
from gateway.phones.ports import CardDown, CardUp, FromCard, FromPort
from gateway.phones.profiles import Profile
from gateway.phones.tones import Clip

RATE_HZ: Final = 8000


class Card(Protocol):
    """The door to the ports (slic.Slic)."""

    def command(self, port: int, command: card.Command) -> None: ...


class Audio(Protocol):
    """The earpieces, by phone: files are played once."""

    def play_into(self, end: str, paths: tuple[str, ...], loop: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Socket:
    """An analog phone of the settings: the port that it hangs on, the sound card there, its country."""

    phone: str
    port: int
    card: str
    profile: Profile


class Sockets:
    """All analog phones. `run()` in a task group, the rest on its loop; `directory` takes caller ID files."""

    def __init__(
        self, said: Inbox[FromCard], door: Card, lines: Post[FromPhone], audio: Audio, directory: Path
    ) -> None:
        self._said = said
        self._door = door
        self._lines = lines
        self._audio = audio
        self._directory = directory
        self._sockets: dict[int, Socket] = {}
        self._phones: dict[int, Analog] = {}
        self._up = False

    def replan(self, sockets: Mapping[str, Socket]) -> None:
        """New settings: a phone that stays where it is goes on; another one is unplugged or plugged in."""
        wanted = {socket.port: socket for socket in sockets.values()}
        for port, socket in list(self._sockets.items()):
            if wanted.get(port) != socket:
                self._door.command(port, card.Stop())
                self._tell(port, Unplugged("it hangs on another port now", self._now()))
                del self._sockets[port], self._phones[port]
        for port in wanted.keys() - self._sockets.keys():
            self._sockets[port] = wanted[port]
            self._phones[port] = Analog(wanted[port].profile)
            if self._up:
                self._plug(port)

    def hardware(self, phone: str) -> "Hardware":
        """One phone, as its line has it."""
        return Hardware(self, phone)

    def perform(self, phone: str, action: Action) -> None:
        """What the line of this phone wants of it; nothing happens while it is not there."""
        for port, socket in self._sockets.items():
            if socket.phone == phone and self._up:
                now = self._now()
                self._do(port, self._phones[port].receive(action, now))
                # The loop waits for a due that may be another now: wake it.
                self._said.post(FromPort(port, None))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            dues = [phone.due for phone in self._phones.values()]
            said = await self._said.next(until=min((due for due in dues if due is not None), default=None))
            now = self._now()
            match said:
                case CardUp():
                    self._up = True
                    for port in self._sockets:
                        self._plug(port)
                case CardDown(why):
                    self._down(why, now)
                case FromPort(port, heard) if port in self._phones and heard is not None:
                    self._do(port, self._phones[port].receive(heard, now))
                case _:
                    pass
            for port, phone in self._phones.items():
                if phone.due is not None and phone.due <= now:
                    self._do(port, phone.receive(None, now))

    def _plug(self, port: int) -> None:
        device = f"plughw:CARD={self._sockets[port].card},DEV=0"
        self._tell(port, Plugged(AudioDevice(device, device), self._now()))

    def _down(self, why: str, now: float) -> None:
        if self._up:
            self._up = False
            for port, phone in self._phones.items():
                phone.down()
                self._tell(port, Unplugged(why, now))

    def _do(self, port: int, outputs: list[Wanted]) -> None:
        for output in outputs:
            match output:
                case card.Burst() | card.Stop() | card.Reverse() | card.Power():
                    self._door.command(port, output)
                case PlaySamples(samples):
                    phone = self._sockets[port].phone
                    path = self._directory / f"caller-{port}.wav"
                    self._directory.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(Clip(samples, RATE_HZ, loops=False).wav())
                    self._audio.play_into(phone, (str(path),), False)
                case _:
                    self._lines.post(FromPhone(self._sockets[port].phone, output))

    def _tell(self, port: int, event: Plugged | Unplugged) -> None:
        self._lines.post(FromPhone(self._sockets[port].phone, event))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class Hardware:
    """One phone, as the desk has it."""

    sockets: Sockets
    phone: str

    def do(self, action: Action) -> None:
        """What its line wants of it."""
        self.sockets.perform(self.phone, action)
