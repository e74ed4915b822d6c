"""A turn is driven from its request to its end, and its end is told once it is durable."""

import asyncio
from typing import Any

import pytest

from scripted_backend import calls, says, thinks
from turnwire_chassis.event_log import LogUnavailableError, TooLargeError
from turnwire_contracts import codec
from turnwire_contracts.events import Closed, Failure
from turnwire_contracts.wire.compaction import answer_object
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.refusals import guard_unavailable
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator import failures
from turnwire_orchestrator.ports import TurnPolicy
from turnwire_testing.examples import OTHER_ID, RESPONSE_ID, TURN, user
from turnwire_testing.memory_event_log import Event, MemoryEventLog
from turnwire_testing.openai_types import check_response
from turnwire_testing.orchestration import Hold, World
from turnwire_testing.samples import events_of
from turnwire_testing.stream_grammar import check_stream

REFUSAL = Failure(
    http_status=400, type="invalid_request_error", code="context_length_exceeded", message="Long."
)
VIOLATION = {"category": "pii", "provider": "regex", "stage": "emails", "step": 0}
both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture
async def world() -> World:
    return World()


async def test_a_plain_turn_is_answered_with_the_whole_response(world: World) -> None:
    world.backend.plays(*events_of(thinks("hm") + says("Hel", "lo")))
    request = await world.request()
    await world.run(request)
    status, body = world.answer
    check_response(body)
    assert (status, body["status"]) == (200, "completed")
    assert body["output"][1]["content"][0]["text"] == "Hello"
    assert await world.kinds(request) == ["requested", "closed"]
    assert await world.frames(request) == []


async def test_a_streamed_turn_is_told_frame_by_frame(world: World) -> None:
    world.backend.plays(*events_of(thinks("hm") + says("Hel", "lo") + calls("add")))
    request = await world.request(stream=True)
    await world.run(request)
    events = await world.stream(request)
    check_stream(events)
    assert [event["delta"] for event in events if "delta" in event][:3] == ["hm", "Hel", "lo"]
    assert world.answers == []
    assert await world.frames(request) == stream_of(await world.closed(request))


async def test_the_end_is_told_only_when_it_is_durable(world: World) -> None:
    happened: list[str] = []

    class Watched(MemoryEventLog):
        async def append(self, event: Event, expected: int | None) -> int:
            # Others get their turn while the broker writes.
            await asyncio.sleep(0)
            sequence = await super().append(event, expected)
            happened.append(type(event).__name__)
            return sequence

    def on_frames(message: FrameMessage) -> None:
        happened.append(message.kind)

    world.log = Watched()
    await world.output.watch(TURN, on_frames)
    world.backend.plays(*events_of(says("Hi")))
    await world.run(await world.request(stream=True))
    assert happened[0] == "Requested"
    assert set(happened[1:-2]) == {"F"}
    assert happened[-2:] == ["Closed", "E"]


@both
async def test_a_refusal_of_the_backend_is_a_plain_error(world: World, *, stream: bool) -> None:
    world.backend.plays(before=REFUSAL)
    request = await world.request(stream=stream)
    await world.run(request)
    if stream:
        (message,) = await world.output.read(TURN)
        assert (message.kind, message.first) == ("A", 400)
        assert b'"code":"context_length_exceeded"' in message.body
    else:
        status, body = world.answer
        assert (status, body["error"]["code"]) == (400, "context_length_exceeded")
    assert (await world.closed(request)).closed.status == "failed"


async def test_a_failure_after_the_first_frame_ends_the_stream(world: World) -> None:
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], failures.backend_broke_off("reset"))
    request = await world.request(stream=True)
    await world.run(request)
    events = await world.stream(request)
    check_stream(events)
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["error"]["code"] == "backend_stream_broken"
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"


