"""The one crossing from threads and callbacks to a loop: `post` from anywhere, `next` on the loop."""

import asyncio
from collections import deque
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
        self._items: deque[T] = deque()
        self._arrived = asyncio.Event()

    def post(self, item: T) -> None:
        """Append `item`; safe from any thread. Dropped once the reader's loop has closed."""
        self._items.append(item)
        # Seen set: the reader will look again after its next clear(), hence also at this item.
        if self._arrived.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:
            self._items.clear()

    async def next(self, until: float | None = None) -> T | None:
        """The oldest item, or None once the loop's time has reached `until`."""
        while not self._items:
            self._arrived.clear()
            if self._items:
                break
            if until is not None and until <= self._loop.time():
                return None
            try:
                async with asyncio.timeout_at(until):
                    await self._arrived.wait()
            except TimeoutError:
                continue
        return self._items.popleft()

    def __len__(self) -> int:
        return len(self._items)
