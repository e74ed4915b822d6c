"""The simulated event loop, and the processes in it."""

import asyncio
from random import Random

import pytest

from simulation.loop import START_S, Process, SimLoop, StuckError


def a_loop() -> SimLoop:
    return SimLoop(Random(1))  # noqa: S311 -- it must be foreseeable


def test_time_goes_on_only_when_nothing_is_left_to_do() -> None:
    loop, seen = a_loop(), list[float]()

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append(loop.time() - START_S)

    for seconds in (30.0, 10.0, 20.0):
        loop.spawn(Process("sleeper"), sleeper(seconds))
    loop.run(lambda: False, START_S + 60)
    assert seen == [10.0, 20.0, 30.0]


def test_a_killed_process_does_nothing_more_and_cleans_nothing_up() -> None:
    loop, done, process = a_loop(), list[str](), Process("victim")

    async def work() -> None:
        try:
            done.append("begun")
            await asyncio.sleep(1)
            done.append("ended")
        finally:
            done.append("cleaned up")

    loop.spawn(process, work())
    loop.at(START_S + 0.5, loop.outside, loop.kill, process)
    loop.run(lambda: False, START_S + 5)
    assert done == ["begun"]


def test_a_frozen_process_goes_on_where_it_stood() -> None:
    loop, at, process = a_loop(), list[float](), Process("frozen")

    async def work() -> None:
        await asyncio.sleep(1)
        at.append(loop.time() - START_S)

    loop.spawn(process, work())
    loop.at(START_S + 0.5, loop.outside, loop.pause, process)
    loop.at(START_S + 9, loop.outside, loop.resume, process)
    loop.run(lambda: False, START_S + 20)
    assert at == [9.0]


def test_timeouts_and_cancellation_work_as_in_asyncio() -> None:
    loop, told = a_loop(), list[str]()

    async def work() -> None:
        try:
            async with asyncio.timeout(2):
                await asyncio.sleep(5)
        except TimeoutError:
            told.append(f"after {loop.time() - START_S:g}")
        task = asyncio.create_task(asyncio.sleep(5))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        told.append(f"cancelled: {task.cancelled()}")

    loop.spawn(Process("one"), work())
    loop.run(lambda: False, START_S + 60)
    assert told == ["after 2", "cancelled: True"]


def test_a_process_that_calls_itself_for_ever_is_found() -> None:
    loop = a_loop()

    async def spin() -> None:
        while True:  # noqa: ASYNC110 -- that is what is found
            await asyncio.sleep(0)

    loop.spawn(Process("spinning"), spin())
    with pytest.raises(StuckError, match="spinning"):
        loop.run(lambda: False, START_S + 1)
