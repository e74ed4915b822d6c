"""What goes wrong is said in OpenAI's envelope, before the first byte of a stream if it can be."""

import re
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest
from openai import AsyncOpenAI, BadRequestError, InternalServerError

from e2e.rig.broker import connected_as
from e2e.rig.conversation import MODEL, asks
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import (
    Answer,
    ScriptedBackend,
    fails,
    fails_plainly,
    never_answers,
    overflows,
    says,
    sends_events,
)
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.jetstream.reading import read_batch
from turnwire_testing.open_responses import problems_of_response
from turnwire_testing.stream_grammar import check_stream

NO_OBJECT = [b"", b"{", b"[]", b'"text"', b"null", b'{"model": }', b"\xff\xfe"]

WRONG: dict[str, tuple[JSON, str]] = {
    "no model": ({"input": "Hi."}, "model"),
    "an empty model": ({"model": "", "input": "Hi."}, "model"),
    "a model that is a number": ({"model": 7, "input": "Hi."}, "model"),
    "no input": ({"model": MODEL}, "input"),
    "an empty input": (asks(""), "input"),
    "no items": (asks([]), "input"),
    "a number as input": ({"model": MODEL, "input": 7}, "input"),
    "an item that is no object": ({"model": MODEL, "input": ["Hi."]}, "input[0]"),
    "an unknown role": (asks([{"role": "robot", "content": "Hi."}]), "input[0].role"),
    "a message without content": (asks([{"role": "user"}]), "input[0].content"),
    "a part without a type": (
        asks([{"role": "user", "content": [{"text": "Hi."}]}]),
        "input[0].content[0]",
    ),
    "a call without a name": (
        asks([{"type": "function_call", "call_id": "c", "arguments": "{}"}]),
        "input[0].name",
    ),
    "an output without its call": (
        asks([{"type": "function_call_output", "output": "2"}]),
        "input[0].call_id",
    ),
    "a temperature above 2": (asks("Hi.", temperature=2.5), "temperature"),
    "a temperature as text": (asks("Hi.", temperature="hot"), "temperature"),
    "a top_p above 1": (asks("Hi.", top_p=1.5), "top_p"),
    "no tokens at all": (asks("Hi.", max_output_tokens=0), "max_output_tokens"),
    "stream as text": (asks("Hi.", stream="yes"), "stream"),
    "store as number": (asks("Hi.", store=1), "store"),
    "instructions as a list": (asks("Hi.", instructions=["Be kind."]), "instructions"),
    "an unknown truncation": (asks("Hi.", truncation="some"), "truncation"),
    "a tool without a type": (asks("Hi.", tools=[{"name": "f"}]), "tools[0]"),
    "an unknown tool_choice": (asks("Hi.", tool_choice="maybe"), "tool_choice"),
    "too much metadata": (
        asks("Hi.", metadata={f"key{number}": "" for number in range(17)}),
        "metadata",
    ),
    "a number in metadata": (asks("Hi.", metadata={"key": 7}), "metadata.key"),
    "a long value in metadata": (asks("Hi.", metadata={"key": "x" * 513}), "metadata.key"),
}


