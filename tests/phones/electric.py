"""A SLIC board of wires alone, and phones on it: what gpio.GpioWires is for real hardware.

`World` is the hardware, in the test: handsets are lifted and put down, and wires keep the level that was
driven last when their process dies. `python -m tests.phones.electric LINE WORLD` is linecard.py over it: the
numbers of two sockets, to who commands it and to the world.
"""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.phones.card import Wire
from gateway.phones.hook import Edge
from gateway.phones.linecard import LineCard
from gateway.phones.slicboard import Board

REST: Final[dict[Wire, bool]] = {"rm": False, "fr": True, "pd": False}


class World:
    """Ports with phones; on a loop. `swings` counts the strokes of each bell."""

    def __init__(self, ports: int) -> None:
        self.swings = dict.fromkeys(range(1, ports + 1), 0)
        self.closed = dict.fromkeys(self.swings, False)
        self._levels = {(port, wire): high for port in self.swings for wire, high in REST.items()}
        self._line: socket.socket | None = None
        self.pids: list[int] = []

    def start(self, line: socket.socket) -> int:
        """As slic.spawn, for this board."""
        self.close()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setblocking(False)
        asyncio.get_running_loop().add_reader(self._line, self._driven, self._line)
        with theirs:
            for end in (line, theirs):
                os.set_inheritable(end.fileno(), True)
            words = [sys.executable, "-m", "tests.phones.electric", str(line.fileno()), str(theirs.fileno())]
            self.pids.append(os.posix_spawn(sys.executable, words, os.environ))
        for port, closed in self.closed.items():
            self._say("level", port, closed)
        return self.pids[-1]

    def silence(self) -> None:
        """As gpio.silence."""
        for port in self.swings:
            self._levels[port, "rm"] = False

    def move(self, port: int, closed: bool) -> None:
        """The hook contact."""
        self.closed[port] = closed
        self._say("edge", port, closed, time.monotonic())

    async def play(self, port: int, moves: Sequence[tuple[bool, float]]) -> None:
        """Contact changes, each followed by so many seconds: all at once, with stamps of when they were."""
        at_s = time.monotonic() - sum(lasts for _, lasts in moves)
        edges = []
        for closed, lasts_s in moves:
            edges.append([closed, at_s])
            at_s += lasts_s
            self.closed[port] = closed
        self._say("edges", port, edges)

    def level(self, port: int, wire: Wire) -> bool:
        return self._levels[port, wire]

    def unplug(self) -> None:
        """The chip is gone."""
        self._say("gone")

    def close(self) -> None:
        if self._line is not None:
            asyncio.get_running_loop().remove_reader(self._line)
            self._line.close()
            self._line = None

    def _say(self, *words: object) -> None:
        if self._line is not None:
            self._line.send(json.dumps(words).encode())

    def _driven(self, line: socket.socket) -> None:
        try:
            packet = line.recv(4096)
        except OSError:
            packet = b""
        if not packet:
            asyncio.get_running_loop().remove_reader(line)
            return
        port, wire, high = json.loads(packet)
        if wire == "fr" and self._levels[port, "rm"] and self._levels[port, "fr"] != high:
            self.swings[port] += 1
        self._levels[port, wire] = high


class RemoteWires:
    """The wires in the other process: all is the world's."""

    def __init__(self, line: socket.socket, board: Board) -> None:
        self._line = line
        self._levels = {port.number: False for port in board.ports}
        for _ in board.ports:
            _, port, closed = json.loads(line.recv(4096))
            self._levels[port] = closed

    def fileno(self) -> int:
        return self._line.fileno()

    def levels(self) -> dict[int, bool]:
        return self._levels

    def edges(self) -> Iterator[tuple[int, Edge]]:
        match json.loads(self._line.recv(4096)):
            case ["edge", port, closed, at_s]:
                self._levels[port] = closed
                yield port, Edge(closed, at_s)
            case ["edges", port, list(edges)]:
                yield from ((port, Edge(closed, at_s)) for closed, at_s in edges)
            case _:
                raise OSError(19, "No such device")

    def drive(self, number: int, wire: Wire, high: bool) -> None:
        self._line.send(json.dumps([number, wire, high]).encode())

    def swing(self, number: int, hz: float) -> None:
        raise NotImplementedError

    def close(self) -> None:
        for number in self._levels:
            self.drive(number, "rm", False)
        self._line.close()


def main(line: int, world: int) -> int:
    """Serve until one of the two ends; as linecard.main."""
    with socket.socket(fileno=line) as ours:
        wires = socket.socket(fileno=world)
        try:
            LineCard(ours, lambda board: RemoteWires(wires, board)).run()
        except OSError as error:
            ours.send(
                json.dumps(["failed", f"the wires are gone: {error.strerror}", "test", "Go on"]).encode()
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
