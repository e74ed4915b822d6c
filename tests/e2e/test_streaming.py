"""A streamed response: one grammar for every backend, the same bytes for every reader."""

import asyncio
import itertools
from typing import Any

import pytest
from openai import AsyncOpenAI

from e2e.rig.conversation import MODEL, asks
from e2e.rig.wire import DONE, JSON, KEEP_ALIVE, Api, split, text_of
from scripted_backend import Dialect, Reply, ScriptedBackend, calls, refuses, says, thinks
from turnwire_testing.open_responses import problems_of_event
from turnwire_testing.stream_grammar import check_stream

DIALECTS: tuple[Dialect, ...] = ("openai", "llamacpp", "vllm", "ollama")
TOOL: JSON = {"type": "function", "name": "add", "parameters": {"type": "object"}}

OPENING = ["response.created", "response.in_progress"]
ADDED, ITEM_DONE = "response.output_item.added", "response.output_item.done"
PART, PART_DONE = "response.content_part.added", "response.content_part.done"
COMPLETED = "response.completed"
MESSAGE = [
    *(ADDED, PART),
    *("response.output_text.delta", "response.output_text.delta", "response.output_text.done"),
    *(PART_DONE, ITEM_DONE),
]
CALL = [
    ADDED,
    "response.function_call_arguments.delta",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    ITEM_DONE,
]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_sdk_reads_the_events_of_every_backend(
    client: AsyncOpenAI, backend: ScriptedBackend, dialect: Dialect
) -> None:
    backend.script(says("Hel", "lo.").speaking(dialect))
    stream = await client.responses.create(model=MODEL, input="Hi.", stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events] == [*OPENING, *MESSAGE, COMPLETED]
    assert [event.sequence_number for event in events] == list(range(len(events)))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_stream_helper_of_the_sdk_works_with_every_backend(
    client: AsyncOpenAI, backend: ScriptedBackend, dialect: Dialect
) -> None:
    backend.script((says("Hel", "lo.") + calls("add", {"a": 1})).speaking(dialect))
    tools: Any = [TOOL]
    async with client.responses.stream(model=MODEL, input="Hi.", tools=tools) as stream:
        snapshots = [
            event.snapshot async for event in stream if event.type == "response.output_text.delta"
        ]
        final = await stream.get_final_response()
    assert snapshots == ["Hel", "Hello."]
    assert (final.output_text, final.status) == ("Hello.", "completed")
    assert [item.type for item in final.output] == ["message", "function_call"]


REPLIES: dict[str, tuple[Reply, list[str]]] = {
    "a message": (says("Hel", "lo."), MESSAGE),
    "a call": (calls("add", {"a": 1}), CALL),
    "two calls": (calls("add", {"a": 1}) + calls("add", {"b": 2}), CALL * 2),
    "a refusal": (
        refuses("No", "."),
        [
            *(ADDED, PART),
            *("response.refusal.delta", "response.refusal.delta", "response.refusal.done"),
            *(PART_DONE, ITEM_DONE),
        ],
    ),
    "words and a call": (says("Hel", "lo.") + calls("add", {"a": 1}), MESSAGE + CALL),
}


@pytest.mark.parametrize("dialect", ["openai", "llamacpp", "vllm"])
@pytest.mark.parametrize("name", REPLIES)
async def test_the_grammar_is_exact_whatever_the_backend_speaks(
    api: Api, backend: ScriptedBackend, name: str, dialect: Dialect
) -> None:
    reply, told = REPLIES[name]
    backend.script(reply.speaking(dialect))
    async with api.stream(asks("Hi.", tools=[TOOL])) as stream:
        events = await stream.to_the_end()
    assert [event["type"] for event in events] == [*OPENING, *told, COMPLETED]
    check_stream(events)
    assert [problem for event in events for problem in problems_of_event(event)] == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_thoughts_are_streamed_before_the_answer(
    api: Api, backend: ScriptedBackend, dialect: Dialect
) -> None:
    backend.script((thinks("h", "m") + says("Hel", "lo.")).speaking(dialect))
    async with api.stream(asks("Hi.")) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    thoughts = [
        event["delta"] for event in events if "reasoning" in event["type"] and "delta" in event
    ]
    assert "".join(thoughts) == "hm"
    reasoning, message = events[-1]["response"]["output"]
    assert (reasoning["type"], message["type"]) == ("reasoning", "message")
    assert message["content"][0]["text"] == "Hello."


