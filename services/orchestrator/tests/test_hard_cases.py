"""Hard cases that were faults once: what they taught stays true."""

import asyncio

import nats
import pytest

from scripted_backend import Answer, fails, running_backend, says, sends_http
from turnwire_chassis.event_log import Recorded, RecordedConversation
from turnwire_contracts import codec, subjects
from turnwire_contracts.events import Closed, Failure, Requested
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import payload
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.handlers import MOST_OWNERS
from turnwire_orchestrator.histories import StoreHistories
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.inference.sse import EventSplitter
from turnwire_orchestrator.prompting.dialect import Api
from turnwire_orchestrator.servers import Server
from turnwire_testing.examples import (
    OTHER_ID,
    RESPONSE_ID,
    TENANT,
    TURN,
    cancel_requested,
    closed,
    requested,
    user,
)
from turnwire_testing.memory_event_log import Event, MemoryEventLog
from turnwire_testing.orchestration import Hold, World
from turnwire_testing.prompts import prompt
from turnwire_testing.samples import data_of, events_of
from turnwire_testing.stream_grammar import check_stream

END: JSON = {"type": "response.completed", "response": {"status": "completed"}}
WITHIN_S = 30.0


@pytest.fixture
async def world() -> World:
    return World()


async def lose_owner(world: World, request: Requested) -> None:
    """Let a first orchestrator publish a few frames and vanish."""
    hold = Hold()
    world.backend.plays(*events_of(says("Hel", "lo"))[:5], hold)
    driving = asyncio.create_task(world.run(request))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        driving.cancel()
        await asyncio.wait({driving})


async def test_a_stream_that_is_given_up_ends_as_a_stream_and_keeps_what_was_seen(
    world: World,
) -> None:
    request = await world.request(stream=True)
    await lose_owner(world, request)
    await world.claims(request, MOST_OWNERS - 2)
    await world.run(request, attempt=MOST_OWNERS, claim="last")
    frames = await world.frames(request)
    check_stream([payload(frame) for frame in frames])
    assert frames == stream_of(await world.closed(request))


async def test_a_taken_over_stream_whose_history_is_gone_ends_as_a_stream(world: World) -> None:
    world.backend.plays(*events_of(says("one")))
    await world.run(await world.request(response_id=OTHER_ID))
    request = await world.request(stream=True, previous_response_id=OTHER_ID)
    await lose_owner(world, request)
    world.histories.known.clear()
    await world.run(request, attempt=2, claim="second")
    check_stream(await world.stream(request))


async def test_an_unstored_stream_whose_end_was_lost_ends_as_a_stream(world: World) -> None:
    request = await world.request(stream=True, store=False)
    await lose_owner(world, request)
    await world.log.append(closed(stored=False, output=[]), None)
    await world.run(request, attempt=2, claim="second")
    assert (await world.output.read(TURN))[-1].kind == "E"


async def test_erasing_that_was_broken_off_is_finished_by_the_next_owner(world: World) -> None:
    class Dying(MemoryEventLog):
        erased = 0

        async def erase(self, recorded: Recorded | RecordedConversation) -> None:
            self.erased += 1
            if self.erased == 2:
                raise RuntimeError("died")
            await super().erase(recorded)

    world.log = Dying()
    world.backend.plays(*events_of(says("secret")))
    request = await world.request(store=False, screen=True)
    again = await world.delivery(request, attempt=2)
    with pytest.raises(RuntimeError):
        await world.run(request)
    await world.orchestrator("second").requested(again)
    assert await world.kinds(request) == ["closed"]


@pytest.mark.parametrize("during", ["the check", "the append"])
async def test_a_wish_is_heard_during_every_step(world: World, during: str) -> None:
    hold = Hold()

    class Slow(MemoryEventLog):
        async def append(self, event: Event, expected: int | None) -> int:
            if isinstance(event, Closed):
                await hold.wait()
            return await super().append(event, expected)

    if during == "the check":
        world.guard.holds["input"] = hold
    else:
        world.log = Slow()
        world.backend.plays(*events_of(says("Hi")))
    orchestrator = world.orchestrator()
    request = await world.request(screen=during == "the check")
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await world.log.append(cancel_requested(), None)
        orchestrator.cancel_requested(subjects.turn_event(TENANT, RESPONSE_ID, "cancel_requested"))
        hold.release()
        await driving
    (*_, last) = await world.events(request)
    assert isinstance(last, Closed)
    assert last.status == "cancelled"


