"""Law: whatever ends this process, ring mode is driven low; while it lives, no bell outlasts its burst.

The process that has the wires of the analog ports (`python -m gateway.phones.linecard FD`). It runs in real
time, for a bell's half period is 20 ms and the calls process has other things to do; it imports little and
never waits for anybody. FD is one end of a SOCK_SEQPACKET pair, a JSON list in each packet:

    to it     ["board", TEXT, SOURCE]  once, before all else
              ["port", NUMBER, DIAL, HZ, [the six times of LoopTimes in ms, and lift_settle]]
              ["burst", NUMBER, MS]  ["stop", NUMBER]  ["reverse", NUMBER, ON]  ["power", NUMBER, ON]
              ["begin"]  nothing is heard before it
              ["ping"]
    from it   ["ready"]  ["begun"]  ["pong"]  ["failed", WHAT, WHERE, REMEDY]
              ["heard", NUMBER, KIND, KEY, AT_S]  KIND is the name of a class of model.py

At the other end's death it silences the bells and ends.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from gateway.errors import GatewayError
from gateway.phones import card
from gateway.phones.card import Drive, Port, Swing, Wire
from gateway.phones.hook import Edge
from gateway.phones.pulse import DIALS, LoopTimes
from gateway.phones.slicboard import Board, parse

PRIORITY: Final = 30
"""Above the audio threads of the calls process (20): a bell's edge takes microseconds."""
PACKET: Final = 1 << 16


class Wires(Protocol):
    """The wires of a board: gpio.GpioWires, or a fake of the same behaviour."""

    def fileno(self) -> int: ...
    def levels(self) -> dict[int, bool]: ...
    def edges(self) -> Iterator[tuple[int, Edge]]: ...
    def drive(self, number: int, wire: Wire, high: bool) -> None: ...
    def swing(self, number: int, hz: float) -> None: ...
    def close(self) -> None: ...


class LineCard:
    """Ports, wires and the socket, until one of them ends. `open_wires` raises DoorError."""

    def __init__(self, line: socket.socket, open_wires: Callable[[Board], Wires]) -> None:
        self._line = line
        self._open_wires = open_wires
        self._wires: Wires | None = None
        self._pwm: frozenset[int] = frozenset()
        self._ports: dict[int, Port] = {}
        self._begun = False

    def run(self) -> None:
        """Serve until the other end is gone. Raises OSError when the chip is; RM is low then in any case."""
        try:
            while self._turn():
                pass
        finally:
            if self._wires is not None:
                self._wires.close()

    def _turn(self) -> bool:
        """Wait for what comes next and do it; False: the other end is gone."""
        dues = [port.due for port in self._ports.values()]
        due = min((due for due in dues if due is not None), default=None)
        waits = [self._line.fileno(), *([self._wires.fileno()] if self._wires else [])]
        # select, unlike poll and epoll, waits for microseconds.
        timeout = None if due is None else max(0.0, due - time.monotonic())
        ready, _, _ = select.select(waits, [], [], timeout)
        if self._wires is not None and self._wires.fileno() in ready:
            for number, edge in self._wires.edges():
                if self._begun and number in self._ports:
                    self._do(number, self._ports[number].receive(edge, edge.at_s))
        now = time.monotonic()
        for number, port in self._ports.items():
            if port.due is not None and port.due <= now:
                self._do(number, port.receive(None, now))
        return self._line.fileno() not in ready or self._hear()

    def _hear(self) -> bool:
        try:
            packet = self._line.recv(PACKET)
        except ConnectionError:
            return False
        if not packet:
            return False
        verb, *words = json.loads(packet)
        now = time.monotonic()
        match verb:
            case "ping":
                self._say("pong")
            case "begin":
                self._begun = True
                self._say("begun")
                for number in self._ports:
                    self._look(number, now)
            case "board":
                board = parse(*words)
                self._wires = self._open_wires(board)
                self._pwm = frozenset(port.number for port in board.ports if port.pwm is not None)
                self._say("ready")
            case "port":
                number, dial, hz, times = words
                self._open_port(number, dial, hz, times, now)
            case _ if words and words[0] in self._ports:
                command = _command(verb, words[1:])
                self._do(words[0], self._ports[words[0]].receive(command, now))
        return True

    def _open_port(self, number: int, dial: str, hz: float, times: list[float], now: float) -> None:
        assert self._wires is not None
        if number in self._ports:
            self._do(number, self._ports[number].receive(card.Stop(), now))
        dials = [known for known in DIALS if known == dial]
        port = Port(LoopTimes(*times), dials[0], hz, pwm=number in self._pwm)
        self._ports[number] = port
        self._do(number, port.start())
        if self._begun:
            self._look(number, now)

    def _look(self, number: int, now: float) -> None:
        """A handset that was lifted before anybody listened is lifted now."""
        assert self._wires is not None
        if self._wires.levels().get(number):
            self._do(number, self._ports[number].receive(Edge(True, now), now))

    def _do(self, number: int, outputs: list[card.Output]) -> None:
        assert self._wires is not None
        for output in outputs:
            match output:
                case Drive(wire, high):
                    self._wires.drive(number, wire, high)
                case Swing(hz):
                    self._wires.swing(number, hz)
                case _:
                    self._say("heard", number, type(output).__name__, getattr(output, "key", ""), output.at_s)

    def _say(self, *words: Any) -> None:
        with contextlib.suppress(BlockingIOError):  # who reads nothing for thousands of packets has hung
            self._line.send(json.dumps(words).encode(), socket.MSG_DONTWAIT)


def _command(verb: str, words: list[Any]) -> card.Command:
    if verb == "burst":
        return card.Burst(int(words[0]))
    if verb == "reverse":
        return card.Reverse(bool(words[0]))
    if verb == "power":
        return card.Power(bool(words[0]))
    return card.Stop()


def real_time() -> str:
    """Ask for a real-time turn and memory that stays; what was refused, in words for the log."""
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as error:
        return f"no real-time scheduling ({error.strerror}): bells may stutter while the machine is busy"
    return ""


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def main(argv: list[str]) -> int:
    """Serve the socket of this number; or `--silence BOARD_FILE`: only drive every ring mode low."""
    from gateway.phones import gpio  # heavy, and not for who only wants LineCard

    if argv[:1] == ["--silence"]:
        try:
            with open(argv[1], encoding="utf-8") as file:
                gpio.silence(parse(file.read(), argv[1]))
        except (GatewayError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    signal.signal(signal.SIGTERM, _leave)
    with socket.socket(fileno=int(argv[0])) as line:
        try:
            if complaint := real_time():
                print(complaint, file=sys.stderr)
            LineCard(line, gpio.GpioWires).run()
        except GatewayError as error:
            line.send(json.dumps(["failed", error.what, error.where, error.remedy]).encode())
            return 1
        except OSError as error:
            words = ["failed", f"the wires are gone: {error.strerror}", "analog ports", "Check the board"]
            line.send(json.dumps(words).encode())
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
