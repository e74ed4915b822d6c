"""A request that comes again with the same key is the same turn, whatever happened to the first."""

import asyncio
import itertools

import pytest

from e2e.rig.conversation import asks
from e2e.rig.spoken import begin, texts_in
from e2e.rig.wire import Api, text_of
from scripted_backend import ScriptedBackend, fails, says
from turnwire_testing.stream_grammar import check_stream

KINDS = {"plain": {}, "streamed": {"stream": True}, "in the background": {"background": True}}

_keys = (f"key-{number}" for number in itertools.count())


async def test_a_plain_request_that_comes_again_gets_the_same_answer(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."))
    key = next(_keys)
    first = await api.post(asks("Hi."), idempotency_key=key)
    assert (first[0], text_of(first[1])) == (200, "Hello.")
    assert await api.post(asks("Hi."), idempotency_key=key) == first
    assert await api.get(f"/responses/{first[1]['id']}") == first
    assert len(backend.requests) == 1


async def test_a_stream_that_is_asked_for_again_comes_again_byte_for_byte(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."))
    key = next(_keys)
    streams = [await _stream(api, key) for _ in range(3)]
    assert streams[0] == streams[1] == streams[2]
    assert len(backend.requests) == 1


async def test_requests_that_come_again_while_the_first_runs_share_its_end(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1), says("Hel", "lo.").paused(after=1))
    plain, streamed = next(_keys), next(_keys)
    asking = [asyncio.create_task(api.post(asks("Hi."), idempotency_key=plain)) for _ in range(4)]
    async with api.stream(asks("Hi."), idempotency_key=streamed) as first:
        await first.until("response.output_text.delta")
        async with api.stream(asks("Hi."), idempotency_key=streamed) as second:
            await second.until("response.output_text.delta")
            await backend.saw_pause(count=2)
            backend.release()
            await asyncio.gather(first.to_the_end(), second.to_the_end())
    answers = await asyncio.gather(*asking)
    assert answers == [answers[0]] * 4
    assert text_of(answers[0][1]) == "Hello."
    check_stream(first.events)
    assert first.frames == second.frames
    assert len(backend.requests) == 2


async def test_a_client_that_left_and_comes_again_finds_its_turn(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1), says("Hel", "lo.").paused(after=1))
    plain, streamed = next(_keys), next(_keys)
    asking = asyncio.create_task(api.post(asks("Hi."), idempotency_key=plain))
    async with api.stream(asks("Hi."), idempotency_key=streamed) as left:
        await left.until("response.output_text.delta")
        await backend.saw_pause(count=2)
    asking.cancel()
    again = asyncio.create_task(api.post(asks("Hi."), idempotency_key=plain))
    async with api.stream(asks("Hi."), idempotency_key=streamed) as stream:
        await stream.until("response.output_text.delta")
        await backend.saw_pause()
        backend.release()
        check_stream(await stream.to_the_end())
    assert stream.frames[: len(left.frames)] == left.frames
    status, response = await again
    assert (status, text_of(response)) == (200, "Hello.")
    assert (len(backend.requests), backend.disconnects) == (2, 0)


