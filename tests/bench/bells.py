"""How evenly software swings a bell: half periods of 20 ms, driven by the line card's process, two ports.

    python -m tests.bench bells

With real-time scheduling, as in the unit; once on a quiet machine, once with three processes that never rest.
A thread of an ordinary Python process needs 7-33 ms for 20 ms, and up to 86 ms beside two busy ones.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import astuple
from itertools import pairwise
from typing import Final

from gateway.phones.card import Wire
from gateway.phones.hook import Edge
from gateway.phones.linecard import LineCard, real_time
from gateway.phones.pulse import LoopTimes
from tests.bench.figures import Figure

HALF_MS: Final = 20.0
BOARD: Final = """
name = "bench"
chip = "none"
[[ports]]
number = 1
card = "a"
hook = 1
ring = 2
polarity = 3
[[ports]]
number = 2
card = "b"
hook = 4
ring = 5
polarity = 6
"""


class Clock:
    """Wires that only write down when F/R of port 1 changed."""

    def __init__(self) -> None:
        self._pipe = os.pipe()
        self.times: list[float] = []

    def fileno(self) -> int:
        return self._pipe[0]

    def levels(self) -> dict[int, bool]:
        return {1: False, 2: False}

    def edges(self) -> Iterator[tuple[int, Edge]]:
        return iter(())

    def drive(self, number: int, wire: Wire, high: bool) -> None:
        if (number, wire) == (1, "fr"):
            self.times.append(time.monotonic())

    def swing(self, number: int, hz: float) -> None:
        pass

    def close(self) -> None:
        for end in self._pipe:
            os.close(end)


def run(quick: bool) -> list[Figure]:
    """How far half periods are off, in ms."""
    bursts = 1 if quick else 6
    figures = []
    for busy, what in ((0, "quiet machine"), (3, "three busy processes")):
        off, complaint = _swing(bursts, busy)
        figures.append(
            Figure(
                f"bell by software, {what}: off a half period",
                "ms",
                off,
                5.0,
                note=complaint,
            )
        )
    return figures


def _swing(bursts: int, busy: int) -> tuple[list[float], str]:
    """(ms off, of each half period; what was refused of real time)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    result, written = os.pipe()
    with ExitStack() as stack:
        card = os.fork()
        if card == 0:
            ours.close()
            clock = Clock()
            complaint = real_time()
            LineCard(theirs, lambda board: clock).run()
            gaps = [(b - a) * 1000 for a, b in pairwise(clock.times)]
            off = [abs(gap - HALF_MS) for gap in gaps if gap < 5 * HALF_MS]
            with os.fdopen(written, "w") as file:
                json.dump([off, complaint], file)
            os._exit(0)
        theirs.close()
        os.close(written)
        for _ in range(busy):
            if (child := os.fork()) == 0:
                ours.close()  # else the card would not see its end
                while True:
                    pass
            stack.callback(os.waitpid, child, 0)
            stack.callback(os.kill, child, 9)
        words: list[list[object]] = [["board", BOARD, "bench"]]
        words += [["port", port, "normal", 500 / HALF_MS, astuple(LoopTimes())] for port in (1, 2)]
        for word in words:
            ours.send(json.dumps(word).encode())
        for _ in range(bursts):
            for port in (1, 2):
                ours.send(json.dumps(["burst", port, 2000]).encode())
            time.sleep(2.5)
        ours.close()
        with os.fdopen(result) as file:
            off, complaint = json.load(file)
        os.waitpid(card, 0)
    return off, complaint
