"""Work side by side, up to a bound."""

import asyncio

from turnwire_chassis.questions.bounded_tasks import BoundedTasks


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
