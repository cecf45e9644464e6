"""Door to the control socket for a program that asks and ends: without asyncio, to start fast."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from gateway import wire
from gateway.errors import DoorError, WireError
from gateway.messages import AnyMessage, Envelope, Refused


class GoneError(DoorError):
    """The daemon is not there, has left, or does not answer."""


class Client:
    """A connection to the hub; a context manager. Raises GoneError, with how to start the daemon, when nobody
    listens; `remedy` can name another way to start it."""

    def __init__(self, path: Path, remedy: str = "Start it: systemctl start gateway") -> None:
        self._where = str(path)
        self._remedy = remedy
        self._splitter = wire.LineSplitter()
        self._heard: list[Envelope] = []
        self._last_id = 0
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(os.fspath(path))
        except PermissionError:
            self._socket.close()
            raise GoneError(
                "you may not use this socket",
                where=self._where,
                remedy="Use root (sudo), or a user of the group that owns the socket",
            ) from None
        except (OSError, ValueError) as error:  # ValueError: no name of a file
            self._socket.close()
            raise GoneError(
                f"the daemon is not there ({getattr(error, 'strerror', None) or error})",
                where=self._where,
                remedy=remedy,
            ) from None

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def request(self, message: AnyMessage, timeout_s: float) -> AnyMessage:
        """The answer to `message`. Raises GoneError when none comes in time or the daemon leaves, WireError
        when it says that we do not speak its protocol."""
        self._last_id += 1
        number = self._last_id
        with contextlib.suppress(OSError):  # it may have refused us already: its word is still to be read
            self._socket.sendall(wire.encode(Envelope(body=message, id=number)))
        until = time.monotonic() + timeout_s
        while True:
            heard = self._read(until, type(message).__name__, timeout_s)
            self._heard += [envelope for envelope in heard if not envelope.re]
            for envelope in heard:
                if envelope.re == number:
                    return envelope.body

    def events(self) -> Iterator[AnyMessage]:
        """What the hub says unasked, as it comes; ends with GoneError when the daemon leaves."""
        while True:
            yield from self.heard(None)

    def heard(self, patience_s: float | None) -> list[AnyMessage]:
        """What the hub has said unasked; when there is nothing, waits for `patience_s` (None: as long as it
        takes) and then gives nothing. Raises GoneError when the daemon leaves."""
        until = None if patience_s is None else time.monotonic() + patience_s
        while not self._heard:
            try:
                self._heard = self._receive(until)
            except TimeoutError:
                return []
        heard, self._heard = self._heard, []
        return [envelope.body for envelope in heard]

    def _read(self, until: float, asked: str, timeout_s: float) -> list[Envelope]:
        try:
            return self._receive(until)
        except TimeoutError:
            raise GoneError(
                f"no answer to {asked} within {timeout_s:g} s",
                where=self._where,
                remedy="Try again; if it stays so, see: journalctl -u gateway",
            ) from None

    def _receive(self, until: float | None) -> list[Envelope]:
        """What comes next. Raises TimeoutError when nothing has come by then, GoneError at the end."""
        remaining_s = None if until is None else until - time.monotonic()
        if remaining_s is not None and remaining_s <= 0:
            raise TimeoutError
        try:
            self._socket.settimeout(remaining_s)
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            raise
        except OSError as error:
            raise GoneError(f"the daemon left ({error})", where=self._where, remedy=self._remedy) from None
        if not data:
            raise GoneError("the daemon closed the connection", where=self._where, remedy=self._remedy)
        heard = [wire.decode(line) for line in self._splitter.feed(data)]
        for envelope in heard:
            if isinstance(envelope.body, Refused) and not envelope.re:
                refused = envelope.body
                raise WireError(refused.what, where=refused.where, remedy=refused.remedy)
        return heard
