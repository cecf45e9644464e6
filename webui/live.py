"""One ear at the daemon for all open pages: what it hears goes to each as server-sent events.

Law: a slow page costs itself alone: its queue is bounded, and what it missed it reads again from the replay.
"""

import json
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from gateway.errors import GatewayError
from gateway.messages import Changed, Event
from webui.box import Box

MOST_PAGES: Final = 24
"""More pages than this ask again every few seconds: each open stream holds one of the server's threads."""
WAITING: Final = 64
REPLAYED: Final = 200
PING_S: Final = 10.0
LOOK_S: Final = 0.3
AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class News:
    """One server-sent event."""

    number: int
    name: str
    data: str

    def __str__(self) -> str:
        return f"id: {self.number}\nevent: {self.name}\ndata: {self.data}\n\n"


class Hub:
    """Start it once; it ends with the process."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._lock = threading.Lock()
        self._pages: set[queue.Queue[News]] = set()
        self._replay: deque[News] = deque(maxlen=REPLAYED)
        self._number = int(time.time() * 1000)
        self._thread = threading.Thread(target=self._listen, name="live", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def open(self, after: int) -> "queue.Queue[News] | None":
        """A page's queue, with what came after event `after` in it (0: nothing); None: there are too many."""
        page: queue.Queue[News] = queue.Queue(WAITING + REPLAYED)
        with self._lock:
            if len(self._pages) >= MOST_PAGES:
                return None
            for news in self._replay:
                if 0 < after < news.number:
                    page.put_nowait(news)
            self._pages.add(page)
        return page

    def close(self, page: "queue.Queue[News]") -> None:
        """The page has gone."""
        with self._lock:
            self._pages.discard(page)

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """Send to every page."""
        with self._lock:
            self._number += 1
            news = News(self._number, name, json.dumps(data, separators=(",", ":")))
            self._replay.append(news)
            for page in list(self._pages):
                try:
                    page.put_nowait(news)
                except queue.Full:
                    self._pages.discard(page)

    def alive(self, page: "queue.Queue[News]") -> bool:
        """False: it was too slow, and is to come again."""
        with self._lock:
            return page in self._pages

    def _listen(self) -> None:
        there = True
        while True:
            try:
                for event in self._box.events(patience_s=60.0):
                    if not there:
                        self.tell("back", {})
                    there = True
                    if isinstance(event, Event):
                        told = ("at", "kind", "text", "uplink", "call")
                        self.tell("event", {name: getattr(event, name) for name in told})
                    elif isinstance(event, Changed):
                        self.tell("changed", {})
            except GatewayError:
                if there:
                    self.tell("gone", {})
                there = False
            time.sleep(AGAIN_S)


def stream(hub: Hub, page: "queue.Queue[News]", gone: Callable[[], bool]) -> Iterator[str]:
    """The body of a stream, until the page is gone or was too slow."""
    try:
        yield f"retry: {int(AGAIN_S * 1000)}\n\n"
        pinged = time.monotonic()
        while not gone() and hub.alive(page):
            try:
                yield str(page.get(timeout=LOOK_S))
            except queue.Empty:
                if time.monotonic() - pinged > PING_S:
                    pinged = time.monotonic()
                    yield ": still here\n\n"
    finally:
        hub.close(page)
