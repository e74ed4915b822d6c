"""The backend over real HTTP: its answers, its refusals, and the ways in which it breaks."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import closing, suppress
from socket import AF_INET, SOCK_STREAM, socket

import orjson
import pytest

from scripted_backend import (
    Answer,
    ScriptedBackend,
    fails,
    fails_plainly,
    never_answers,
    overflows,
    running_backend,
    says,
    sends_http,
)
from turnwire_contracts.events import Failure
from turnwire_orchestrator.failures import Overflow, PromptTooLongError, TurnFailedError
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.prompting.dialect import Api
from turnwire_orchestrator.servers import Server
from turnwire_testing.prompts import prompt

PROMPT = prompt(input=[])
IDLE_S = 0.3
TIMEOUTS = Timeouts(connect_s=1.0, idle_s=IDLE_S)
GREETING = says("Hel", "lo", " 👋")


@pytest.fixture
async def server() -> AsyncGenerator[ScriptedBackend]:
    async with running_backend() as running:
        yield running


@pytest.fixture
async def backend(server: ScriptedBackend) -> AsyncGenerator[HttpBackend]:
    opened = HttpBackend(Server("mock", server.url, "key", Api.RESPONSES), TIMEOUTS)
    yield opened
    await opened.close()


async def sample(backend: HttpBackend) -> list[bytes]:
    """Read one sample to its end."""
    async with backend.sample(PROMPT) as answering:
        return [data async for events in answering.reads for data in events]


async def failure_of(backend: HttpBackend) -> Failure:
    """Sample, which must fail."""
    with pytest.raises(TurnFailedError) as raised:
        await sample(backend)
    return raised.value.failure


async def test_a_sample_is_every_event_up_to_the_end(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    server.script(says("Hel", "lo"))
    events = await sample(backend)
    assert events[-1] == b"[DONE]"
    assert b"response.completed" in events[-2]
    assert [b'"delta"' in event for event in events].count(True) == 2


@pytest.mark.parametrize(
    "answer",
    [
        GREETING.split_every(1, 7, 64),
        GREETING.with_crlf().split_every(3),
        GREETING.with_comments(),
        GREETING.in_bursts(3),
    ],
    ids=["cut anywhere", "CRLF", "comments", "bursts"],
)
async def test_it_does_not_matter_how_the_bytes_come(
    server: ScriptedBackend, backend: HttpBackend, answer: Answer
) -> None:
    server.script(answer)
    events = [orjson.loads(data) for data in (await sample(backend))[:-1]]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["delta"] for event in events if "delta" in event] == ["Hel", "lo", " 👋"]


async def test_the_body_and_the_key_reach_the_backend_unchanged(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    await sample(backend)
    request = server.requests[0]
    assert request.body == {"model": "m", "stream": True, "store": False, "input": []}
    assert request.headers["authorization"] == "Bearer key"
    assert request.headers["accept"] == "text/event-stream"


async def test_without_a_key_nothing_is_sent_for_one(server: ScriptedBackend) -> None:
    keyless = HttpBackend(Server("mock", server.url, None, Api.RESPONSES), TIMEOUTS)
    await sample(keyless)
    await keyless.close()
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (fails(400, "bad", error={"code": "bad_thing"}), 400, "bad_thing"),
        (fails(400, "bad"), 400, "backend_refused"),
        (fails(400, "bad", error={"code": 400}), 400, "backend_refused"),
        (fails(401), 502, "backend_refused_credentials"),
        (fails(403), 502, "backend_refused_credentials"),
        (fails(404), 404, "model_not_found"),
        (fails(422), 400, "backend_refused"),
        (fails(429), 429, "rate_limit_exceeded"),
        (fails(500), 502, "backend_error"),
        (fails(502), 502, "backend_error"),
        (fails(503), 503, "backend_error"),
        (overflows(), 400, "context_length_exceeded"),
        (fails(400, error={"code": "context_length_exceeded"}), 400, "context_length_exceeded"),
        (fails_plainly(500, b"<html>oops</html>"), 502, "backend_error"),
        (fails_plainly(400, b""), 400, "backend_refused"),
        (fails_plainly(404, b'"gone"', "application/json"), 404, "model_not_found"),
        (
            fails_plainly(422, b'{"detail":[{"msg":"m"}]}', "application/json"),
            400,
            "backend_refused",
        ),
    ],
)
async def test_a_refusal_is_told_with_a_status_and_a_code(
    server: ScriptedBackend, backend: HttpBackend, answer: Answer, status: int, code: str
) -> None:
    server.script(answer)
    failure = await failure_of(backend)
    assert (failure.http_status, failure.code) == (status, code)
    assert failure.message
    assert server.unplayed == 0


async def test_a_refusal_keeps_the_backends_own_words(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    server.script(fails(400, "top_k must be positive", error={"param": "top_k"}))
    failure = await failure_of(backend)
    assert (failure.type, failure.param) == ("invalid_request_error", "top_k")
    assert failure.message == "top_k must be positive"


async def test_a_prompt_that_is_too_long_is_the_inputs_fault(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    server.script(overflows())
    failure = await failure_of(backend)
    assert (failure.type, failure.param) == ("invalid_request_error", "input")
    assert "context size" in failure.message


@pytest.mark.parametrize(
    "answer",
    [
        fails(400, "m", error={"type": "BadRequestError", "param": "input_tokens", "code": 400}),
        fails(400, "This model's maximum context length is 10 tokens. However, you requested 20."),
        fails(400, "The input (20 tokens) is longer than the model's context length (10 tokens)."),
        fails_plainly(400, b'{"error":"loaded with context length of only 10 tokens"}'),
        fails_plainly(422, b'{"error":"`inputs` must have less than 10 tokens. Given: 20"}'),
    ],
    ids=["vLLM", "vLLM, older", "SGLang", "LM Studio", "TGI"],
)
async def test_every_server_has_its_own_words_for_a_prompt_that_is_too_long(
    server: ScriptedBackend, backend: HttpBackend, answer: Answer
) -> None:
    server.script(answer)
    with pytest.raises(PromptTooLongError) as raised:
        await sample(backend)
    failure = raised.value.failure
    assert (failure.http_status, failure.code) == (400, "context_length_exceeded")


async def test_llama_cpp_says_by_how_much_a_prompt_is_too_long(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    server.script(overflows(tokens=9000, limit=4096))
    with pytest.raises(PromptTooLongError) as raised:
        await sample(backend)
    assert raised.value.overflow == Overflow(9000, 4096)


async def test_a_server_that_does_not_stream_is_heard_to_its_end(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    body = b'{"choices":[]}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    server.script(sends_http(head % len(body) + body[:4], body[4:]))
    assert await sample(backend) == [body]


async def test_a_body_that_is_no_json_is_told_as_it_is(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    server.script(fails_plainly(502, b"<html>bad gateway</html>"))
    assert "<html>bad gateway</html>" in (await failure_of(backend)).message


async def test_a_backend_that_is_not_there_is_unavailable() -> None:
    with socket(AF_INET, SOCK_STREAM) as reserved:
        # Bound and not listening: nobody else gets the port, and every connection is refused.
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/v1"
        nobody = HttpBackend(Server("mock", url), TIMEOUTS)
        failure = await failure_of(nobody)
        await nobody.close()
    assert (failure.http_status, failure.code) == (502, "backend_unavailable")
    assert url in failure.message


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (never_answers(), 504, "backend_timeout"),
        (never_answers(headers=True), 504, "backend_timeout"),
        (says("Hel", "lo").hung(after=1), 504, "backend_timeout"),
        (says("Hel", "lo").reset(after=1), 502, "backend_stream_broken"),
        (says("Hel", "lo").cut(after=1, clean=False), 502, "backend_stream_broken"),
    ],
    ids=["silent", "silent after the head", "hung", "reset", "cut off"],
)
async def test_a_backend_that_breaks_off_fails_the_turn(
    server: ScriptedBackend, backend: HttpBackend, answer: Answer, status: int, code: str
) -> None:
    server.script(answer)
    failure = await failure_of(backend)
    assert (failure.http_status, failure.code) == (status, code)


async def test_a_stream_that_ends_early_gives_what_it_had(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    server.script(says("Hel", "lo").cut(after=1))
    events = await sample(backend)
    assert b'"delta":"Hel"' in events[-1]


async def test_a_connection_serves_one_sample_after_another(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    server.script(says("one"), says("two"), fails(400), says("three"))
    await sample(backend)
    await sample(backend)
    await failure_of(backend)
    await sample(backend)
    assert len({request.connection for request in server.requests}) == 1


async def test_leaving_at_the_end_event_keeps_the_connection(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    for _ in range(2):
        async with backend.sample(PROMPT) as answering:
            async for events in answering.reads:
                if any(b'"response.completed"' in event for event in events):
                    break
    assert server.requests[0].connection == server.requests[1].connection
    assert server.disconnects == 0


async def test_leaving_in_mid_stream_hangs_up_on_the_backend(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    server.script(says("Hel", "lo").paused(after=1))
    async with backend.sample(PROMPT) as answering:
        async for events in answering.reads:
            if any(b'"delta"' in event for event in events):
                break
    await server.saw_disconnect()


async def test_a_sample_that_is_cancelled_hangs_up_on_the_backend(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    server.script(says("Hel", "lo").paused(after=1))
    task = asyncio.create_task(sample(backend))
    await server.saw_pause()
    task.cancel()
    await server.saw_disconnect()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    answers = [b"data: 1\n\n", b"", b"data: 2\n\n"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b'"input":[]}'):
                body = answers.pop(0)
                if not body:
                    return
                head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
                writer.write(head % len(body) + body)

    def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve(reader, writer)))

    tasks: list[asyncio.Task[None]] = []
    listening = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    backend = HttpBackend(Server("mock", url, None, Api.RESPONSES), TIMEOUTS)
    assert await sample(backend) == [b"1"]
    assert await sample(backend) == [b"2"]
    assert answers == []
    await backend.close()
    listening.close()
    await asyncio.gather(*tasks)


async def test_the_list_of_models_is_the_backends_own(
    server: ScriptedBackend, backend: HttpBackend
) -> None:
    assert b'"owned_by":"mock"' in await backend.models()
    await server.stop()
    with pytest.raises(TurnFailedError):
        await backend.models()
