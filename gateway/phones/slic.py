"""Door: the process that has the wires of the analog ports (linecard.py), started, watched and spoken to.

It is another process because a bell must not wait for calls, and because its end, however it comes, is seen
here: then the bells are silenced once more, its phones are unplugged, and it is started anew. Events arrive
in the inbox with the kernel's time stamps.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

from gateway.errors import GatewayError
from gateway.inbox import Post
from gateway.phones import card
from gateway.phones.hook import Heard
from gateway.phones.linecard import PACKET
from gateway.phones.model import Digit, DigitBegan, Flash, OffHook, OnHook
from gateway.phones.ports import CardDown, CardUp, FromCard, FromPort, PortSetup
from gateway.phones.slicboard import parse

log = logging.getLogger(__name__)

BOARD: Final = Path("/etc/steadyline/board.toml")
"""One of image/boards, or the owner's own; without it there are no analog ports. The unit knows it too."""
PING_S: Final = 1.0
SILENT_S: Final = 3.0
"""A process that has not answered for so long hangs: it is killed."""
START_S: Final = 20.0
"""Its first word may take so long: a small machine that boots has much else to do."""
AGAIN_S: Final = 1.0
AGAIN_MOST_S: Final = 30.0
"""It is started again after a second, and ever later while its lives are shorter than this."""

_KINDS: Final[Mapping[str, type[OffHook | OnHook | Flash]]] = {
    "OffHook": OffHook,
    "OnHook": OnHook,
    "Flash": Flash,
}


@dataclass(slots=True)
class _Process:
    pid: int
    line: socket.socket
    heard_s: float


Start = Callable[[socket.socket], int]


class Slic:
    """All analog ports of one board. `run()` in a task group; `command` on its loop.

    `start` runs the other process on one end of a socket and gives its number; `silence` drives the bells
    low after its death.
    """

    def __init__(
        self,
        inbox: Post[FromCard],
        board: str,
        source: str,
        ports: Mapping[int, PortSetup],
        start: Start | None = None,
        silence: Callable[[], None] | None = None,
    ) -> None:
        self._inbox = inbox
        self._board = (board, source)
        parse(board, source)  # a faulty file is told before anything is started
        self._ports = dict(ports)
        self._start = start or spawn
        self._silence = silence or self._drive_low
        self._process: _Process | None = None

    def command(self, port: int, command: card.Command) -> None:
        """Have a port do something; nothing happens while the wires are not ours."""
        match command:
            case card.Burst(ms):
                self._say("burst", port, ms)
            case card.Stop():
                self._say("stop", port)
            case card.Reverse(on):
                self._say("reverse", port, on)
            case card.Power(on):
                self._say("power", port, on)

    def replan(self, ports: Mapping[int, PortSetup]) -> None:
        """New settings; a port whose own have not changed goes on."""
        for number, setup in ports.items():
            if self._ports.get(number) != setup:
                self._set_up(number, setup)
        self._ports = dict(ports)

    def _set_up(self, number: int, setup: PortSetup) -> None:
        self._say("port", number, setup.dial, setup.ring_hz, astuple(setup.times))

    async def run(self) -> None:
        """Until cancelled: then the bells are silent and the process is gone."""
        loop, rest_s = asyncio.get_running_loop(), AGAIN_S
        while True:
            began_s = loop.time()
            why = await self._one_life()
            log.warning("the analog ports are out of work: %s", why)
            self._inbox.post(CardDown(why))
            short = loop.time() - began_s < AGAIN_MOST_S
            await asyncio.sleep(rest_s if short else AGAIN_S)
            rest_s = min(2 * rest_s, AGAIN_MOST_S) if short else AGAIN_S

    async def _one_life(self) -> str:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with ours, contextlib.ExitStack() as stack:
            with theirs:
                try:
                    pid = self._start(theirs)
                except OSError as error:
                    return f"its process cannot be started ({error.strerror})"
            self._process = process = _Process(pid, ours, loop.time() + START_S - SILENT_S)
            stack.callback(self._end, process)
            gone: asyncio.Future[str] = loop.create_future()
            loop.add_reader(ours, self._readable, process, gone)
            stack.callback(loop.remove_reader, ours)
            self._say("board", *self._board)
            while not gone.done():
                self._say("ping")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PING_S):
                        return await asyncio.shield(gone)
                if loop.time() - process.heard_s > SILENT_S:
                    return f"its process said nothing for {SILENT_S:g} s"
            return gone.result()

    def _readable(self, process: _Process, gone: "asyncio.Future[str]") -> None:
        try:
            packet = process.line.recv(PACKET)
        except (BlockingIOError, ConnectionResetError):
            return  # it ended with a word of ours unread: its own last words come next
        if gone.done():
            return
        if not packet:
            gone.set_result("its process ended")
            return
        process.heard_s = asyncio.get_running_loop().time()
        match json.loads(packet):
            case ["heard", int(port), str(kind), str(key), float(at_s)]:
                self._inbox.post(FromPort(port, _heard(kind, key, at_s)))
            case ["ready"]:
                for number, setup in self._ports.items():
                    self._set_up(number, setup)
                self._say("begin")
            case ["begun"]:
                self._inbox.post(CardUp())
            case ["failed", str(what), str(where), str(remedy)]:
                gone.set_result(f"{where}: {what}. {remedy}")
            case _:
                pass  # a pong: it was heard

    def _say(self, *words: Any) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):  # its death is seen by who reads
                self._process.line.send(json.dumps(words).encode())

    def _end(self, process: _Process) -> None:
        """The process is gone when this returns, and ring mode is low."""
        self._process = None
        with contextlib.suppress(ProcessLookupError):
            # Killed, not asked: it may hang. Closing our end would end it as well.
            os.kill(process.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, 0)
        try:
            self._silence()
        except (GatewayError, OSError) as error:
            log.error("the bells may ring on: %s", error)

    def _drive_low(self) -> None:
        from gateway.phones import gpio  # not on machines without analog ports

        gpio.silence(parse(*self._board))


def _heard(kind: str, key: str, at_s: float) -> Heard:
    if kind == "Digit":
        return Digit(key, "pulse", at_s)
    if kind == "DigitBegan":
        return DigitBegan("pulse", at_s)
    return _KINDS[kind](at_s)


_PROGRAM: Final = """
import sys
sys.path[:] = {path!r}
from gateway.phones.linecard import main
sys.exit(main(sys.argv[1:]))
"""


def spawn(line: socket.socket) -> int:
    """Start linecard.py of this package on this socket; its process number. Raises OSError."""
    fd = line.fileno()
    os.set_inheritable(fd, True)
    words = [sys.executable, "-I", "-c", _PROGRAM.format(path=sys.path), str(fd)]
    return os.posix_spawn(sys.executable, words, os.environ, setsigmask=())
