"""The one crossing from threads and callbacks to a loop: `post` from anywhere, `next` on the loop."""

import asyncio
from collections import deque
from threading import get_ident
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
Posted = TypeVar("Posted", contravariant=True)


class Post(Protocol[Posted]):
    """The posting side of an inbox: one that takes more kinds will do where fewer are posted."""

    def post(self, item: Posted) -> None: ...

    def __len__(self) -> int: ...


class Inbox(Generic[T]):
    """An unbounded queue in order of posting; deadlines are the loop's seconds (`time.monotonic()`, unless
    a test gave the loop another clock).

    Create it on the loop that will read it. One reader only.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._home = get_ident()
        self._items: deque[T] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._calling = False

    def post(self, item: T) -> None:
        """Append `item`; safe from any thread. Dropped once the reader's loop has closed."""
        self._items.append(item)
        if get_ident() == self._home:  # most are: no detour through the loop's own socket
            if self._loop.is_closed():
                self._items.clear()
            else:
                self._wake()
            return
        # Seen set: the call that set it has not run yet, and the reader it wakes will find this item too.
        if self._calling:
            return
        self._calling = True
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            self._items.clear()

    async def next(self, until: float | None = None) -> T | None:
        """The oldest item, or None once the loop's time has reached `until`."""
        while not self._items:
            if until is not None and until <= self._loop.time():
                return None
            self._reader = self._loop.create_future()
            timer = None if until is None else self._loop.call_at(until, self._wake)
            try:
                await self._reader
            finally:
                self._reader = None
                if timer is not None:
                    timer.cancel()
        return self._items.popleft()

    def _wake(self) -> None:
        self._calling = False
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def __len__(self) -> int:
        return len(self._items)
