"""Processes that are killed while nobody waits: what was accepted ends all the same, once."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from e2e.rig.broker import connected_as
from e2e.rig.conversation import asks, heard
from e2e.rig.remains import nothing_says, somebody_says
from e2e.rig.spoken import begin, say_in, texts_in
from e2e.rig.stack import Stack
from e2e.rig.wire import Api, Stream, text_of
from scripted_backend import ScriptedBackend, says
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_contracts.conversation_events import TurnAdded
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.ids import ConversationId, ResponseId
from turnwire_gateway.auth.caller import LOCAL
from turnwire_testing.stream_grammar import check_stream

WORDS = [f"word{number} " for number in range(6)]
ENDED_WITHIN = 60.0
FREED_WITHIN_MS = 10_000

KINDS = {"plain": {}, "streamed": {"stream": True}, "in the background": {"background": True}}

_DELETED = "?include_deleted=true"

Disaster = Callable[[Stack, Api], Awaitable[None]]


@pytest.fixture
def stack(fragile_stack: Stack) -> Stack:
    """The stack of which processes are killed."""
    return fragile_stack


def killed(*names: str) -> Disaster:
    """Kill processes and wait until they are back."""

    async def happen(stack: Stack, api: Api) -> None:
        stack.kill(*names)
        await asyncio.to_thread(stack.wait_until_back, *names)
        await api.until_well()

    return happen


async def stopped(stack: Stack, _: Api) -> None:
    """Stop everything, and start it again."""
    await asyncio.to_thread(stack.stop)
    await asyncio.to_thread(stack.start)


async def unplugged(stack: Stack, _: Api) -> None:
    """Kill everything at once, and start it again."""
    await asyncio.to_thread(stack.pull_the_plug)
    await asyncio.to_thread(stack.start)


# Whether the call to the backend is lost with them, and whether a reader would be.
DISASTERS: dict[str, tuple[Disaster, bool, bool]] = {
    "the gateway is killed": (killed("gateway"), False, True),
    "the orchestrator is killed": (killed("orchestrator"), True, False),
    "the broker is killed": (killed("nats"), False, False),
    "the store and its database are killed": (killed("store", "mongo"), False, False),
    "all is stopped and started": (stopped, True, True),
    "the plug is pulled": (unplugged, True, True),
}


@pytest.mark.parametrize("case", DISASTERS)
async def test_a_background_turn_in_a_conversation_ends_all_the_same_when(
    api: Api, stack: Stack, backend: ScriptedBackend, case: str
) -> None:
    disaster, anew, unread = DISASTERS[case]
    begun = await begin(api, items=[{"role": "user", "content": "zero?"}], metadata={"a": "b"})
    backend.script(says(*WORDS).paused(after=2))
    backend.script(*[says(*WORDS)] * anew)
    body = asks("Talk.", background=True, conversation=begun["id"])
    status, queued = await api.post(body)
    assert status == 202
    await backend.saw_pause()
    reading = None if unread else await _starts_to_read(api, queued["id"])
    await disaster(stack, api)
    if not anew:
        status, refused = await api.post(body)
        assert (status, refused["error"]["code"]) == (409, "conversation_locked")
        await backend.saw_pause()
        backend.release()
    response = await api.ended(queued["id"], within=ENDED_WITHIN)
    assert (response["status"], response["background"]) == ("completed", True)
    assert response["output"][-1]["content"][0]["text"] == "".join(WORDS)
    stream = await _read(api, queued["id"])
    check_stream(stream.events)
    assert stream.events[-1]["response"] == response
    assert reading is None or (await reading).frames == stream.frames
    await say_in(begun, api, backend, "two?", "Two.")
    told = ["zero?", "Talk.", "".join(WORDS), "two?"]
    assert [said for _, said in heard(backend)] == told
    assert (await texts_in(api, begun))[-2:] == ["two?", "Two."]
    _, found = await api.get(f"/conversations/{begun['id']}")
    assert found == {**begun, "updated_at": found["updated_at"]}
    assert backend.unplayed == 0


async def test_a_cancelled_background_turn_stays_cancelled_when_its_orchestrator_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=2))
    _, queued = await api.post(asks("Talk.", background=True))
    await backend.saw_pause()
    stack.kill("orchestrator")
    status, response = await api.call("POST", f"/responses/{queued['id']}/cancel")
    assert status == 200
    await asyncio.to_thread(stack.wait_until_back, "orchestrator")
    response = await api.ended(queued["id"], within=ENDED_WITHIN)
    assert response["status"] == "cancelled"
    assert len(backend.requests) == 1


async def test_a_reader_of_a_background_turn_takes_it_up_again_when_the_gateway_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=2))
    async with api.stream(asks("Talk.", background=True)) as lost:
        await lost.until("response.output_text.delta", 2)
        stack.kill("gateway")
        with pytest.raises(aiohttp.ClientError):
            await lost.to_the_end()
    await asyncio.to_thread(stack.wait_until_back, "gateway")
    response_id = lost.events[0]["response"]["id"]
    async with api.join(response_id, after=len(lost.frames) - 1) as rest:
        await backend.saw_pause()
        backend.release()
        await rest.to_the_end()
    assert (await _read(api, response_id)).frames == [*lost.frames, *rest.frames]
    check_stream([*lost.events, *rest.events])


async def test_requests_that_come_again_after_their_gateway_was_killed_are_the_same_turns(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    for _ in KINDS:
        backend.script(says(*WORDS).paused(after=2))
    asking = [asyncio.create_task(_answer(api, kind)) for kind in KINDS]
    await backend.saw_pause(count=len(KINDS))
    stack.kill("gateway")
    await asyncio.wait(asking)
    lost = [task for task in asking if isinstance(task.exception(), aiohttp.ClientError)]
    assert lost == asking[:2]
    await asyncio.to_thread(stack.wait_until_back, "gateway")
    again = [asyncio.create_task(_answer(api, kind)) for kind in KINDS]
    await backend.saw_pause()
    backend.release()
    for kind, task in zip(KINDS, again, strict=True):
        response = await api.ended(await task)
        assert (response["status"], text_of(response)) == ("completed", "".join(WORDS))
        assert await _answer(api, kind) == response["id"]
    assert len(backend.requests) == len(KINDS)


async def test_a_conversation_is_free_again_when_a_gateway_died_with_its_place(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    first = await say_in(begun, api, backend, "one?", "One.")
    # What a gateway leaves that is killed between taking the place and requesting the turn.
    left = TurnAdded(
        v=VERSIONS[TurnAdded],
        tenant=LOCAL.tenant,
        conversation_id=ConversationId(begun["id"]),
        at=time.time_ns() // 1_000_000 - FREED_WITHIN_MS + 2_000,
        cause="test",
        response_id=ResponseId("resp_" + "0" * 32),
        base=ResponseId(first["id"]),
    )
    async with connected_as(User.GATEWAY, stack) as broker:
        await JetStreamEventLog(broker, broker.jetstream()).append(left, None)
    body = asks("two?", conversation=begun["id"])
    status, refused = await api.post(body)
    assert (status, refused["error"]["code"]) == (409, "conversation_locked")
    assert await texts_in(api, begun) == ["one?", "One."]
    async with asyncio.timeout(ENDED_WITHIN):
        while status == 409:
            status, _ = await api.post(body)
    assert status == 200
    assert [said for _, said in heard(backend)] == ["one?", "One.", "two?"]


async def _answer(api: Api, kind: str) -> str:
    """Ask with a key and read the answer to its end; gives the id of the response."""
    async with api.answer(asks("Talk.", **KINDS[kind]), idempotency_key=kind) as answer:
        text = await answer.text()
    return text[text.index("resp_") :][:37]


async def test_everything_is_built_anew_from_the_log_as_it_was(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    kept = await begin(api, items=[{"role": "user", "content": "zero?"}], metadata={"a": "b"})
    turns = [await say_in(kept, api, backend, f"{n}?", f"{n}.") for n in range(4)]
    backend.script(says("Branch."))
    _, branch = await api.post(asks("branch?", turns[1]["id"]))
    away, purged = await begin(api, metadata={"a": "b"}), await begin(api, metadata={"a": "b"})
    await say_in(away, api, backend, "away?", "Away.")
    await say_in(purged, api, backend, "frotz", "gnusto")
    await somebody_says(stack, "frotz")
    _, items = await api.get(f"/conversations/{kept['id']}/items?order=asc")
    one, back, gone, _ = (f"/responses/{turn['id']}" for turn in turns)
    for method, path in (
        ("DELETE", f"/conversations/{kept['id']}/items/{items['data'][3]['id']}"),
        ("DELETE", back),
        ("PATCH", f"{back}?recovery_from_delete=true"),
        ("DELETE", gone),
        ("DELETE", f"/conversations/{away['id']}"),
    ):
        assert (await api.call(method, path))[0] == 200
    await api.call("POST", f"/conversations/{kept['id']}", {"metadata": {"a": "c"}})
    paths = [
        *(f"{path}{query}" for path in (one, back, gone) for query in ("", _DELETED)),
        f"/responses/{branch['id']}/input_items",
        *(f"/conversations{_DELETED}&metadata.a={value}" for value in "bc"),
        f"/conversations/{kept['id']}/items",
        *(f"/conversations/{kept['id']}/responses{query}" for query in ("", _DELETED)),
        f"/conversations/{away['id']}{_DELETED}",
    ]
    await api.until(f"/conversations/{kept['id']}/responses", lambda page: len(page["data"]) == 4)
    path = f"/conversations/{purged['id']}?hard_delete=true"
    assert (await api.call("DELETE", path))[0] == 200
    told = [await api.get(path) for path in paths]
    await asyncio.to_thread(stack.pull_the_plug)
    shutil.rmtree(stack.data / "mongo")
    await asyncio.to_thread(stack.start)
    for path, before in zip(paths, told, strict=True):
        assert await api.get(path) == before, path
    for words in ("frotz", "gnusto"):
        await nothing_says(stack, words)
    await say_in(kept, api, backend, "on?", "On.")
    told_now = [said for _, said in heard(backend)]
    assert told_now == ["zero?", "0?", "0.", "1.", "3?", "3.", "on?"]


async def _starts_to_read(api: Api, response_id: str) -> asyncio.Task[Stream]:
    """Read a stream to its end in the background; gives the task once some of it was read."""
    begun = asyncio.Event()

    async def read() -> Stream:
        async with api.join(response_id) as stream:
            await stream.until("response.output_text.delta", 2)
            begun.set()
            await stream.to_the_end()
        return stream

    reading = asyncio.create_task(read())
    await begun.wait()
    return reading


async def _read(api: Api, response_id: str) -> Stream:
    async with api.join(response_id) as stream:
        await stream.to_the_end()
    return stream
