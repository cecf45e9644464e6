"""The analog phones of a box, put together: board file, ports, sockets, listeners. It decides nothing.

Without a board file there are none; phones of the settings that find no port are told in the log.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from gateway.errors import GatewayError
from gateway.inbox import Inbox, Post
from gateway.phones.model import FromPhone, OffHook, OnHook, Tone
from gateway.phones.ports import FromCard, PortSetup
from gateway.phones.profiles import Profile, profile
from gateway.phones.slic import BOARD, Slic
from gateway.phones.slicboard import Board, parse
from gateway.phones.sockets import Audio, Hardware, Socket, Sockets

if TYPE_CHECKING:  # its library takes 2 MB, which a box without analog phones keeps
    from gateway.phones.dsp import DtmfReceiver

log = logging.getLogger(__name__)


DIAL_TONES: Final = frozenset({"dial", "second", "stutter"})
"""The names of sounds.py's files end so."""
OpenPorts = Callable[[Post[FromCard], str, str, Mapping[int, PortSetup]], Slic]


@dataclass(frozen=True, slots=True)
class WantedPort:
    """A phone of the settings. `ring_hz` 0: as its country has it."""

    port: int
    country: str
    ring_hz: int = 0

    @property
    def profile(self) -> Profile:
        known = profile(self.country)
        return dataclasses.replace(known, ring_hz=float(self.ring_hz)) if self.ring_hz else known


class Earpieces(Audio, Protocol):
    """The engine's ends: files are played into them, keys listened to."""

    def listen(self, end: str, on: bool) -> None: ...


class AnalogPhones:
    """All of them. `run()` in a task group; the rest on its loop. `door` opens the ports of a board."""

    def __init__(self, lines: Post[FromPhone], board: Path = BOARD, door: OpenPorts = Slic) -> None:
        self._said: Inbox[FromCard] = Inbox()
        self._lines = lines
        self._file = board
        self._door = door
        self._text = ""
        self._board: Board | None = None
        self._slic: Slic | None = None
        self._sockets: Sockets | None = None
        self._wanted: dict[str, WantedPort] = {}
        self._audio: Earpieces | None = None
        self._tones: dict[str, Tone | None] = {}
        self._receivers: dict[str, DtmfReceiver] = {}
        self._there = asyncio.Event()

    def want(self, wanted: Mapping[str, WantedPort], audio: Earpieces, directory: Path) -> None:
        """The analog phones of the settings; `directory` takes files of caller ID."""
        self._wanted = dict(wanted)
        self._audio = audio
        if self._board is None and (not wanted or not self._open()):
            return
        assert self._board is not None
        cards = {port.number: port.card for port in self._board.ports}
        for name, phone in wanted.items():
            if phone.port not in cards:
                log.error("%s hangs on port %d, which %s has not", name, phone.port, self._file)
        found = {name: phone for name, phone in wanted.items() if phone.port in cards}
        setups = {phone.port: _setup(phone.profile) for phone in found.values()}
        if self._slic is None or self._sockets is None:
            self._slic = self._door(self._said, self._text, str(self._file), setups)
            self._sockets = Sockets(self._said, self._slic, self._lines, audio, directory)
            self._there.set()
        self._slic.replan(setups)
        self._sockets.replan(
            {
                name: Socket(name, phone.port, cards[phone.port], phone.profile)
                for name, phone in found.items()
            }
        )

    def hardware(self, phone: str) -> Hardware | None:
        """The door of one phone; None on a box without analog ports."""
        return self._sockets.hardware(phone) if self._sockets is not None else None

    def follow(self, said: FromPhone) -> None:
        """Listen to the keys of a phone that was lifted, after its sound device was opened."""
        if said.phone in self._wanted and self._audio is not None:
            if isinstance(said.event, OffHook | OnHook):
                self._audio.listen(said.phone, isinstance(said.event, OffHook))

    def hears(self, phone: str, paths: tuple[str, ...]) -> None:
        """These files are played into a phone: through dial tone, its keys are heard all the same."""
        if phone not in self._wanted:
            return
        # tone-DE-dial.wav: it is the country of the file that counts, not the phone's.
        names = [Path(path).stem.split("-", 2) for path in paths]
        dial = next((name[1] for name in names if name[0] == "tone" and name[-1] in DIAL_TONES), None)
        country = profile(dial) if dial else None
        self._tones[phone] = Tone("dial", country.dial.steps + country.stutter.steps) if country else None
        if (receiver := self._receivers.get(phone)) is not None:
            receiver.playing(self._tones[phone])

    def listener(self, phone: str) -> "DtmfReceiver":
        """What hears the keys of a phone, from now on. Safe from any thread."""
        from gateway.phones.dsp import DtmfReceiver

        receiver = self._receivers[phone] = DtmfReceiver()
        receiver.playing(self._tones.get(phone))
        return receiver

    async def run(self) -> None:
        """Until cancelled."""
        await self._there.wait()
        assert self._slic is not None
        assert self._sockets is not None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._slic.run(), name="line card")
            tasks.create_task(self._sockets.run(), name="analog sockets")

    def _open(self) -> bool:
        try:
            self._text = self._file.read_text(encoding="utf-8")
            self._board = parse(self._text, str(self._file))
        except FileNotFoundError:
            log.error("there are analog phones in the settings, but no board file %s", self._file)
        except (GatewayError, OSError, UnicodeDecodeError) as error:
            log.error("the analog ports cannot be used: %s", error)
        return self._board is not None


def _setup(country: Profile) -> PortSetup:
    return PortSetup(country.times, country.dial_pulses, country.ring_hz)
