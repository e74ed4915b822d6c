"""Work side by side, up to a bound."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from turnwire_chassis.concurrency import (
    BoundedTasks,
    ConcurrencyLimit,
    FullError,
    KeyedConcurrencyLimit,
    gather_bounded,
)


@asynccontextmanager
async def held(place: AbstractAsyncContextManager[None]) -> AsyncGenerator[asyncio.Task[None]]:
    """Have a task that enters `place` as soon as it may, and stays there until the end."""
    task = asyncio.create_task(_hold(place))
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _hold(place: AbstractAsyncContextManager[None]) -> None:
    async with place:
        await asyncio.Event().wait()


async def test_who_comes_when_too_many_wait_is_told_at_once() -> None:
    limit = ConcurrencyLimit(1, most_waiting=1)
    async with held(limit.slot()), held(limit.slot()):
        with pytest.raises(FullError):
            async with limit.slot():
                pass


async def test_a_place_that_is_left_is_taken_by_who_waits() -> None:
    limit, entered = ConcurrencyLimit(1, most_waiting=1), asyncio.Event()

    async def enter() -> None:
        async with limit.slot():
            entered.set()

    async with limit.slot():
        waiting = asyncio.create_task(enter())
        await asyncio.sleep(0)
        assert not entered.is_set()
    await waiting
    assert entered.is_set()
    assert limit.is_idle


async def test_who_gives_up_waiting_makes_room_for_another() -> None:
    limit = ConcurrencyLimit(1, most_waiting=1)
    async with held(limit.slot()):
        async with held(limit.slot()):
            pass
        async with held(limit.slot()) as waiting:
            assert not waiting.done()


async def test_without_a_bound_any_number_may_wait() -> None:
    limit = ConcurrencyLimit(1)
    async with held(limit.slot()), held(limit.slot()), held(limit.slot()) as last:
        assert not last.done()


async def test_keys_do_not_take_each_others_places() -> None:
    limits = KeyedConcurrencyLimit(1, most_waiting=0)
    async with limits.slot("a"):
        async with limits.slot("b"):
            pass
        with pytest.raises(FullError):
            async with limits.slot("a"):
                pass
    async with limits.slot("a"):
        pass


async def test_a_refusal_takes_nobodys_place() -> None:
    limits = KeyedConcurrencyLimit(1, most_waiting=0)
    async with limits.slot("a"):
        for _ in range(2):
            with pytest.raises(FullError):
                async with limits.slot("a"):
                    pass


async def test_what_is_gathered_comes_in_order_and_within_the_bound() -> None:
    inside: list[int] = []
    most: list[int] = []

    async def double(number: int) -> int:
        inside.append(number)
        most.append(len(inside))
        await asyncio.sleep(0)
        inside.remove(number)
        return 2 * number

    assert await gather_bounded(double, range(5), 2) == [0, 2, 4, 6, 8]
    assert max(most) == 2


async def test_no_more_runs_at_once_than_the_bound_allows() -> None:
    tasks, release = BoundedTasks(2), asyncio.Event()
    began: asyncio.Queue[None] = asyncio.Queue()

    async def work() -> None:
        began.put_nowait(None)
        await release.wait()

    starting = asyncio.gather(*(tasks.start(work) for _ in range(3)))
    await began.get()
    await began.get()
    assert began.empty()
    assert not starting.done()

    release.set()
    await starting
    await tasks.finish()
    assert began.qsize() == 1


async def test_work_that_fails_makes_room_again() -> None:
    tasks, done = BoundedTasks(1), asyncio.Event()

    async def fail() -> None:
        raise ZeroDivisionError

    async def succeed() -> None:
        done.set()

    await tasks.start(fail)
    await tasks.start(succeed)
    await tasks.finish()

    assert done.is_set()


async def test_work_that_is_cancelled_ends() -> None:
    tasks = BoundedTasks(1)

    async def wait() -> None:
        await asyncio.Event().wait()

    await tasks.start(wait)
    tasks.cancel()
    await tasks.finish()