async def test_each_event_leaves_with_its_name_and_its_blank_line(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script((thinks("hm") + says("Hel", "lo.") + calls("add")).slowed(each=0.005))
    async with api.stream(asks("Hi.", tools=[TOOL])) as stream:
        events = await stream.to_the_end()
        response = stream.response
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert all(chunk.endswith(b"\n\n") for chunk in stream.chunks)
    assert stream.done
    assert split(stream.chunks[-1])[-1] == DONE
    for frame, event in zip(stream.frames, events, strict=True):
        assert frame.startswith(b"event: %b\ndata: {" % event["type"].encode())


async def test_text_arrives_while_the_model_still_writes(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    async with api.stream(asks("Hi.")) as stream:
        delta = await stream.until("response.output_text.delta")
        assert (delta["delta"], backend.in_flight) == ("Hel", 1)
        await backend.saw_pause()
        backend.release()
        events = await stream.to_the_end()
    assert text_of(events[-1]["response"]) == "Hello."


async def test_whoever_has_seen_the_end_can_continue_at_once(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One."), says("Two."))
    async with api.stream(asks("Count.")) as stream:
        end = await stream.until(COMPLETED)
        status, response = await api.post(asks("On.", end["response"]["id"]))
        await stream.to_the_end()
    assert (status, text_of(response)) == (200, "Two.")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_finished_stream_can_be_read_again_byte_for_byte(
    api: Api, backend: ScriptedBackend, dialect: Dialect
) -> None:
    answer = thinks("h", "m") + says("Hel", "lo ", "wörld ", "👋.") + calls("add", {"a": 1})
    backend.script(answer.speaking(dialect))
    async with api.stream(asks("Hi.", tools=[TOOL], metadata={"a": "b"})) as stream:
        events = await stream.to_the_end()
    async with api.join(events[0]["response"]["id"]) as again:
        await again.to_the_end()
    assert again.frames == stream.frames
    assert again.done


async def test_a_stream_can_be_taken_up_after_any_of_its_events(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.") + calls("add", {"a": 1}))
    async with api.stream(asks("Hi.", tools=[TOOL])) as stream:
        events = await stream.to_the_end()
    for event in events:
        number = event["sequence_number"]
        async with api.join(events[0]["response"]["id"], after=number) as rest:
            await rest.to_the_end()
        assert rest.frames == stream.frames[number + 1 :]
        assert rest.done


async def test_a_plain_response_can_be_read_as_a_stream_afterwards(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."))
    _, response = await api.post(asks("Hi."))
    async with api.join(response["id"]) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    assert events[-1]["response"] == response


async def test_a_second_reader_who_joins_in_the_middle_sees_the_same(
    api: Api, backend: ScriptedBackend
) -> None:
    words = [f"word{number} " for number in range(20)]
    backend.script(says(*words).paused(after=10))
    async with api.stream(asks("Talk.")) as first:
        created = await first.until("response.created")
        await first.until("response.output_text.delta", 10)
        async with (
            api.join(created["response"]["id"]) as second,
            api.join(created["response"]["id"], after=5) as third,
        ):
            await second.until("response.output_text.delta", 10)
            await backend.saw_pause()
            backend.release()
            await asyncio.gather(*(each.to_the_end() for each in (first, second, third)))
    assert first.frames == second.frames == [*first.frames[:6], *third.frames]
    check_stream(first.events)


async def test_a_slow_reader_misses_nothing(api: Api, backend: ScriptedBackend) -> None:
    words = [f"{number:04d} {'x' * 1000}" for number in range(4000)]
    backend.script(says(*words))
    async with api.stream(asks("Talk.")) as stream:
        created = await stream.until("response.created")
        await backend.became_idle(within=20)
        events = await stream.to_the_end()
    check_stream(events)
    assert text_of(events[-1]["response"]) == "".join(words)
    async with api.join(created["response"]["id"]) as again:
        await again.to_the_end()
    assert again.frames == stream.frames


async def test_a_silent_stream_is_kept_alive_by_comments(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    async with api.stream(asks("Hi.")) as stream:
        await stream.until("response.output_text.delta")
        rest = asyncio.create_task(stream.until("response.output_text.delta"))
        await stream.saw(KEEP_ALIVE, within=30)
        await backend.saw_pause()
        backend.release()
        await rest
        check_stream(await stream.to_the_end())


async def test_many_readers_of_many_streams_each_see_their_own(
    api: Api, backend: ScriptedBackend
) -> None:
    count, words = 12, [f"word{number} " for number in range(30)]
    backend.always(says(*words).slowed(each=0.002))

    async def read(number: int) -> list[bytes]:
        async with api.stream(asks(f"Talk {number}.")) as stream:
            events = await stream.to_the_end()
        check_stream(events)
        async with api.join(events[0]["response"]["id"]) as again:
            await again.to_the_end()
        assert again.frames == stream.frames
        return stream.frames

    streams = await asyncio.gather(*(read(number) for number in range(count)))
    for one, other in itertools.combinations(streams, 2):
        assert len(one) == len(other)
        assert one[0] != other[0]
