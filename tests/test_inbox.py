"""Order, threads, deadlines: nothing posted is lost, nothing waits past its time."""

import asyncio
import threading
import time

import pytest

from gateway.inbox import Inbox


def test_order_and_length() -> None:
    async def main() -> None:
        inbox = Inbox[int]()
        for n in range(5):
            inbox.post(n)
        assert len(inbox) == 5
        assert [await inbox.next() for _ in range(5)] == [0, 1, 2, 3, 4]
        assert len(inbox) == 0

    asyncio.run(main())


def test_a_due_time_in_the_past_is_due_at_once_but_items_come_first() -> None:
    async def main() -> None:
        inbox = Inbox[str]()
        past = time.monotonic() - 1
        assert await inbox.next(past) is None
        inbox.post("first")
        assert await inbox.next(past) == "first"
        assert await inbox.next(past) is None

    asyncio.run(main())


def test_none_only_once_due() -> None:
    async def main() -> None:
        inbox = Inbox[str]()
        due = asyncio.get_running_loop().time() + 0.03
        assert await inbox.next(due) is None
        assert asyncio.get_running_loop().time() >= due - 1e-6

    asyncio.run(main())


def test_an_item_wakes_the_reader_before_it_is_due() -> None:
    async def main() -> None:
        inbox = Inbox[str]()
        reading = asyncio.create_task(inbox.next(time.monotonic() + 3600))
        await asyncio.sleep(0)
        inbox.post("now")
        async with asyncio.timeout(5):
            assert await reading == "now"

    asyncio.run(main())


def test_the_clock_is_the_loops() -> None:
    """A loop whose clock jumps plays an hour of deadlines at once."""

    class Jumping(asyncio.SelectorEventLoop):
        def __init__(self) -> None:
            self.jumped_s = 0.0
            super().__init__()

        def time(self) -> float:
            return super().time() + self.jumped_s

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Jumping)
        inbox = Inbox[str]()
        reading = asyncio.create_task(inbox.next(loop.time() + 3600))
        await asyncio.sleep(0)
        loop.jumped_s = 3600.0
        async with asyncio.timeout(5):
            assert await reading is None

    loop = Jumping()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_many_threads_keep_their_order() -> None:
    async def main() -> None:
        inbox = Inbox[tuple[int, int]]()
        count, threads = 5_000, 3

        def pour(number: int) -> None:
            for n in range(count):
                inbox.post((number, n))

        workers = [threading.Thread(target=pour, args=(n,)) for n in range(threads)]
        for worker in workers:
            worker.start()
        heard: dict[int, list[int]] = {n: [] for n in range(threads)}
        async with asyncio.timeout(30):
            for _ in range(count * threads):
                item = await inbox.next()
                assert item is not None
                heard[item[0]].append(item[1])
        for worker in workers:
            worker.join()
        assert all(order == list(range(count)) for order in heard.values())

    asyncio.run(main())


def test_a_reader_that_is_cancelled_loses_nothing() -> None:
    async def main() -> None:
        inbox = Inbox[str]()
        reading = asyncio.create_task(inbox.next())
        await asyncio.sleep(0)
        inbox.post("kept")
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await inbox.next() == "kept"

    asyncio.run(main())


def test_posting_to_a_closed_loop_is_harmless() -> None:
    async def main() -> Inbox[str]:
        return Inbox[str]()

    inbox = asyncio.run(main())
    inbox.post("into the void")
    assert len(inbox) == 0