async def test_a_failure_in_mid_answer_is_an_error_for_a_plain_client(world: World) -> None:
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], failures.backend_broke_off("reset"))
    request = await world.request()
    await world.run(request)
    status, body = world.answer
    assert (status, body["error"]["code"]) == (502, "backend_stream_broken")
    (item,) = (await world.closed(request)).output
    assert item["content"][0]["text"] == "Hel"


async def test_a_stream_that_makes_no_sense_fails_the_turn(world: World) -> None:
    world.backend.plays(b"this is no event")
    request = await world.request()
    await world.run(request)
    assert world.answer[0] == 502
    assert (await world.closed(request)).closed.status == "failed"


async def test_a_slow_backend_is_trusted_to_accept_and_its_stream_opens(world: World) -> None:
    hold, opened = Hold(), asyncio.Event()

    def on_frames(message: FrameMessage) -> None:
        assert message.count == 2
        opened.set()

    watch = await world.output.watch(TURN, on_frames)
    world.backend.plays(before=hold)
    request = await world.request(stream=True)
    driving = asyncio.create_task(world.run(request))
    async with asyncio.timeout(30):
        await opened.wait()
        await watch.stop()
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
    assert [event["type"] for event in await world.stream(request)] == [
        "response.created",
        "response.in_progress",
    ]


@both
async def test_a_turn_that_is_not_stored_leaves_no_content(world: World, *, stream: bool) -> None:
    world.backend.plays(*events_of(says("secret answer")))
    request = await world.request(
        store=False, stream=stream, input=[user("secret question")], instructions="secret rule"
    )
    await world.run(request)
    assert await world.kinds(request) == ["closed"]
    kept = b"".join(codec.encode(event) for event in await world.events(request))
    assert b"secret" not in kept
    assert world.histories.known == {}
    if stream:
        events = await world.stream(request)
        check_stream(events)
        response = events[-1]["response"]
    else:
        _, response = world.answer
    assert response["output"][0]["content"][0]["text"] == "secret answer"
    assert response["store"] is False


@both
async def test_a_blocked_input_is_refused_before_the_model_is_asked(
    world: World, *, stream: bool
) -> None:
    world.guard.violations = [VIOLATION]
    request = await world.request(screen=True, stream=stream, input=[user("secret")])
    await world.run(request)
    assert world.backend.bodies == []
    (verdict,) = await world.events(request)
    assert isinstance(verdict, Closed)
    assert b"secret" not in codec.encode(verdict)
    if stream:
        (message,) = await world.output.read(TURN)
        assert (message.kind, message.first) == ("A", 400)
    else:
        status, body = world.answer
        assert (status, body["error"]["code"]) == (400, "content_filter")
        assert (body["error"]["param"], body["error"]["violations"]) == ("input", [VIOLATION])


async def test_an_input_that_passes_the_guard_is_sampled(world: World) -> None:
    world.backend.plays(*events_of(says("Hi")))
    request = await world.request(screen=True)
    await world.run(request)
    assert world.guard.asked_about("input") == ["Hello?"]
    assert await world.kinds(request) == ["requested", "screened", "closed"]
    assert world.answer[0] == 200


async def test_a_guard_that_cannot_judge_blocks(world: World) -> None:
    world.guard.failure = guard_unavailable()
    await world.run(await world.request(screen=True))
    assert (world.answer[0], world.backend.bodies) == (503, [])


async def test_an_unscreened_turn_does_not_ask_the_guard(world: World) -> None:
    world.backend.plays(*events_of(says("Hi")))
    await world.run(await world.request())
    assert world.guard.asked == []


async def test_a_turn_continues_the_one_before_it(world: World) -> None:
    world.backend.plays(*events_of(says("one")))
    await world.run(await world.request(instructions="Be brief."))
    world.backend.plays(*events_of(says("two")))
    second = await world.request(
        response_id=OTHER_ID, previous_response_id=RESPONSE_ID, input=[user("And?")]
    )
    await world.run(second)
    body = world.backend.bodies[1]
    assert [item["content"][0]["text"] for item in body["input"]] == ["Hello?", "one", "And?"]
    assert body["instructions"] == "Be brief."
    assert (await world.closed(second)).instructions == "Be brief."