async def test_a_background_request_that_comes_again_tells_how_far_it_is(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    key, body = next(_keys), asks("Hi.", background=True)
    status, queued = await api.post(body, idempotency_key=key)
    assert (status, queued["status"]) == (202, "queued")
    await backend.saw_pause()
    running = {**queued, "status": "in_progress"}
    assert await api.post(body, idempotency_key=key) == (202, running)
    await backend.saw_pause()
    backend.release()
    response = await api.ended(queued["id"])
    assert await api.post(body, idempotency_key=key) == (200, response)
    assert len(backend.requests) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_many_at_once_are_one_turn(api: Api, backend: ScriptedBackend, kind: str) -> None:
    backend.always(says("Hello."))
    key, body = next(_keys), asks("Hi.", **KINDS[kind])

    async def ask() -> str:
        async with api.answer(body, idempotency_key=key) as answer:
            assert answer.status in {200, 202}
            text = await answer.text()
            return text[text.index("resp_") :][:37]

    ids = await asyncio.gather(*(ask() for _ in range(8)))
    assert set(ids) == {ids[0]}
    await api.ended(ids[0])
    assert len(backend.requests) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_stands_for_one_body(api: Api, backend: ScriptedBackend, kind: str) -> None:
    backend.script(says("Hello."))
    key = next(_keys)
    await api.post(asks("Hi."), idempotency_key=key)
    status, refused = await api.post(asks("Ho.", **KINDS[kind]), idempotency_key=key)
    assert (status, refused["error"]["code"]) == (409, "idempotency_key_reused")
    assert len(backend.requests) == 1


async def test_of_many_bodies_at_once_one_is_the_turn_of_a_key(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.always(says("Hello."))
    key = next(_keys)
    asking = [api.post(asks(f"Hi {number}."), idempotency_key=key) for number in range(8)]
    answers = await asyncio.gather(*asking)
    assert sum(status == 200 for status, _ in answers) == 1
    codes = {answer["error"]["code"] for status, answer in answers if status != 200}
    assert codes == {"idempotency_key_reused"}
    assert len(backend.requests) == 1


async def test_the_answer_of_what_was_not_stored_is_given_once(
    api: Api, backend: ScriptedBackend
) -> None:
    for stream in (False, True):
        backend.script(says("Secret."))
        key, body = next(_keys), asks("Tell.", store=False, stream=stream)
        async with api.answer(body, idempotency_key=key) as answer:
            assert answer.status == 200
            await answer.read()
        status, refused = await api.post(body, idempotency_key=key)
        assert (status, refused["error"]["code"]) == (409, "idempotency_key_spent")
    assert len(backend.requests) == 2


@pytest.mark.parametrize("query", ["", "?hard_delete=true"])
async def test_a_deleted_response_is_not_made_again(
    api: Api, backend: ScriptedBackend, query: str
) -> None:
    backend.script(says("Hello."))
    key = next(_keys)
    _, response = await api.post(asks("Hi."), idempotency_key=key)
    await api.call("DELETE", f"/responses/{response['id']}{query}")
    status, refused = await api.post(asks("Hi."), idempotency_key=key)
    assert (status, refused["error"]["code"]) == (409, "idempotency_key_spent")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_that_failed_fails_again_in_the_same_words(
    api: Api, backend: ScriptedBackend, *, stream: bool
) -> None:
    backend.script(fails(500, "out of memory"))
    key, body = next(_keys), asks("Hi.", stream=stream)
    first = await api.post(body, idempotency_key=key)
    assert first[0] >= 500
    assert await api.post(body, idempotency_key=key) == first
    assert len(backend.requests) == 1


async def test_what_was_refused_before_it_was_a_turn_may_be_sent_again(
    api: Api, backend: ScriptedBackend
) -> None:
    key = next(_keys)
    assert (await api.post(asks("Hi.", temperature=7), idempotency_key=key))[0] == 400
    backend.script(says("Hello."))
    assert (await api.post(asks("Hi."), idempotency_key=key))[0] == 200


async def test_a_turn_in_a_conversation_is_made_once(api: Api, backend: ScriptedBackend) -> None:
    begun = await begin(api)
    backend.script(says("Hel", "lo.").paused(after=1))
    key, body = next(_keys), asks("Hi.", conversation=begun["id"])
    asking = asyncio.create_task(api.post(body, idempotency_key=key))
    await backend.saw_pause()
    again = asyncio.create_task(api.post(body, idempotency_key=key))
    await backend.saw_pause()
    backend.release()
    assert await asking == await again == await api.post(body, idempotency_key=key)
    assert await texts_in(api, begun) == ["Hi.", "Hello."]


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_a_length(api: Api, backend: ScriptedBackend, key: str) -> None:
    status, refused = await api.post(asks("Hi."), idempotency_key=key)
    assert (status, refused["error"]["param"]) == (400, "Idempotency-Key")
    assert len(backend.requests) == 0


async def _stream(api: Api, key: str) -> list[bytes]:
    async with api.stream(asks("Hi."), idempotency_key=key) as stream:
        check_stream(await stream.to_the_end())
    assert stream.done
    return stream.frames
