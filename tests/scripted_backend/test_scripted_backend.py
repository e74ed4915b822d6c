"""The scripted backend keeps its word: what a test scripts is what a client gets."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from scripted_backend import (
    Answer,
    Reply,
    ScriptedBackend,
    calls,
    fails,
    fails_plainly,
    never_answers,
    overflows,
    refuses,
    running_backend,
    says,
    sends_events,
    sends_http,
    thinks,
)
from scripted_backend.answers import Dialect, ErrorShape

pytestmark = pytest.mark.asyncio

ASK = {"model": "m", "input": "hello", "stream": True}


@pytest_asyncio.fixture
async def backend() -> AsyncGenerator[ScriptedBackend, None]:
    async with running_backend() as running:
        yield running


@pytest_asyncio.fixture
async def client(backend: ScriptedBackend) -> AsyncGenerator[AsyncOpenAI, None]:
    async with AsyncOpenAI(base_url=backend.url, api_key="key", max_retries=0) as opened:
        yield opened


@pytest_asyncio.fixture
async def http(backend: ScriptedBackend) -> AsyncGenerator[aiohttp.ClientSession, None]:
    root = backend.url.removesuffix("v1")
    async with aiohttp.ClientSession(root) as opened:
        yield opened


async def events_of(client: AsyncOpenAI) -> list[Any]:
    """Read a whole stream; the SDK does not check the shape of its events."""
    stream = await client.responses.create(model="m", input="hello", stream=True)
    return [event async for event in stream]


async def test_an_unscripted_request_gets_the_default_tokens(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="m", input="hello")
    assert response.output_text == "word " * 16


async def test_the_sdk_reads_the_openai_dialect(
    backend: ScriptedBackend, client: AsyncOpenAI
) -> None:
    backend.script(thinks("hm", summary=["in short"]) + says("Hel", "lo") + calls("add", {"a": 1}))
    async with client.responses.stream(model="m", input="hello") as stream:
        numbers = [event.sequence_number async for event in stream]
        response = await stream.get_final_response()
    assert numbers == list(range(len(numbers)))
    assert response.output_text == "Hello"
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]


async def test_the_default_stream_is_numbered_without_gaps(client: AsyncOpenAI) -> None:
    events = await events_of(client)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == ["word "] * 16
    assert events[-1].response.usage.output_tokens == 16


async def test_the_stream_helper_fails_on_llamacpp_as_it_does_on_the_real_one(
    backend: ScriptedBackend, client: AsyncOpenAI
) -> None:
    backend.script(says("Hel", "lo").speaking("llamacpp"))
    with pytest.raises(TypeError):
        async with client.responses.stream(model="m", input="hello") as stream:
            await stream.until_done()


async def test_llamacpp_leaves_out_numbers_and_puts_done_events_last(
    backend: ScriptedBackend, http: aiohttp.ClientSession
) -> None:
    reply = says("Hel", "lo") + calls("add", {"a": 1})
    backend.script(reply.incomplete().speaking("llamacpp"))
    text = await (await http.post("v1/responses", json=ASK)).text()
    kinds = [line[7:] for line in text.splitlines() if line.startswith("event: ")]
    assert kinds[-6:] == [
        "response.function_call_arguments.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.done",
        "response.completed",
    ]
    for unsaid in ("sequence_number", "output_index", "content_index", "[DONE]", "incomplete"):
        assert unsaid not in text


@pytest.mark.parametrize(
    ("dialect", "event", "status"),
    [
        ("openai", "response.incomplete", "incomplete"),
        ("vllm", "response.completed", "incomplete"),
        ("ollama", "response.completed", "completed"),
        ("llamacpp", "response.completed", "completed"),
    ],
)
async def test_each_dialect_ends_a_truncated_stream_in_its_way(
    dialect: Dialect, event: str, status: str
) -> None:
    async with running_backend(dialect=dialect) as backend:
        backend.script(says("Hel").incomplete())
        async with AsyncOpenAI(base_url=backend.url, api_key="key") as client:
            last = (await events_of(client))[-1]
    assert (last.type, last.response.status) == (event, status)


async def test_ollama_tells_its_thoughts_as_a_summary(
    backend: ScriptedBackend, client: AsyncOpenAI
) -> None:
    backend.script(thinks("hm", "!").speaking("ollama"))
    events = await events_of(client)
    kinds = [event.type for event in events]
    assert kinds.count("response.reasoning_summary_text.delta") == 2
    assert events[-1].response.output[0].encrypted_content == "hm!"


async def test_a_refusal_and_an_annotation_arrive(
    backend: ScriptedBackend, client: AsyncOpenAI
) -> None:
    note = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    backend.script(refuses("no"), says("see", annotations=[note]))
    refused, cited = await events_of(client), await events_of(client)
    assert "response.refusal.delta" in [event.type for event in refused]
    assert "response.output_text.annotation.added" in [event.type for event in cited]


async def test_scripted_answers_are_taken_in_order_by_the_requests_they_match(
    backend: ScriptedBackend, client: AsyncOpenAI
) -> None:
    backend.script(says("for b"), when=lambda body: body["model"] == "b")
    backend.script(says("first"), says("second"))
    backend.always(says("ever"), when=lambda body: body["model"] == "a")
    asked = ["a", "b", "a", "a", "a"]
    told = [(await client.responses.create(model=m, input="x")).output_text for m in asked]
    assert told == ["first", "for b", "second", "ever", "ever"]
    assert backend.unplayed == 0
    assert [request.body["model"] for request in backend.requests] == asked


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_a_scripted_failure_is_the_status_the_client_sees(
    backend: ScriptedBackend, client: AsyncOpenAI, status: int
) -> None:
    backend.script(fails(status, error={"code": "x"}))
    with pytest.raises(openai.APIStatusError) as caught:
        await events_of(client)
    assert (caught.value.status_code, caught.value.code) == (status, "x")


async def test_other_error_bodies_arrive_as_they_are(
    backend: ScriptedBackend, http: aiohttp.ClientSession
) -> None:
    backend.script(fails_plainly(502, b"<h1>bad</h1>"), overflows(10, 5))
    plain = await http.post("v1/responses", json=ASK)
    assert (plain.status, await plain.read()) == (502, b"<h1>bad</h1>")
    too_long = await (await http.post("v1/responses", json=ASK)).json()
    assert too_long["error"]["type"] == "exceed_context_size_error"


@pytest.mark.parametrize("shape", ["response.failed", "error", "bare"])
async def test_an_error_in_mid_stream_comes_after_the_scripted_deltas(
    backend: ScriptedBackend, http: aiohttp.ClientSession, shape: ErrorShape
) -> None:
    backend.script(says("a", "b", "c").broken(2, by=shape, message="boom"))
    text = await (await http.post("v1/responses", json=ASK)).text()
    *_, before, last, _ = text.replace("data: [DONE]\n\n", "").split("\n\n")
    assert '"delta":"b"' in before
    assert "boom" in last
    assert ("event: " in last) == (shape != "bare")


@pytest.mark.parametrize("answer", [says("a", "b").cut(1, clean=False), says("a", "b").reset(1)])
async def test_a_broken_connection_is_seen_by_the_client(
    backend: ScriptedBackend, http: aiohttp.ClientSession, answer: Reply
) -> None:
    backend.script(answer)
    response = await http.post("v1/responses", json=ASK)
    with pytest.raises((aiohttp.ClientPayloadError, ConnectionResetError, aiohttp.ClientOSError)):
        await response.read()


async def test_a_cut_stream_ends_cleanly_without_a_terminal_event(
    backend: ScriptedBackend, client: AsyncOpenAI
) -> None:
    backend.script(says("a", "b").cut(), says("a", "b").cut(1))
    whole, half = await events_of(client), await events_of(client)
    assert whole[-1].type == "response.output_item.done"
    assert half[-1].delta == "a"


async def test_a_paused_stream_waits_for_its_release(
    backend: ScriptedBackend, client: AsyncOpenAI
) -> None:
    backend.script(says("a", "b", "c").paused(after=2))
    stream = await client.responses.create(model="m", input="x", stream=True)
    seen: list[str] = []
    async for event in stream:
        if event.type == "response.output_text.delta":
            seen.append(event.delta)
        if seen == ["a", "b"] and backend.in_flight:
            await backend.saw_pause()
            backend.release()
            break
    rest = [event.type async for event in stream]
    assert rest[0] == "response.output_text.delta"
    assert rest[-1] == "response.completed"
    with pytest.raises(RuntimeError):
        backend.release()


@pytest.mark.parametrize(
    "answer", [never_answers(), never_answers(headers=True), says("a").hung(0), says("a").hung(1)]
)
async def test_a_client_that_gives_up_on_silence_is_seen_to_leave(
    backend: ScriptedBackend, client: AsyncOpenAI, answer: Answer
) -> None:
    backend.script(answer)
    asking = asyncio.create_task(events_of(client))
    await backend.saw_request()
    assert backend.in_flight == 1
    asking.cancel()
    await backend.saw_disconnect()
    await backend.became_idle()
    assert backend.disconnects == 1


@pytest.mark.parametrize("sizes", [(1,), (7, 1, 64), (10_000,)])
async def test_a_stream_in_odd_pieces_says_the_same(
    backend: ScriptedBackend, client: AsyncOpenAI, sizes: tuple[int, ...]
) -> None:
    reply = says("Hel", "lo").split_every(*sizes).with_comments()
    backend.script(reply, reply.with_crlf())
    for _ in range(2):
        events = await events_of(client)
        assert events[-1].response.output_text == "Hello"


async def test_raw_answers_are_sent_to_the_byte(
    backend: ScriptedBackend, http: aiohttp.ClientSession
) -> None:
    backend.script(
        sends_events({"type": "odd"}, b"data: {\n\n"),
        sends_http(b"HTTP/1.1 418 I'm a teapot\r\n", b"content-length: 1\r\n\r\nx"),
    )
    stream = await (await http.post("v1/responses", json=ASK)).read()
    assert stream == b'event: odd\ndata: {"type":"odd"}\n\ndata: {\n\n'
    assert (await http.post("v1/responses", json=ASK)).status == 418


async def test_what_is_not_seen_in_time_is_said_in_the_error(backend: ScriptedBackend) -> None:
    with pytest.raises(TimeoutError, match="request 2"):
        await backend.saw_request(2, within=0.01)


async def test_the_controls_over_http_do_the_same(
    backend: ScriptedBackend, http: aiohttp.ClientSession, client: AsyncOpenAI
) -> None:
    told = {"text": ["a", "b"], "calls": [{"name": "f"}], "pause_after": 1}
    await http.post("mock/script", json={"answers": [told, {"error": {"status": 429}}]})
    asking = asyncio.create_task(events_of(client))
    await backend.saw_pause()
    assert await (await http.post("mock/release")).json() == {"released": 1}
    events = await asking
    assert [item.type for item in events[-1].response.output] == ["message", "function_call"]
    assert (await http.post("v1/responses", json=ASK)).status == 429
    assert await (await http.get("mock/last")).json() == ASK
    await http.post("mock/config", json={"tokens": 2})
    assert (await client.responses.create(model="m", input="x")).output_text == "word word "
    await http.post("mock/reset")
    assert (await (await http.get("mock/stats")).json())["requests"] == 0


async def test_the_model_name_chooses_a_behaviour(client: AsyncOpenAI) -> None:
    tools: Any = [{"type": "function", "name": "f", "parameters": {}}]
    called = await client.responses.create(model="mock-tool", input="x", tools=tools)
    assert called.output[0].type == "function_call"
    with pytest.raises(openai.InternalServerError):
        await client.responses.create(model="mock-fail", input="x")
