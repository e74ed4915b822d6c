"""Background turns: accepted at once, polled, streamed by whoever comes, ended by whoever asks."""

import asyncio
from typing import Any

import pytest

from e2e.rig.conversation import asks, heard
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, Stream, text_of
from scripted_backend import ScriptedBackend, fails, never_answers, says
from turnwire_testing.open_responses import problems_of_event, problems_of_response
from turnwire_testing.stream_grammar import check_stream

NO_SUCH_ID = "resp_0123456789abcdef0123456789abcdef"
WORDS = [f"word{number} " for number in range(8)]
DELTA = "response.output_text.delta"


def later(text: str | list[JSON], after: str | None = None, /, **fields: Any) -> JSON:
    """The body of a request for a background turn."""
    return asks(text, after, background=True, **fields)


async def queued(api: Api, body: JSON) -> str:
    """Have a background turn accepted; gives its id."""
    status, response = await api.post(body)
    assert (status, response["status"]) == (202, "queued"), response
    return response["id"]


async def test_a_background_turn_is_accepted_at_once_and_polled_to_its_end(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    status, accepted = await api.post(later("Hi.", metadata={"a": "b"}))
    assert (status, accepted["status"], accepted["background"]) == (202, "queued", True)
    assert (accepted["output"], accepted["completed_at"]) == ([], None)
    assert problems_of_response(accepted) == []
    path = f"/responses/{accepted['id']}"
    running = await api.until(path, lambda found: found["status"] == "in_progress")
    assert running == {**accepted, "status": "in_progress"}
    await backend.saw_pause()
    backend.release()
    response = await api.ended(accepted["id"])
    assert (response["status"], text_of(response)) == ("completed", "Hello.")
    assert response["background"] is True
    assert problems_of_response(response) == []
    assert await api.get(path) == (200, response)


async def test_a_background_turn_is_queued_until_an_orchestrator_is_free(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One.").paused(after=0), says("Two."))
    first = await queued(impatient_api, later("one?"))
    await backend.saw_pause()
    second = await queued(impatient_api, later("two?"))
    status, plain = await impatient_api.post(asks("In front."))
    assert (status, plain["status"]) == (200, "completed")
    _, waiting = await impatient_api.get(f"/responses/{second}")
    assert waiting["status"] == "queued"
    await backend.saw_pause()
    backend.release()
    for response_id in (first, second):
        assert (await impatient_api.ended(response_id))["status"] == "completed"


async def test_a_background_turn_remembers_what_was_said_and_is_continued(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One."), says("Two."), says("Three."))
    _, first = await api.post(asks("one?", instructions="Count."))
    second = await queued(api, later("two?", first["id"]))
    assert (await api.ended(second))["instructions"] == "Count."
    status, third = await api.post(asks("three?", second))
    assert (status, third["instructions"]) == (200, "Count.")
    assert [said for _, said in heard(backend)] == ["one?", "One.", "two?", "Two.", "three?"]


async def test_what_a_background_turn_fails_with_is_told_by_its_response(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(fails(500, "out of memory"))
    response = await api.ended(await queued(api, later("Hi.")))
    assert (response["status"], response["output"]) == ("failed", [])
    assert response["error"]["code"]
    assert problems_of_response(response) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_background_turn_that_continues_nothing_is_refused_at_once(
    api: Api, backend: ScriptedBackend, *, stream: bool
) -> None:
    status, refused = await api.post(later("Hi.", NO_SUCH_ID, stream=stream))
    assert (status, refused["error"]["code"]) == (404, "previous_response_not_found")
    assert (await api.post(asks("Hi.", NO_SUCH_ID))) == (status, refused)
    assert len(backend.requests) == 0


async def test_a_background_stream_begins_in_the_queue(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says("Hel", "lo."))
    async with api.stream(later("Hi.")) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    opening = [(event["type"], event["response"]["status"]) for event in events[:3]]
    assert opening == [
        ("response.created", "queued"),
        ("response.queued", "queued"),
        ("response.in_progress", "in_progress"),
    ]
    assert stream.done
    assert [problem for event in events for problem in problems_of_event(event)] == []
    response = events[-1]["response"]
    assert await api.get(f"/responses/{response['id']}") == (200, response)


async def test_a_background_turn_that_nobody_streamed_can_be_streamed_afterwards(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS))
    response = await api.ended(await queued(api, later("Talk.")))
    first, again = await _read(api, response["id"]), await _read(api, response["id"])
    check_stream(first.events)
    assert first.events[-1]["response"] == response
    assert [event["delta"] for event in first.events if event["type"] == DELTA] == WORDS
    assert again.frames == first.frames


async def test_a_running_background_turn_can_be_joined_by_anyone_anywhere(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=4))
    response_id = await queued(api, later("Talk."))
    await backend.saw_pause()
    async with (
        api.join(response_id) as first,
        api.join(response_id) as second,
        api.join(response_id, after=6) as third,
        api.join(response_id, after=6) as fourth,
    ):
        await first.until(DELTA, 4)
        await backend.saw_pause()
        backend.release()
        await asyncio.gather(*(each.to_the_end() for each in (first, second, third, fourth)))
    check_stream(first.events)
    assert text_of(first.events[-1]["response"]) == "".join(WORDS)
    assert second.frames == first.frames
    assert third.frames == fourth.frames == first.frames[7:]
    assert (await _read(api, response_id)).frames == first.frames


async def test_a_turn_that_still_waits_can_be_joined(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One.").paused(after=0), says("Two."))
    first = await queued(impatient_api, later("one?"))
    await backend.saw_pause()
    second = await queued(impatient_api, later("two?"))
    reading = asyncio.create_task(_read(impatient_api, second))
    await backend.saw_pause()
    backend.release()
    events = (await reading).events
    check_stream(events)
    assert text_of(events[-1]["response"]) == "Two."
    await impatient_api.ended(first)


async def test_a_client_that_leaves_its_background_stream_cancels_nothing(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    # The grace for streams is half a second here.
    backend.script(says(*WORDS).paused(after=2).slowed(each=0.15))
    async with impatient_api.stream(later("Talk.")) as lost:
        await lost.until(DELTA, 2)
    await backend.saw_pause()
    backend.release()
    response = await impatient_api.ended(lost.events[0]["response"]["id"])
    assert (response["status"], text_of(response)) == ("completed", "".join(WORDS))
    assert backend.disconnects == 0


async def test_a_background_turn_is_cancelled_within_a_second_while_it_runs(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=3), says("Sorry."))
    response_id = await queued(api, later("Talk."))
    await backend.saw_pause()
    async with api.join(response_id) as stream:
        await stream.until(DELTA, 3)
        status, cancelled = await _cancel(api, response_id)
        await backend.saw_disconnect()
        events = await stream.to_the_end()
    assert (status, cancelled["status"]) == (200, "cancelled")
    assert problems_of_response(cancelled) == []
    check_stream(events)
    assert (events[-1]["type"], events[-1]["response"]) == ("response.failed", cancelled)
    assert text_of(cancelled) == "".join(WORDS[:3])
    assert await api.get(f"/responses/{response_id}") == (200, cancelled)
    assert await _cancel(api, response_id) == (200, cancelled)
    status, _ = await api.post(asks("Go on.", response_id))
    assert status == 200
    assert [said for _, said in heard(backend)] == ["Talk.", "".join(WORDS[:3]), "Go on."]


async def test_a_background_turn_is_cancelled_before_its_model_has_said_anything(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(never_answers())
    response_id = await queued(api, later("Talk."))
    await backend.saw_request()
    status, cancelled = await _cancel(api, response_id)
    await backend.saw_disconnect()
    assert (status, cancelled["status"], cancelled["output"]) == (200, "cancelled", [])


async def test_a_background_turn_is_cancelled_while_it_waits(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One.").paused(after=0))
    first = await queued(impatient_api, later("one?"))
    await backend.saw_pause()
    second = await queued(impatient_api, later("two?"))
    reading = asyncio.create_task(_read(impatient_api, second))
    status, cancelled = await _cancel(impatient_api, second)
    assert (status, cancelled["status"], cancelled["output"]) == (200, "cancelled", [])
    assert await _cancel(impatient_api, second) == (200, cancelled)
    await backend.saw_pause()
    backend.release()
    await impatient_api.ended(first)
    events = (await reading).events
    assert (events[-1]["type"], events[-1]["response"]["status"]) == (
        "response.failed",
        "cancelled",
    )
    assert len(backend.requests) == 1


async def test_many_clients_may_cancel_at_once(api: Api, backend: ScriptedBackend) -> None:
    backend.script(says(*WORDS).paused(after=1))
    response_id = await queued(api, later("Talk."))
    await backend.saw_pause()
    answers = await asyncio.gather(*(_cancel(api, response_id) for _ in range(5)))
    assert answers == [answers[0]] * 5
    assert (answers[0][0], answers[0][1]["status"]) == (200, "cancelled")


@pytest.mark.parametrize("background", [False, True])
async def test_what_has_ended_or_is_not_in_the_background_cannot_be_cancelled(
    api: Api, backend: ScriptedBackend, *, background: bool
) -> None:
    backend.script(says("Hello."))
    _, response = await api.post(asks("Hi.", background=background))
    await api.ended(response["id"])
    status, refused = await _cancel(api, response["id"])
    said = "completed" if background else "synchronous"
    assert (status, refused["error"]["message"]) == (400, f"Cannot cancel a {said} response.")
    assert refused["error"]["type"] == "invalid_request_error"


async def test_a_running_stream_in_the_foreground_cannot_be_cancelled(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=1))
    async with api.stream(asks("Talk.")) as stream:
        created = await stream.until("response.created")
        status, _ = await _cancel(api, created["response"]["id"])
        await backend.saw_pause()
        backend.release()
        events = await stream.to_the_end()
    assert (status, events[-1]["type"]) == (400, "response.completed")


@pytest.mark.parametrize("response_id", [NO_SUCH_ID, "resp_1", "*"])
async def test_an_unknown_response_cannot_be_cancelled(api: Api, response_id: str) -> None:
    status, refused = await _cancel(api, response_id)
    assert (status, refused["error"]["code"]) == (404, "response_not_found")


async def test_a_background_turn_must_be_stored(api: Api, backend: ScriptedBackend) -> None:
    for stream in (False, True):
        status, refused = await api.post(later("Hi.", store=False, stream=stream))
        assert (status, refused["error"]["param"]) == (400, "background")
        assert refused["error"]["code"] == "unsupported_parameter"
    assert len(backend.requests) == 0


async def test_a_background_turn_has_a_deadline(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    # 2.5 seconds, and never silent for 2.
    backend.script(says(*WORDS, *WORDS).slowed(each=0.3))
    response = await impatient_api.ended(await queued(impatient_api, later("Talk.")))
    assert (response["status"], response["error"]["code"]) == ("failed", "turn_timeout")
    assert text_of(response).startswith(WORDS[0])
    assert backend.disconnects == 1


async def test_time_in_the_queue_counts_towards_the_deadline(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).slowed(each=0.25), says("Two.").slowed(first=1.5))
    first = await queued(impatient_api, later("one?"))
    await backend.saw_request()
    second = await impatient_api.ended(await queued(impatient_api, later("two?")))
    assert (second["status"], second["error"]["code"]) == ("failed", "turn_timeout")
    assert (await impatient_api.ended(first))["status"] == "completed"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_blocked_background_turn_is_refused_at_once_and_not_kept(
    impatient_api: Api, impatient_stack: Stack, backend: ScriptedBackend, *, stream: bool
) -> None:
    status, refused = await impatient_api.post(later("My key is sk-secret.", stream=stream))
    assert (status, refused["error"]["code"]) == (400, "content_filter")
    assert refused["error"]["param"] == "input"
    violation = {"category": "key", "provider": "regex", "stage": "secrets", "step": 1}
    assert refused["error"]["violations"] == [violation]
    assert len(backend.requests) == 0
    assert impatient_stack.files_with("sk-secret") == []


async def test_a_background_turn_that_the_guard_passes_runs(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello."))
    response = await impatient_api.ended(await queued(impatient_api, later("Hi.")))
    assert (response["status"], text_of(response)) == ("completed", "Hello.")


async def _cancel(api: Api, response_id: str) -> tuple[int, JSON]:
    return await api.call("POST", f"/responses/{response_id}/cancel")


async def _read(api: Api, response_id: str) -> Stream:
    async with api.join(response_id) as stream:
        await stream.to_the_end()
    return stream
