"""SIP transactions over one UDP socket (RFC 3261 §17): retransmissions, kept responses, ACK of refusals."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, cast

from tests.lab import message as sip

T1_S: Final = 0.5
T2_S: Final = 4.0
TIMEOUT_S: Final = 32.0
_KEPT: Final = 5000


class Transactions(asyncio.DatagramProtocol):
    """The ground under a user agent: it gets each new request once, and awaits the responses to its own."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], bytes] = {}
        self._waiting: dict[tuple[str, str], asyncio.Queue[sip.Message]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    def request_came(self, request: sip.Message) -> None:
        """A request that is no retransmission."""
        raise NotImplementedError

    def late_success_came(self, response: sip.Message) -> None:
        """A 2xx to an INVITE again: its ACK was lost."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = sip.parse(data)
        if message is None:
            return
        key = (sip.parameter(message.get("via"), "branch"), message.method)
        if message.status:
            if key in self._waiting:
                self._waiting[key].put_nowait(message)
            elif message.method == "INVITE" and 200 <= message.status < 300:
                self.late_success_came(message)
        elif key in self._answers:
            self._send(self._answers[key], addr)
        else:
            self.request_came(message)

    def _send(self, data: bytes, to: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(data, to)

    def _spawn(self, work: Any) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _answer(self, request: sip.Message, response: sip.Message) -> None:
        """Send a response where the topmost Via says, and keep it for retransmissions."""
        data = response.encode()
        self._answers[sip.parameter(request.get("via"), "branch"), request.method] = data
        if len(self._answers) > _KEPT:
            self._answers.pop(next(iter(self._answers)))
        self._send(data, _reply_to(request))

    def _repeat(self, request: sip.Message) -> None:
        """Send the last response to a request once more."""
        kept = self._answers.get((sip.parameter(request.get("via"), "branch"), request.method))
        if kept is not None:
            self._send(kept, _reply_to(request))

    async def _transact(
        self, request: sip.Message, on_provisional: Callable[[sip.Message], None] | None = None
    ) -> sip.Message:
        """A client transaction; a timeout is a 408 of our own."""
        key = (sip.parameter(request.get("via"), "branch"), request.method)
        queue = self._waiting[key] = asyncio.Queue()
        route = request.get("route")
        to = sip.host_port(route) if route else sip.host_port(request.uri)
        data, wait_s, until_s, ringing = request.encode(), T1_S, time.monotonic() + TIMEOUT_S, False
        try:
            self._send(data, to)
            while time.monotonic() < until_s or ringing:
                try:
                    response = await asyncio.wait_for(queue.get(), None if ringing else wait_s)
                except TimeoutError:
                    wait_s = min(2 * wait_s, T2_S)
                    self._send(data, to)
                    continue
                if response.status >= 300 and request.method == "INVITE":
                    self._acknowledge_refusal(request, response, to)
                if response.status >= 200:
                    return response
                ringing = request.method == "INVITE"
                if on_provisional is not None:
                    on_provisional(response)
        finally:
            del self._waiting[key]
        return sip.Message("SIP/2.0 408 Request Timeout", [("cseq", request.get("cseq"))])

    def _acknowledge_refusal(self, invite: sip.Message, response: sip.Message, to: tuple[str, int]) -> None:
        """RFC 3261 §17.1.1.3: the ACK of a refusal belongs to the INVITE's transaction."""
        kept = [(k, v) for k, v in invite.headers if k in ("via", "max-forwards", "route", "from", "call-id")]
        number = invite.get("cseq").split()[0]
        ack = sip.Message(
            f"ACK {invite.uri} SIP/2.0", [*kept, ("to", response.get("to")), ("cseq", f"{number} ACK")]
        )
        self._send(ack.encode(), to)


def _reply_to(request: sip.Message) -> tuple[str, int]:
    """Where the topmost Via wants the response (RFC 3261 §18.2.2, RFC 3581)."""
    via = request.get("via")
    host, port = sip.host_port("sip:" + via.split(";")[0].split()[-1])
    return sip.parameter(via, "received") or host, int(sip.parameter(via, "rport") or port)