async def test_a_summary_that_comes_after_the_thought_is_told_again_byte_for_byte(
    world: World,
) -> None:
    told: list[JSON] = [
        {"type": "response.output_item.added", "item": {"type": "reasoning", "id": "r"}},
        {"type": "response.reasoning_text.delta", "item_id": "r", "delta": "hm"},
        {"type": "response.reasoning_summary_text.delta", "item_id": "r", "delta": "in short"},
        END,
    ]
    world.backend.plays(*data_of(told))
    request = await world.request(stream=True)
    await world.run(request)
    assert await world.frames(request) == stream_of(await world.closed(request))


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_item.added", "item": {"type": "function_call"}},
        {"type": "response.output_item.done", "item": {"type": "function_call", "name": "f"}},
        {**END, "response": {"status": "completed", "usage": "none"}},
        {**END, "response": {"status": "completed", "usage": {"input_tokens": "5"}}},
    ],
    ids=["call without name", "call without arguments", "usage is a text", "tokens are a text"],
)
async def test_nonsense_of_a_backend_ends_the_turn_and_not_the_orchestrator(
    world: World, event: JSON
) -> None:
    delta = {"type": "response.output_text.delta", "delta": "x"}
    world.backend.plays(*data_of([delta, event, END]))
    request = await world.request()
    await world.run(request)
    assert len(world.answers) == 1
    await world.closed(request)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"type": "response.failed", "response": {"error": {"message": "no memory"}}}, "failed"),
        ({"type": "response.incomplete", "response": {}}, "incomplete"),
        ({"type": "response.cancelled", "response": {"status": "cancelled"}}, "failed"),
    ],
)
def test_an_event_that_says_no_status_says_it_by_its_name(event: JSON, status: str) -> None:
    reader = Reader(Assembler(RESPONSE_ID), None)
    reader.take(data_of([event])[0])
    assert reader.end().status == status


def test_a_second_part_without_deltas_is_read_from_its_end() -> None:
    assembler = Assembler(RESPONSE_ID)
    reader = Reader(assembler, None)
    place = {"item_id": "m", "content_index": 0}
    told: list[JSON] = [
        {"type": "response.output_item.added", "item": {"type": "message", "id": "m"}},
        {"type": "response.output_text.delta", **place, "delta": "a"},
        {"type": "response.content_part.done", **place, "part": {"type": "output_text"}},
        {"type": "response.content_part.added", **place, "part": {"type": "output_text"}},
        {
            "type": "response.content_part.done",
            **place,
            "part": {"type": "output_text", "text": "b"},
        },
        END,
    ]
    for data in data_of(told):
        reader.take(data)
    assert [part["text"] for part in assembler.items[0]["content"]] == ["a", "b"]


def test_an_error_that_is_a_text_keeps_its_words() -> None:
    reader = Reader(Assembler(RESPONSE_ID), None)
    reader.take(b'{"error":"no memory left"}')
    failure = reader.end().failure
    assert failure is not None
    assert failure.message == "no memory left"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert EventSplitter().feed(b"\xef\xbb\xbfdata: 1\n\n") == [b"1"]


async def failure_of(answer: Answer) -> Failure:
    """Sample from a backend that answers like this."""
    async with running_backend() as server:
        server.script(answer)
        backend = HttpBackend(Server("mock", server.url, None, Api.RESPONSES), Timeouts(1.0, 0.3))
        try:
            with pytest.raises(TurnFailedError) as raised:
                async with backend.sample(prompt()):
                    pass
        finally:
            await backend.close()
    return raised.value.failure


@pytest.mark.parametrize("member", [{"param": 5}, {"param": ["x"]}, {"code": {"a": 1}}], ids=str)
async def test_a_refusal_with_odd_members_can_be_recorded(member: JSON) -> None:
    event = closed(status="failed", failure=await failure_of(fails(400, error=member)), output=[])
    assert codec.decode("closed", codec.encode(event)) == event


async def test_a_refusal_that_comes_in_pieces_is_read_whole() -> None:
    body = b'{"error":{"message":"top_k must be positive"}}'
    head = b"HTTP/1.1 400 Bad Request\r\ncontent-length: %d\r\n\r\n" % len(body)
    failure = await failure_of(sends_http(head + body[:20], body[20:]).slowed(each=0.1))
    assert failure.message == "top_k must be positive"


async def test_a_refusal_that_hangs_is_a_failure_still() -> None:
    head = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 100\r\n\r\n"
    assert (await failure_of(sends_http(head, b"x").paused(after=1))).http_status == 502


async def test_a_history_that_is_kept_again_takes_no_more_room(nats_url: str) -> None:
    client = await nats.connect(nats_url)
    histories = StoreHistories(client, 50_000)
    turn = fold([requested(input=[user("a")]), closed()])
    assert isinstance(turn, ClosedTurn)
    try:
        for _ in range(200):
            histories.remember(turn, None)
        other = fold([requested(response_id=OTHER_ID), closed(response_id=OTHER_ID)])
        assert isinstance(other, ClosedTurn)
        histories.remember(other, None)
        assert (await histories.past(TENANT, RESPONSE_ID, None)).response_id == RESPONSE_ID
    finally:
        await client.close()