@pytest.mark.parametrize("body", NO_OBJECT)
async def test_a_body_that_is_no_json_object_is_refused(api: Api, body: bytes) -> None:
    status, answer = await api.post(body)
    assert (status, answer["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_value_is_refused_by_its_name(api: Api, case: str) -> None:
    body, param = WRONG[case]
    for asked in (body, {"stream": True, **body}):
        status, answer = await api.post(asked)
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
        assert answer["error"]["param"] == param
        assert param in answer["error"]["message"]


async def test_the_sdk_raises_what_it_raises_for_openai(client: AsyncOpenAI) -> None:
    wrong: Any = "hot"
    with pytest.raises(BadRequestError) as caught:
        await client.responses.create(model=MODEL, input="Hi.", temperature=wrong)
    assert (caught.value.param, caught.value.code) == ("temperature", "invalid_value")
    assert caught.value.request_id


@pytest.mark.parametrize("stream", [b"false", b"true"])
async def test_text_that_is_not_unicode_reaches_the_model_and_later_turns(
    api: Api, backend: ScriptedBackend, stream: bytes
) -> None:
    backend.script(says("Hello."), says("Hello again."))
    first = b'{"model":"%b","input":"A\\ud83d and \xff","stream":%b}' % (MODEL.encode(), stream)
    async with api.answer(first) as answer:
        assert answer.status == 200
        text = await answer.text()
    previous = re.findall(r"resp_[0-9a-f]{32}", text)[0]
    status, _ = await api.post(asks("More.", previous_response_id=previous))
    assert status == 200
    for request in backend.requests:
        assert "A\ufffd and \ufffd" in str(request.body["input"])


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_refused(
    impatient_api: Api, backend: ScriptedBackend, *, announced: bool
) -> None:
    body = orjson.dumps(asks("x" * 25_000))

    status, answer = await impatient_api.post(body if announced else _pieces(body))
    assert (status, answer["error"]["code"]) == (413, "request_too_large")
    assert len(backend.requests) == 0


@pytest.mark.parametrize("path", ["/nothing", "/responses/a/b/c"])
async def test_an_unknown_path_is_not_found_in_the_same_words(api: Api, path: str) -> None:
    status, answer = await api.get(path)
    assert (status, answer["error"]["code"]) == (404, "unknown_url")


async def test_a_wrong_method_is_said_in_the_same_words(api: Api) -> None:
    status, answer = await api.call("DELETE", "/responses")
    assert (status, set(answer["error"])) == (405, {"message", "type", "param", "code"})


REFUSALS: dict[str, tuple[Answer, int, str]] = {
    "an unknown model": (
        fails(404, "no such model", error={"code": "model_not_found"}),
        404,
        "model_not_found",
    ),
    "an unknown model without a code": (fails(404, "no such model"), 404, "model_not_found"),
    "a wrong value": (fails(400, "bad", error={"code": "bad_value"}), 400, "bad_value"),
    "a validation error": (fails(422, "bad", error={"code": "bad_value"}), 400, "bad_value"),
    "too many requests": (fails(429, "slow down"), 429, "rate_limit_exceeded"),
    "a context that is too long for llama.cpp": (overflows(), 400, "context_length_exceeded"),
    "a context that is too long for vLLM": (
        fails(400, "too long", error={"code": "context_length_exceeded"}),
        400,
        "context_length_exceeded",
    ),
    "credentials of ours": (fails(401, "who are you"), 502, "backend_refused_credentials"),
    "a breakdown": (fails(500, "boom"), 502, "backend_error"),
    "a page of a proxy": (fails_plainly(502, b"<h1>bad gateway</h1>"), 502, "backend_error"),
    "being overloaded": (fails(503, "loading"), 503, "backend_error"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", REFUSALS)
async def test_a_refusal_of_the_backend_is_a_plain_error(
    api: Api, backend: ScriptedBackend, case: str, *, stream: bool
) -> None:
    refusal, status, code = REFUSALS[case]
    backend.script(refusal)
    async with api.answer(asks("Hi.", stream=stream)) as answer:
        assert (answer.status, answer.content_type) == (status, "application/json")
        assert (await answer.json())["error"]["code"] == code
        # The turn exists: a client that tries again by itself would run it twice.
        assert (answer.headers.get("x-should-retry") == "false") == (status >= 500)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [429, 503])
async def test_when_the_backend_wants_to_be_asked_again_reaches_the_client(
    api: Api, backend: ScriptedBackend, status: int, *, stream: bool
) -> None:
    backend.script(fails(status, "busy", headers={"Retry-After": "7"}))
    async with api.answer(asks("Hi.", stream=stream)) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (status, "7")
        # Nothing was done: the client's own way of trying again is right.
        assert "x-should-retry" not in answer.headers
        error = (await answer.json())["error"]
    kind = "too_many_requests" if status == 429 else "server_error"
    assert (error["type"], "try again in 7 s" in error["message"]) == (kind, True)


async def test_the_words_of_the_backend_reach_the_client(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(fails(404, "The model `gpt-9` does not exist."))
    _, answer = await api.post(asks("Hi."))
    assert answer["error"]["message"] == "The model `gpt-9` does not exist."


@pytest.mark.parametrize("stream", [False, True])
async def test_without_a_backend_a_turn_fails_and_is_closed(
    api: Api, stack: Stack, *, stream: bool
) -> None:
    async with api.answer(asks("Hi.", stream=stream)) as answer:
        assert (answer.status, answer.headers["x-should-retry"]) == (502, "false")
        assert (await answer.json())["error"]["code"] == "backend_unavailable"
    closed = await _newest_event(stack, "closed")
    assert (closed["status"], closed["failure"]["code"]) == ("failed", "backend_unavailable")


async def test_the_sdk_does_not_try_a_failed_turn_again(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(fails(500))
    async with AsyncOpenAI(base_url=stack.url, api_key=stack.key) as client:
        with pytest.raises(InternalServerError):
            await client.responses.create(model=MODEL, input="Hi.")
    assert len(backend.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_backend_that_stays_silent_is_given_up(
    impatient_api: Api, backend: ScriptedBackend, *, stream: bool
) -> None:
    backend.script(never_answers(headers=True))
    if stream:
        async with impatient_api.stream(asks("Hi.")) as events:
            told = await events.to_the_end()
        assert told[-1]["response"]["error"]["code"] == "backend_timeout"
    else:
        status, answer = await impatient_api.post(asks("Hi."))
        assert (status, answer["error"]["code"]) == (504, "backend_timeout")
    await backend.saw_disconnect()


async def test_a_turn_that_takes_too_long_ends_with_what_there_is(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*["word "] * 50).slowed(each=0.1))
    async with impatient_api.stream(asks("Talk.")) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    response = events[-1]["response"]
    assert (events[-1]["type"], response["error"]["code"]) == ("response.failed", "turn_timeout")
    assert text_of(response).startswith("word word ")
    await backend.saw_disconnect()


BREAKS: dict[str, Answer] = {
    "response.failed": says("Hel", "lo.").broken(1),
    "an error event": says("Hel", "lo.").broken(1, by="error"),
    "a bare error": says("Hel", "lo.").broken(1, by="bare"),
    "the end of the body": says("Hel", "lo.").cut(1),
    "the end of the connection": says("Hel", "lo.").cut(1, clean=False),
    "a reset": says("Hel", "lo.").paused(after=1).reset(1),
}


@pytest.mark.parametrize("case", BREAKS)
async def test_a_failure_in_mid_stream_ends_the_stream_well(
    api: Api, backend: ScriptedBackend, case: str
) -> None:
    backend.script(BREAKS[case])
    async with api.stream(asks("Hi.")) as stream:
        await stream.until("response.output_text.delta")
        if case == "a reset":
            await backend.saw_pause()
            backend.release()
        events = await stream.to_the_end()
    check_stream(events)
    assert stream.done
    response = events[-1]["response"]
    assert (events[-1]["type"], response["status"]) == ("response.failed", "failed")
    assert (text_of(response), response["output"][0]["status"]) == ("Hel", "incomplete")
    assert response["error"]["message"]
    assert problems_of_response(response) == []
    assert (await api.get(f"/responses/{response['id']}"))[1] == response


@pytest.mark.parametrize("case", ["response.failed", "the end of the body"])
async def test_a_plain_turn_that_breaks_in_the_middle_is_an_error(
    api: Api, backend: ScriptedBackend, case: str
) -> None:
    backend.script(BREAKS[case])
    async with api.answer(asks("Hi.")) as answer:
        assert (answer.status, answer.headers["x-should-retry"]) == (502, "false")


async def test_a_backend_that_refuses_late_fails_inside_the_stream(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(fails(404, "no such model").slowed(first=1.3))
    async with api.stream(asks("Hi.")) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    assert events[-1]["response"]["error"]["code"] == "model_not_found"


async def test_a_backend_that_talks_nonsense_fails_the_turn(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(sends_events(b"data: {nonsense\n\n"))
    status, answer = await api.post(asks("Hi."))
    assert (status, answer["error"]["code"]) == (502, "backend_stream_broken")


async def _pieces(body: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


async def _newest_event(stack: Stack, kind: str) -> JSON:
    async with connected_as(User.OPERATOR, stack) as client:
        events = await read_batch(client, "TURNS", f"turn.*.*.{kind}")
    return orjson.loads(events[-1].data)
