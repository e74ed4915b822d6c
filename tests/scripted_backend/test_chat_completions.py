"""The scripted backend speaks chat completions too, as its dialects do."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import orjson
import pytest
from openai import AsyncOpenAI

from scripted_backend import (
    Dialect,
    Reply,
    ScriptedBackend,
    Usage,
    calls,
    refuses,
    running_backend,
    says,
    thinks,
)

ASK: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


@pytest.fixture
async def backend() -> AsyncGenerator[ScriptedBackend]:
    async with running_backend() as running:
        yield running


@pytest.fixture
async def http(backend: ScriptedBackend) -> AsyncGenerator[aiohttp.ClientSession]:
    root = backend.url.removesuffix("v1")
    async with aiohttp.ClientSession(root) as opened:
        yield opened


async def chunks(http: aiohttp.ClientSession, **more: Any) -> list[Any]:
    """Read a whole stream; `[DONE]` stays a text."""
    async with http.post("v1/chat/completions", json=ASK | more) as response:
        assert response.status == 200
        told = (await response.read()).decode().split("\n\n")
    data = [each.removeprefix("data: ") for each in told if each]
    return [each if each == "[DONE]" else orjson.loads(each) for each in data]


def deltas(told: list[Any]) -> list[dict[str, Any]]:
    """Give what the chunks say."""
    return [each["choices"][0]["delta"] for each in told if each != "[DONE]" and each["choices"]]


async def test_the_sdk_reads_a_stream(backend: ScriptedBackend) -> None:
    backend.script((says("Hel", "lo") + calls("add", {"a": 1})).using(Usage(9, 5)))
    async with (
        AsyncOpenAI(base_url=backend.url, api_key="key", max_retries=0) as client,
        client.chat.completions.stream(
            model="m",
            messages=[{"role": "user", "content": "hello"}],
            stream_options={"include_usage": True},
        ) as stream,
    ):
        await stream.until_done()
        completion = await stream.get_final_completion()
    (choice,) = completion.choices
    assert choice.message.content == "Hello"
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].function.arguments == '{"a":1}'
    assert choice.finish_reason == "tool_calls"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 9
    assert backend.requests[0].path == "/v1/chat/completions"


async def test_a_whole_answer_is_one_completion(backend: ScriptedBackend) -> None:
    backend.script(says("Hel", "lo"))
    async with AsyncOpenAI(base_url=backend.url, api_key="key", max_retries=0) as client:
        completion = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hello"}]
        )
    assert completion.choices[0].message.content == "Hello"


async def test_an_unscripted_request_gets_the_default_tokens(http: aiohttp.ClientSession) -> None:
    said = [delta.get("content") for delta in deltas(await chunks(http))]
    assert said.count("word ") == 16


@pytest.mark.parametrize(
    ("dialect", "pieces", "ids"),
    [
        ("openai", 3, [True, False, False]),
        ("llamacpp", 2, [True, False]),
        ("vllm", 3, [False, False, False]),
        ("ollama", 1, [True]),
    ],
)
async def test_a_call_comes_in_pieces_as_the_dialect_cuts_it(
    backend: ScriptedBackend,
    http: aiohttp.ClientSession,
    dialect: Dialect,
    pieces: int,
    ids: list[bool],
) -> None:
    backend.script(calls("add", {"a": 1}).speaking(dialect))
    told = [call for delta in deltas(await chunks(http)) for call in delta.get("tool_calls", [])]
    assert len(told) == pieces
    assert ["id" in call for call in told] == ids
    arguments = [call["function"].get("arguments", "") for call in told]
    assert "".join(arguments) == '{"a":1}'


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (says("a"), "stop"),
        (says("a").incomplete(), "length"),
        (says("a").incomplete("content_filter"), "content_filter"),
        (calls("add"), "tool_calls"),
    ],
)
async def test_the_end_says_why(
    backend: ScriptedBackend, http: aiohttp.ClientSession, reply: Reply, reason: str
) -> None:
    backend.script(reply)
    *_, last, usage, done = await chunks(http)
    assert last["choices"][0]["finish_reason"] == reason
    assert (usage["choices"], done) == ([], "[DONE]")


async def test_thoughts_and_refusals_have_fields_of_their_own(
    backend: ScriptedBackend, http: aiohttp.ClientSession
) -> None:
    backend.script(thinks("hm") + refuses("no"), (thinks("hm")).speaking("vllm"))
    told = deltas(await chunks(http))
    assert {"reasoning_content": "hm"} in told
    assert {"refusal": "no"} in told
    assert {"reasoning": "hm"} in deltas(await chunks(http))


async def test_log_probabilities_come_when_they_are_asked_for(
    backend: ScriptedBackend, http: aiohttp.ClientSession
) -> None:
    backend.script(says("Hi"), says("Hi"))
    plain, asked = await chunks(http), await chunks(http, logprobs=True)
    assert "logprobs" not in plain[1]["choices"][0]
    assert asked[1]["choices"][0]["logprobs"]["content"][0]["logprob"] == -0.5


async def test_an_error_in_mid_stream_is_the_last_word(
    backend: ScriptedBackend, http: aiohttp.ClientSession
) -> None:
    backend.script(says("Hel", "lo").broken(1))
    told = await chunks(http)
    assert [each for each in told if "error" in each] == told[-1:]


async def test_a_stream_can_be_cut_before_its_end(
    backend: ScriptedBackend, http: aiohttp.ClientSession
) -> None:
    backend.script(says("Hel", "lo").cut())
    told = await chunks(http)
    assert [each["choices"][0]["finish_reason"] for each in told] == [None] * 3


async def test_a_route_that_is_not_there_is_not_found() -> None:
    async with running_backend(apis=("chat",)) as backend, aiohttp.ClientSession() as http:
        async with http.post(f"{backend.url}/responses", json={}) as response:
            assert response.status == 404
        async with http.post(f"{backend.url}/chat/completions", json={}) as response:
            assert response.status == 400
        assert backend.requests == ()
