"""Door to the daemon: each question on a connection of its own, for requests come from many threads.

Law: the page knows nothing that it has not just asked; what the daemon refuses is shown in its words.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from gateway.client import Client, GoneError
from gateway.errors import RefusedError
from gateway.messages import AnyMessage, Follow, GetStatus, Refused, StatusNow
from gateway.status import Status

__all__ = ["Box", "GoneError", "RefusedWhole"]

ANSWER_S = 15.0
MessageT = TypeVar("MessageT")


class RefusedWhole(RefusedError):
    """The daemon refused; `refused` is its word, with every problem of a text of settings."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.what, where=refused.where, remedy=refused.remedy)
        self.refused = refused


class Box:
    """The daemon behind `run`/web.sock. Safe from any thread."""

    def __init__(self, run: Path, socket: str = "web.sock") -> None:
        self._path = run / socket

    def ask(self, message: AnyMessage, wanted: type[MessageT], timeout_s: float = ANSWER_S) -> MessageT:
        """The answer, which is a `wanted`. Raises RefusedWhole, GoneError (also when versions differ)."""
        with Client(self._path) as client:
            answer = client.request(message, timeout_s)
        if isinstance(answer, Refused):
            raise RefusedWhole(answer)
        if not isinstance(answer, wanted):
            raise GoneError(
                f"the daemon answered {type(answer).__name__}, which this page does not know",
                where=str(self._path),
                remedy="Restart it, so that page and daemon are of one version",
            )
        return answer

    def status(self) -> Status:
        """The whole appliance now."""
        return self.ask(GetStatus(), StatusNow).status

    def events(self, patience_s: float) -> Iterator[AnyMessage | None]:
        """What happens, as it happens; None: nothing did for `patience_s`. Raises GoneError at the end."""
        with Client(self._path) as client:
            client.request(Follow(changes=True), ANSWER_S)
            while True:
                heard = client.heard(patience_s)
                yield from heard
                if not heard:
                    yield None
