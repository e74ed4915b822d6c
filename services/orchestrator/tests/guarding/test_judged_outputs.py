"""What a model says is judged: before it is shown, or when it is whole."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from scripted_backend import Reply, calls, says
from turnwire_contracts import codec
from turnwire_contracts.events import Closed, Requested, TakenOver
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.frames import payload
from turnwire_contracts.wire.refusals import guard_unavailable
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator.prompting.history import HistoryTurn
from turnwire_testing.examples import RESPONSE_ID, user
from turnwire_testing.orchestration import FORBIDDEN, POLICY, Hold, World
from turnwire_testing.samples import events_of

WITHIN_S = 30.0
NEXT_ID = ResponseId(RESPONSE_ID[:-1] + "f")
WORD = "sesame"
BLOCKED = says("Hello there. ", "The word ", "is ", WORD, ". ", "Bye.")

modes = pytest.mark.parametrize("mode", ["held", "at_end"])


@pytest.fixture
def world() -> World:
    made = World()
    made.guard.forbidden = WORD
    return made


async def run(world: World, mode: Any, *samples: Reply, **changes: Any) -> Requested:
    """Drive a turn whose output is judged like this."""
    world.guard.output = mode
    for sample in samples or (BLOCKED,):
        world.backend.plays(*events_of(sample))
    request = await world.request(**{"screen": True, "stream": True, **changes})
    await world.run(request)
    return request


def before_the_end(reply: Reply) -> list[bytes]:
    """Give the events up to the word, whose sentence is not complete."""
    events = events_of(reply)
    said = next(n for n, event in enumerate(events) if WORD.encode() in event)
    return events[: said + 1]


def deltas(events: list[JSON]) -> str:
    """Give the text that was streamed."""
    return "".join(each["delta"] for each in events if each["type"].endswith("text.delta"))


async def bytes_of(world: World, request: Requested) -> bytes:
    """Give all that the log keeps of a turn."""
    return b"".join(map(codec.encode, await world.events(request)))


@modes
async def test_what_passes_is_streamed_as_ever(world: World, mode: str) -> None:
    request = await run(world, mode, says("Hello there. ", "Bye."))
    turn = await world.closed(request)
    assert turn.closed.status == "completed"
    assert await world.frames(request) == stream_of(turn)


async def test_held_text_is_shown_up_to_the_sentence_that_is_blocked(world: World) -> None:
    request = await run(world, "held")
    turn = await world.closed(request)
    stream = await world.stream(request)
    assert deltas(stream) == "Hello there. "
    end = stream[-1]
    assert end["type"] == "response.incomplete"
    assert end["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert turn.closed.violations == [FORBIDDEN]
    assert [item["status"] for item in turn.output] == ["incomplete"]
    assert [part["text"] for part in turn.said[0]["content"]] == ["Hello there. "]
    assert await world.frames(request) == stream_of(turn)
    assert WORD.encode() not in await bytes_of(world, request)


async def test_text_that_was_shown_and_then_blocked_leaves_its_shape_and_nothing_else(
    world: World,
) -> None:
    request = await run(world, "at_end")
    turn = await world.closed(request)
    frames, again = await world.frames(request), stream_of(turn)
    assert WORD in deltas([payload(frame) for frame in frames])
    assert (len(frames), frames[-1]) == (len(again), again[-1])
    told, told_again = (
        [(each["type"], each["sequence_number"]) for each in map(payload, which)]
        for which in (frames, again)
    )
    assert told == told_again
    assert payload(frames[-1])["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert WORD.encode() not in await bytes_of(world, request)
    assert (turn.closed.withheld, turn.said) == (True, [])


@modes
@pytest.mark.parametrize("store", [True, False])
async def test_a_plain_answer_that_is_blocked_is_neither_given_nor_kept(
    world: World, mode: str, *, store: bool
) -> None:
    request = await run(world, mode, stream=False, store=store)
    status, body = world.answer
    assert (status, body["status"], body["output"]) == (200, "incomplete", [])
    assert body["incomplete_details"] == {"reason": "content_filter"}
    assert WORD.encode() not in await bytes_of(world, request)


@modes
async def test_a_guard_that_cannot_judge_an_answer_blocks_it(world: World, mode: str) -> None:
    world.guard.failure_of["output"] = guard_unavailable()
    request = await run(world, mode)
    stream = await world.stream(request)
    assert stream[-1]["type"] == "response.failed"
    assert stream[-1]["response"]["error"]["code"] == "guard_unavailable"
    assert WORD.encode() not in await bytes_of(world, request)


@modes
async def test_a_plain_answer_without_a_verdict_is_refused_with_a_time(
    world: World, mode: str
) -> None:
    world.guard.failure_of["output"] = guard_unavailable()
    await run(world, mode, stream=False)
    (message,) = world.answers
    assert (message.first, message.count) == (503, 2)


@modes
async def test_a_call_with_blocked_arguments_is_not_given_to_the_client(
    world: World, mode: str
) -> None:
    request = await run(world, mode, calls("open", WORD))
    turn = await world.closed(request)
    assert (turn.closed.status, turn.closed.incomplete_reason) == ("incomplete", "content_filter")
    assert WORD.encode() not in await bytes_of(world, request)
    if mode == "held":
        assert turn.output == []


@modes
async def test_what_was_blocked_is_not_sent_to_a_model_later(world: World, mode: str) -> None:
    await run(world, mode)
    world.backend.plays(*events_of(says("Well.")))
    second = await world.request(response_id=NEXT_ID, previous_response_id=RESPONSE_ID, screen=True)
    await world.run(second)
    sent = str(world.backend.bodies[-1]["input"])
    assert WORD not in sent
    assert "█" not in sent
    assert ("Hello there." in sent) == (mode == "held")


@modes
async def test_an_answer_that_was_cancelled_is_judged_as_far_as_it_came(
    world: World, mode: str
) -> None:
    world.guard.output = "held" if mode == "held" else "at_end"
    hold = Hold()
    world.backend.plays(*before_the_end(BLOCKED), hold)
    request = await world.request(screen=True, stream=True)
    orchestrator = world.orchestrator()
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        orchestrator.cancel_requested(f"turn.{request.tenant}.{RESPONSE_ID}.cancel_requested")
        await driving
    turn = await world.closed(request)
    assert turn.closed.status == "cancelled"
    assert WORD.encode() not in await bytes_of(world, request)


@modes
async def test_a_takeover_in_mid_answer_keeps_nothing_that_was_not_judged(
    world: World, mode: str
) -> None:
    world.guard.output = "held" if mode == "held" else "at_end"
    hold = Hold()
    world.backend.plays(*before_the_end(BLOCKED), hold)
    world.backend.plays(*events_of(says("Fine.")))
    if mode == "held":
        # The owner dies while the guard looks at its second sentence.
        world.guard.forbidden = None
        world.guard.holds["output"] = hold
    request = await world.request(screen=True, stream=True)
    driving = asyncio.create_task(world.orchestrator().requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    world.guard.holds = {}
    world.guard.forbidden = WORD
    await world.run(request, attempt=2, claim="second")
    turn = await world.closed(request)
    assert turn.closed.status == "completed"
    assert [item["status"] for item in turn.said] == ["completed"]
    assert WORD.encode() not in await bytes_of(world, request)
    (taken,) = [each for each in await world.events(request) if isinstance(each, TakenOver)]
    assert len(await world.frames(request)) == len(stream_of(turn))
    assert bool(taken.abandoned)


@modes
async def test_a_background_turn_follows_the_verdict_that_came_before_it(
    world: World, mode: Any
) -> None:
    world.backend.plays(*events_of(BLOCKED))
    request = await world.request(background=True, screen=True, screened=mode)
    await world.run(request)
    turn = await world.closed(request)
    assert world.guard.asked_about("input") == []
    assert turn.closed.incomplete_reason == "content_filter"
    assert WORD.encode() not in await bytes_of(world, request)


async def test_an_input_is_judged_while_its_history_is_read(world: World) -> None:
    hold, read = Hold(), asyncio.Event()
    past = world.histories.past

    async def watched(
        tenant: TenantId, response_id: ResponseId, reader: OwnerId | None
    ) -> HistoryTurn:
        read.set()
        return await past(tenant, response_id, reader)

    world.histories.past = watched
    world.backend.plays(*events_of(says("One.")))
    await world.run(await world.request())
    world.guard.holds["input"] = hold
    world.backend.plays(*events_of(says("Two.")))
    second = await world.request(response_id=NEXT_ID, previous_response_id=RESPONSE_ID, screen=True)
    driving = asyncio.create_task(world.run(second))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await read.wait()
        hold.release()
        await driving
    assert (await world.closed(second)).closed.status == "completed"


async def test_a_guard_that_wants_it_is_told_what_was_said_before(world: World) -> None:
    world.backend.plays(*events_of(says("One.")))
    await world.run(await world.request())
    world.guard.wants = 1
    world.backend.plays(*events_of(says("Two.")))
    second = await world.request(
        response_id=NEXT_ID,
        previous_response_id=RESPONSE_ID,
        screen=True,
        instructions="Be brief.",
    )
    await world.run(second)
    assert [said.text for said in world.guard.earlier] == ["Hello?", "One."]
    (asked,) = world.guard.asked
    assert [said.text for said in asked.conversation] == ["Be brief.", "Hello?"]


async def test_a_turn_is_judged_where_only_the_orchestrator_has_a_policy(world: World) -> None:
    world.policy = replace(POLICY, guarded=True)
    world.guard.violations = [FORBIDDEN]
    request = await world.request(input=[user(WORD)])
    await world.run(request)
    assert (world.answer[0], world.backend.bodies) == (400, [])
    assert WORD.encode() not in await bytes_of(world, request)


async def test_nothing_is_kept_of_an_input_that_nobody_judged(world: World) -> None:
    world.guard.failure = guard_unavailable()
    request = await world.request(screen=True, input=[user(WORD)])
    await world.run(request)
    (closed,) = await world.events(request)
    assert isinstance(closed, Closed)
    assert (closed.stored, WORD.encode() in codec.encode(closed)) == (False, False)
    (message,) = world.answers
    assert (message.first, message.count) == (503, 2)
