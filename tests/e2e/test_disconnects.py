"""Clients that leave: a plain one ends its turn, a stream's turn waits for one to come back."""

import asyncio

import pytest

from e2e.rig.conversation import asks, heard
from e2e.rig.wire import Api, Stream, text_of
from scripted_backend import ScriptedBackend, never_answers, says
from turnwire_testing.stream_grammar import check_stream

WORDS = [f"word{number} " for number in range(8)]


async def test_a_plain_client_that_leaves_stops_the_model_within_a_second(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=3))
    asking = asyncio.create_task(api.post(asks("Talk.")))
    await backend.saw_pause()
    asking.cancel()
    await backend.saw_disconnect()


async def test_a_plain_client_that_leaves_before_the_model_answers_stops_it_too(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(never_answers())
    asking = asyncio.create_task(api.post(asks("Talk.")))
    await backend.saw_request()
    asking.cancel()
    await backend.saw_disconnect()


async def test_a_stream_client_that_leaves_before_the_first_frame_stops_the_model(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(never_answers())
    asking = asyncio.create_task(api.post(asks("Talk.", stream=True)))
    await backend.saw_request()
    asking.cancel()
    await backend.saw_disconnect()


async def test_a_stream_that_lost_its_client_goes_on_for_whoever_comes_back(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=3))
    lost = await _read_and_leave(api, deltas=3)
    async with api.join(_id(lost), after=len(lost.frames) - 1) as back:
        await backend.saw_pause()
        backend.release()
        await back.to_the_end()
    events = [*lost.events, *back.events]
    check_stream(events)
    assert text_of(events[-1]["response"]) == "".join(WORDS)
    assert backend.disconnects == 0


async def test_a_stream_finishes_within_its_grace_without_any_reader(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=3))
    lost = await _read_and_leave(api, deltas=3)
    await backend.saw_pause()
    backend.release()
    await backend.became_idle()
    async with api.join(_id(lost)) as again:
        events = await again.to_the_end()
    assert events[-1]["type"] == "response.completed"
    assert again.frames[: len(lost.frames)] == lost.frames
    assert backend.disconnects == 0


async def test_a_second_reader_keeps_the_stream_alive(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    # The grace is half a second; the model writes for twice that after the first reader has left.
    backend.script(says(*WORDS).slowed(each=0.15))
    async with impatient_api.stream(asks("Talk.")) as first:
        created = await first.until("response.created")
        async with impatient_api.join(created["response"]["id"]) as second:
            await second.until("response.output_text.delta")
            first.response.close()
            events = await second.to_the_end()
    assert events[-1]["type"] == "response.completed"
    assert backend.disconnects == 0


async def test_a_stream_that_nobody_comes_back_to_is_cancelled_and_kept(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=3))
    lost = await _read_and_leave(impatient_api, deltas=3)
    await backend.saw_disconnect()
    async with impatient_api.join(_id(lost)) as again:
        events = await again.to_the_end()
    check_stream(events)
    response = events[-1]["response"]
    assert (events[-1]["type"], response["status"]) == ("response.failed", "cancelled")
    assert text_of(response) == "".join(WORDS[:3])
    assert response["output"][0]["status"] == "incomplete"
    assert await impatient_api.get(f"/responses/{response['id']}") == (200, response)
    assert again.frames[: len(lost.frames)] == lost.frames


async def test_a_cancelled_response_can_be_continued(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=1), says("Sorry."))
    lost = await _read_and_leave(impatient_api, deltas=1)
    await backend.saw_disconnect()
    async with impatient_api.join(_id(lost)) as again:
        await again.to_the_end()
    status, response = await impatient_api.post(asks("Go on.", _id(lost)))
    assert (status, text_of(response)) == (200, "Sorry.")
    assert [said for _, said in heard(backend)] == ["Talk.", WORDS[0], "Go on."]


@pytest.mark.parametrize("after", [0, 2, 100])
async def test_a_cancelled_stream_can_be_taken_up_anywhere(
    impatient_api: Api, backend: ScriptedBackend, after: int
) -> None:
    backend.script(says(*WORDS).paused(after=2))
    lost = await _read_and_leave(impatient_api, deltas=2)
    await backend.saw_disconnect()
    async with impatient_api.join(_id(lost)) as whole:
        await whole.to_the_end()
    async with impatient_api.join(_id(lost), after=after) as rest:
        await rest.to_the_end()
    assert rest.frames == whole.frames[after + 1 :]
    assert rest.done


async def _read_and_leave(api: Api, *, deltas: int) -> Stream:
    async with api.stream(asks("Talk.")) as stream:
        await stream.until("response.output_text.delta", deltas)
    return stream


def _id(stream: Stream) -> str:
    return stream.events[0]["response"]["id"]
