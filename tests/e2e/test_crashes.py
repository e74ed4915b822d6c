"""Processes that are killed in the middle of work: nothing acknowledged is lost, turns go on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise

import aiohttp
import pytest

from e2e.rig.conversation import asks, conversation, heard, turn
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, Stream, text_of
from scripted_backend import ScriptedBackend, never_answers, says
from turnwire_testing.stream_grammar import TERMINAL, check_stream

TAKEN_OVER_WITHIN = 60.0
HALF = [f"half{number} " for number in range(4)]
WHOLE = [f"whole{number} " for number in range(4)]


@pytest.fixture
def stack(fragile_stack: Stack) -> Stack:
    """The stack of which processes are killed."""
    return fragile_stack


async def test_a_stream_goes_on_when_its_orchestrator_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says(*HALF).paused(after=2), says(*WHOLE))
    async with api.stream(asks("Talk.")) as stream:
        await stream.until("response.output_text.delta", 2)
        stack.kill("orchestrator")
        async with asyncio.timeout(TAKEN_OVER_WITHIN):
            events = await stream.to_the_end()
    check_stream(events)
    assert [event["type"] for event in events if event["type"] in TERMINAL] == [
        "response.completed"
    ]
    assert stream.done
    abandoned, whole = events[-1]["response"]["output"]
    assert (abandoned["status"], abandoned["content"][0]["text"]) == (
        "incomplete",
        "".join(HALF[:2]),
    )
    assert (whole["status"], whole["content"][0]["text"]) == ("completed", "".join(WHOLE))
    await _reads_the_same_again(api, stream)
    await _continues_without(api, backend, stream, "half")
    await back(stack, "orchestrator")


async def test_a_stream_that_had_finished_an_item_keeps_it(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script((says("First.") + says(*HALF)).paused(after=2), says(*WHOLE))
    async with api.stream(asks("Talk.")) as stream:
        await stream.until("response.output_text.delta", 2)
        stack.kill("orchestrator")
        async with asyncio.timeout(TAKEN_OVER_WITHIN):
            events = await stream.to_the_end()
    check_stream(events)
    output = events[-1]["response"]["output"]
    assert [item["status"] for item in output] == ["completed", "incomplete", "completed"]
    await _reads_the_same_again(api, stream)
    await back(stack, "orchestrator")


async def test_a_stream_that_had_not_begun_begins_as_if_nothing_had_been(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(never_answers(headers=True), says(*WHOLE))
    async with api.stream(asks("Talk.")) as stream:
        await stream.until("response.in_progress")
        stack.kill("orchestrator")
        async with asyncio.timeout(TAKEN_OVER_WITHIN):
            events = await stream.to_the_end()
    check_stream(events)
    assert text_of(events[-1]["response"]) == "".join(WHOLE)
    assert len(events[-1]["response"]["output"]) == 1
    await _reads_the_same_again(api, stream)
    await back(stack, "orchestrator")


async def test_a_plain_client_gets_its_answer_although_the_orchestrator_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says(*HALF).paused(after=2), says(*WHOLE))
    asking = asyncio.create_task(api.post(asks("Talk.")))
    await backend.saw_pause()
    stack.kill("orchestrator")
    async with asyncio.timeout(TAKEN_OVER_WITHIN):
        status, response = await asking
    assert (status, text_of(response)) == (200, "".join(WHOLE))
    assert len(response["output"]) == 1
    assert await api.get(f"/responses/{response['id']}") == (200, response)
    await back(stack, "orchestrator")


async def test_a_conversation_goes_on_when_the_store_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    responses = await conversation(api, backend, turns=3)
    stack.kill("store")
    responses += await conversation(api, backend, turns=3, after=responses[-1])
    await back(stack, "store")
    await _are_all_there(api, responses)


async def test_histories_are_read_from_the_store_when_all_memory_is_gone(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    responses = await conversation(api, backend, turns=3)
    stack.kill("store", "orchestrator")
    await back(stack, "store", "orchestrator")
    responses += await conversation(api, backend, turns=2, after=responses[-1])
    told = [said for _, said in heard(backend)]
    assert told == [text for number in range(3) for text in turn(number)] + [
        *turn(0),
        turn(1)[0],
    ]
    await _are_all_there(api, responses)


async def test_a_client_takes_its_stream_up_again_when_the_gateway_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says(*WHOLE).paused(after=2))
    async with api.stream(asks("Talk.")) as lost:
        await lost.until("response.output_text.delta", 2)
        stack.kill("gateway")
        with pytest.raises(aiohttp.ClientError):
            await lost.to_the_end()
    await back(stack, "gateway")
    response_id = lost.events[0]["response"]["id"]
    async with api.join(response_id, after=len(lost.frames) - 1) as rest:
        await backend.saw_pause()
        backend.release()
        await rest.to_the_end()
    check_stream([*lost.events, *rest.events])
    assert text_of(rest.events[-1]["response"]) == "".join(WHOLE)
    assert backend.disconnects == 0


async def test_a_stream_goes_on_when_the_broker_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    responses = await conversation(api, backend, turns=2)
    backend.script(says(*WHOLE).paused(after=2))
    async with api.stream(asks("Talk.", responses[-1]["id"])) as stream:
        await stream.until("response.output_text.delta", 2)
        stack.kill("nats")
        await back(stack, "nats")
        await api.until_well()
        await backend.saw_pause()
        backend.release()
        events = await stream.to_the_end()
    check_stream(events)
    responses.append(events[-1]["response"])
    assert text_of(responses[-1]) == "".join(WHOLE)
    await _reads_the_same_again(api, stream)
    await _are_all_there(api, responses)


async def test_a_turn_that_had_ended_is_not_run_again_when_the_broker_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    responses = await conversation(api, backend, turns=3)
    stack.kill("nats")
    await back(stack, "nats")
    await api.until_well()
    responses += await conversation(api, backend, turns=1, after=responses[-1])
    await _are_all_there(api, responses)
    assert len(backend.requests) == len(responses)


async def test_a_client_can_join_a_stream_that_began_before_the_broker_was_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says(*WHOLE).paused(after=2))
    async with api.stream(asks("Talk.")) as stream:
        created = await stream.until("response.created")
        await stream.until("response.output_text.delta", 2)
        stack.kill("nats")
        await back(stack, "nats")
        await api.until_well()
        async with api.join(created["response"]["id"]) as second:
            await second.until("response.output_text.delta", 2)
            await backend.saw_pause()
            backend.release()
            await asyncio.gather(stream.to_the_end(), second.to_the_end())
    assert stream.frames == second.frames
    check_stream(stream.events)


async def test_turns_are_answered_while_the_database_is_away(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    responses = await conversation(api, backend, turns=2)
    stack.kill("mongo")
    responses += await conversation(api, backend, turns=2, after=responses[-1])
    await back(stack, "mongo")
    await _are_all_there(api, responses)


async def test_two_orchestrators_share_the_work_and_take_over_from_one_another(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    async with _one_more_orchestrator(stack) as second:
        await _until_it_closes_aturn(second, api)
        for _ in range(12):
            backend.script(says(*HALF).paused(after=2))
        begun = asyncio.Barrier(13)
        asking = [asyncio.create_task(_whole_stream(api, begun)) for _ in range(12)]
        await begun.wait()
        second.kill()
        await second.wait()
        await backend.saw_disconnect()
        backend.always(says(*WHOLE))
        await backend.saw_pause()
        backend.release()
        streams = await asyncio.gather(*asking)
    outputs = [events[-1]["response"]["output"] for events in streams]
    taken_over = [output for output in outputs if len(output) == 2]
    assert len(taken_over) == backend.disconnects
    assert 0 < len(taken_over) < 12
    for events in streams:
        check_stream(events)
        assert events[-1]["type"] == "response.completed"


async def back(stack: Stack, *names: str) -> None:
    """Wait until killed processes are at work again."""
    await asyncio.to_thread(stack.wait_until_back, *names)


@asynccontextmanager
async def _one_more_orchestrator(stack: Stack) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *stack.python("turnwire_orchestrator"),
        env=stack.service_environment("orchestrator"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _until_it_closes_aturn(process: asyncio.subprocess.Process, api: Api) -> None:
    closing = asyncio.create_task(_says(process, b"turn closed"))
    async with asyncio.timeout(TAKEN_OVER_WITHIN):
        while not closing.done():
            await api.post(asks("Hi."))
    assert closing.result()


async def _says(process: asyncio.subprocess.Process, text: bytes) -> bool:
    if process.stdout is None:
        raise TypeError("it was started without a pipe")
    while line := await process.stdout.readline():
        if text in line:
            return True
    return False


async def _whole_stream(api: Api, begun: asyncio.Barrier) -> list[JSON]:
    async with api.stream(asks("Talk.")) as stream:
        await stream.until("response.output_text.delta", 2)
        await begun.wait()
        return await stream.to_the_end()


async def _are_all_there(api: Api, responses: list[JSON]) -> None:
    for before, response in pairwise(responses):
        assert response["previous_response_id"] == before["id"]
    for response in responses:
        assert await api.get(f"/responses/{response['id']}") == (200, response)


async def _reads_the_same_again(api: Api, stream: Stream) -> None:
    async with api.join(stream.events[0]["response"]["id"]) as again:
        await again.to_the_end()
    assert again.frames == stream.frames


async def _continues_without(api: Api, backend: ScriptedBackend, stream: Stream, word: str) -> None:
    backend.script(says("On."))
    status, _ = await api.post(asks("Go on.", stream.events[0]["response"]["id"]))
    assert status == 200
    assert word not in str(heard(backend))
