"""Door to the control socket for an asyncio process: `connect`, or `keep_linked` to outlive the hub."""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Never

from gateway import wire
from gateway.errors import DoorError, GatewayError, WireError
from gateway.inbox import Post
from gateway.messages import AnyMessage, Envelope, Refused


class Link:
    """A connection to the hub. Answers go to their `request`; all else comes out of `async for`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        self._reader = reader
        self._writer = writer
        self._name = name
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[AnyMessage]] = {}
        self._unasked: asyncio.Queue[Envelope | None] = asyncio.Queue()
        self._end: GatewayError | None = None
        self._reading = asyncio.create_task(self._read(), name=f"link {name}")

    async def request(self, message: AnyMessage, timeout_s: float) -> AnyMessage:
        """The answer to `message` (a Refused is an answer). Raises DoorError when none comes in time or the
        link ends first, WireError when the hub says that we do not speak its protocol."""
        if self._end:
            raise self._end
        self._last_id += 1
        number = self._last_id
        answer: asyncio.Future[AnyMessage] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self.send(message, id=number)
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise DoorError(
                f"no answer to {type(message).__name__} within {timeout_s:g} s",
                where=self._name,
                remedy="Try again; if it stays so, see `journalctl -u gateway`",
            ) from None
        finally:
            del self._waiting[number]

    def send(self, message: AnyMessage, *, id: int = 0, re: int = 0) -> None:
        """Queue a message. On a link that has ended it is lost silently: the reader learns of the end."""
        line = wire.encode(Envelope(body=message, id=id, re=re))
        if not self._writer.is_closing():
            self._writer.write(line)

    async def __aiter__(self) -> AsyncIterator[Envelope]:
        """Messages that answer no request of ours, until the link ends."""
        while (envelope := await self._unasked.get()) is not None:
            yield envelope
        self._unasked.put_nowait(None)

    @property
    def end(self) -> GatewayError | None:
        """Why the link ended; None while it stands."""
        return self._end

    async def close(self) -> None:
        """End the link; what was queued still leaves when the hub reads."""
        self._writer.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        splitter = wire.LineSplitter()
        end: GatewayError = DoorError(
            "the daemon closed the connection", where=self._name, remedy="See `journalctl -u gateway`"
        )
        try:
            while data := await self._reader.read(1 << 16):
                for line in splitter.feed(data):
                    envelope = wire.decode(line)
                    body = envelope.body
                    if envelope.re and (waiting := self._waiting.get(envelope.re)):
                        if not waiting.done():
                            waiting.set_result(body)
                    elif isinstance(body, Refused) and not envelope.re:
                        end = WireError(body.what, where=body.where, remedy=body.remedy)
                    elif not envelope.re:
                        self._unasked.put_nowait(envelope)
        except OSError as error:
            end = DoorError(str(error), where=self._name, remedy="See `journalctl -u gateway`")
        except WireError as error:
            end = error
        finally:
            self._end = end
            self._writer.close()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(end)
            self._unasked.put_nowait(None)


async def connect(path: Path) -> Link:
    """A link to the hub's socket. Raises DoorError, with how to start the daemon, when nobody listens."""
    try:
        reader, writer = await asyncio.open_unix_connection(os.fspath(path))
    except PermissionError:
        raise DoorError(
            "you may not use this socket",
            where=str(path),
            remedy="Use root (sudo), or a user of the group that owns the socket",
        ) from None
    except OSError as error:
        raise DoorError(
            f"the daemon is not there: {error.strerror or error}",
            where=str(path),
            remedy="Start it: systemctl start gateway",
        ) from None
    return Link(reader, writer, str(path))


async def adopt(connected: socket.socket) -> Link:
    """A link over a connected socket (one end of a pair)."""
    return Link(*await asyncio.open_unix_connection(sock=connected), "pair")


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The hub was reached; all that is true must be told anew."""

    link: Link


@dataclass(frozen=True, slots=True)
class LinkSaid:
    """A message of the hub that answers nothing; answer with `link.send(..., re=envelope.id)`."""

    link: Link
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The hub is gone; it is tried again without end."""

    why: str


LinkEvent = LinkUp | LinkSaid | LinkDown


async def keep_linked(
    path: Path, inbox: Post[LinkEvent], *, first_wait_s: float = 0.05, longest_wait_s: float = 1.0
) -> Never:
    """Keep a link to the hub for the life of a process that goes on without it; run it in a TaskGroup."""
    wait_s = first_wait_s
    while True:
        try:
            link = await connect(path)
        except DoorError:
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))
            wait_s = min(wait_s * 2, longest_wait_s)
            continue
        heard = False
        inbox.post(LinkUp(link))
        try:
            async for envelope in link:
                heard = True
                inbox.post(LinkSaid(link, envelope))
        finally:
            await link.close()
        inbox.post(LinkDown(link.end.what if link.end else "the link ended"))
        wait_s = first_wait_s if heard else min(wait_s * 2, longest_wait_s)
        await asyncio.sleep(wait_s)