async def test_a_turn_cannot_continue_what_is_not_there(world: World) -> None:
    await world.run(await world.request(previous_response_id=OTHER_ID))
    status, body = world.answer
    assert (status, body["error"]["code"]) == (404, "previous_response_not_found")


async def test_default_instructions_are_told_and_echoed(world: World) -> None:
    world.policy = TurnPolicy(
        "Be kind.", inherit_instructions=True, turn_timeout_s=5, background_timeout_s=5
    )
    world.backend.plays(*events_of(says("Hi")))
    await world.run(await world.request())
    assert world.backend.bodies[0]["instructions"] == "Be kind."
    assert world.answer[1]["instructions"] == "Be kind."


async def test_a_turn_that_takes_too_long_fails_with_what_it_has(world: World) -> None:
    world.policy = TurnPolicy(
        None, inherit_instructions=True, turn_timeout_s=0.1, background_timeout_s=5
    )
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], Hold())
    request = await world.request()
    await world.run(request)
    assert (world.answer[0], world.answer[1]["error"]["code"]) == (504, "turn_timeout")
    (item,) = (await world.closed(request)).output
    assert (item["content"][0]["text"], item["status"]) == ("Hel", "incomplete")


async def test_an_output_that_the_log_does_not_take_fails_the_turn(world: World) -> None:
    class Small(MemoryEventLog):
        async def append(self, event: Event, expected: int | None) -> int:
            if isinstance(event, Closed) and event.output:
                raise TooLargeError
            return await super().append(event, expected)

    world.log = Small()
    world.backend.plays(*events_of(says("much")))
    await world.run(await world.request())
    assert (world.answer[0], world.answer[1]["error"]["code"]) == (502, "output_too_large")


async def test_an_append_that_is_not_confirmed_is_tried_again(world: World) -> None:
    refused: list[Any] = []

    class Flaky(MemoryEventLog):
        async def append(self, event: Event, expected: int | None) -> int:
            sequence = await super().append(event, expected)
            if isinstance(event, Closed) and not refused:
                # It is in the log, but its confirmation is lost.
                refused.append(event)
                raise LogUnavailableError
            return sequence

    world.log = Flaky()
    world.backend.plays(*events_of(says("Hi")))
    request = await world.request()
    await world.run(request)
    assert refused
    assert world.answer[0] == 200
    assert await world.kinds(request) == ["requested", "closed"]


async def test_a_request_without_a_trace_in_the_log_is_left_alone(world: World) -> None:
    request = await world.request(store=False)
    delivery = await world.delivery(request, attempt=2)
    world.backend.plays(*events_of(says("Hi")))
    await world.run(request)
    await world.orchestrator("second").requested(delivery)
    assert len(world.answers) == 1


@pytest.mark.parametrize("fields", [{"background": True}, {"background": True, "stream": True}])
async def test_a_background_turn_that_the_backend_refused_tells_when_to_come_back(
    world: World, fields: dict[str, Any]
) -> None:
    busy = Failure(429, "too_many_requests", "rate_limit_exceeded", "Busy.", retry_after_s=7)
    world.backend.plays(before=busy)
    request = await world.request(**fields)
    await world.run(request)
    response = answer_object(await world.closed(request))
    assert (response["status"], response["error"]["retry_after"]) == ("failed", 7)
    check_response(response)


async def test_a_stream_that_has_begun_tells_when_to_come_back(world: World) -> None:
    hold = Hold()
    busy = Failure(429, "too_many_requests", "rate_limit_exceeded", "Busy.", retry_after_s=7)
    world.backend.plays(hold, busy)
    request = await world.request(stream=True)
    running = asyncio.create_task(world.run(request))
    await hold.reached.wait()
    hold.release()
    await running
    failed = (await world.stream(request))[-1]
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"]["retry_after"] == 7
