"""A call that is watched: told of, given up, out of time."""

import asyncio

import pytest

from turnwire_tool_runner.calling.call_supervisor import CallSupervisor, SupervisionTimeouts
from turnwire_tool_runner.tool_servers import ToolServerError

WITHIN_S = 30


async def never() -> None:
    await asyncio.Event().wait()


async def ended(watch: CallSupervisor) -> ToolServerError:
    with pytest.raises(ToolServerError) as caught:
        async with asyncio.timeout(WITHIN_S):
            await watch.run(never)
    return caught.value


async def test_what_comes_of_the_work_is_given() -> None:
    async def work() -> int:
        return 7

    assert await CallSupervisor(SupervisionTimeouts(1, 1)).run(work) == 7


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> int:
        raise ToolServerError("mcp_http_error", "No.", number=500)

    with pytest.raises(ToolServerError, match="No"):
        await CallSupervisor(SupervisionTimeouts(1, 1)).run(work)


async def test_silence_ends_it() -> None:
    error = await ended(CallSupervisor(SupervisionTimeouts(0.05, 100)))

    assert (error.code, error.text) == ("mcp_timeout", "It did not answer within 0.05 s.")


async def test_progress_keeps_it_alive_up_to_the_limit() -> None:
    watch = CallSupervisor(SupervisionTimeouts(2.0, 2.5))
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def work() -> None:
        while True:
            await asyncio.sleep(0.01)
            await watch.progressed()

    with pytest.raises(ToolServerError) as caught:
        await watch.run(work)

    assert loop.time() - began >= 2.5
    assert (caught.value.code, caught.value.text) == ("mcp_timeout", "It took longer than 2.5 s.")


async def test_whoever_has_no_patience_is_told_at_once() -> None:
    assert (await ended(CallSupervisor(SupervisionTimeouts(0, 100)))).code == "mcp_timeout"
    assert (await ended(CallSupervisor(SupervisionTimeouts(-1, 100)))).code == "mcp_timeout"


async def test_giving_up_cancels_the_work_and_waits_for_nothing() -> None:
    watch = CallSupervisor(SupervisionTimeouts(100, 100))
    cancelled, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await never()
        except asyncio.CancelledError:
            cancelled.set()
            await may_end.wait()

    watching = asyncio.create_task(watch.run(work))
    await asyncio.sleep(0)
    watch.give_up()
    watch.give_up()

    with pytest.raises(ToolServerError) as caught:
        await watching
    assert (caught.value.code, caught.value.text) == ("cancelled", "cancelled")
    await cancelled.wait()
    may_end.set()


async def test_work_that_was_given_up_before_it_began_never_begins() -> None:
    watch = CallSupervisor(SupervisionTimeouts(100, 100))
    watch.give_up()

    error = await ended(watch)

    assert (error.code, error.unsent) == ("cancelled", True)


async def test_what_has_left_is_not_said_to_be_unsent() -> None:
    watch = CallSupervisor(SupervisionTimeouts(0.01, 100))
    watch.leaving()

    assert not (await ended(watch)).unsent
    assert (await ended(CallSupervisor(SupervisionTimeouts(0.01, 100)))).unsent


async def test_there_is_a_sign_of_life_each_second() -> None:
    watch = CallSupervisor(SupervisionTimeouts(100, 100))
    told: list[str | None] = []
    twice = asyncio.Event()

    async def tell(said: str | None) -> None:
        told.append(said)
        if len(told) == 2:
            twice.set()

    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(WITHIN_S), watch.heartbeats(tell):
        await watch.progressed("half of it")
        await twice.wait()

    assert told == ["half of it", None]
    assert 1.9 < loop.time() - began < WITHIN_S
