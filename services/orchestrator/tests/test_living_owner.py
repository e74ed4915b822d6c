"""An owner that meets another one alive leaves the turn to it."""

import asyncio

import pytest
from nats.errors import OutboundBufferLimitError

from scripted_backend import calls
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.delivery import OwnershipLostError
from turnwire_contracts import subjects
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import Closed, ToolReturned
from turnwire_orchestrator import handlers as orchestrator
from turnwire_orchestrator.deciding.commands import Finish, TakeOver
from turnwire_orchestrator.turn_runner.channel import Channel
from turnwire_orchestrator.turn_runner.turn_runner import TurnRunner
from turnwire_orchestrator.turn_runner.turn_session import TurnSession
from turnwire_testing.examples import AT, TURN, cancel_requested, tools_listed
from turnwire_testing.held_streams import HeldStream, held_stream
from turnwire_testing.memory_event_log import Event, MemoryEventLog
from turnwire_testing.orchestration import Hold, World
from turnwire_testing.samples import events_of
from turnwire_testing.tool_turns import PAY, SEAL, check_whole, mcp

WITHIN_S = 30.0


async def test_a_claim_that_was_decided_on_an_old_log_is_not_made() -> None:
    """Found by the simulation (r1t2f4s227): its items would stand in the turn twice."""
    world = World()
    request = await world.request()
    recorded = await world.log.read(request.tenant, request.response_id)
    session = TurnSession(world.ports("second"), recorded, "second:2", requested_at=0.0)
    about = {"tenant": request.tenant, "response_id": request.response_id}
    await world.log.append(tools_listed(**about), None)
    with pytest.raises(OwnershipLostError):
        await session.carry_out(TakeOver(AT, "second:2", abandoned=[], cuts=[]))
    assert await world.kinds(request) == ["requested", "tools_listed"]


async def test_a_wish_to_cancel_leaves_the_turn_to_its_owner() -> None:
    world = World()
    request = await world.request()
    recorded = await world.log.read(request.tenant, request.response_id)
    session = TurnSession(world.ports("second"), recorded, "second:2", requested_at=0.0)
    about = {"tenant": request.tenant, "response_id": request.response_id}
    await world.log.append(cancel_requested(**about), None)
    await session.carry_out(TakeOver(AT, "second:2", abandoned=[], cuts=[]))
    assert await world.kinds(request) == ["requested", "cancel_requested", "taken_over"]


class UnconfirmedLog(MemoryEventLog):
    """A log that has what comes to it, and does not say so of one kind before a test lets it."""

    def __init__(self, unconfirmed: type[Event]) -> None:
        super().__init__()
        self.held = Hold()
        self._unconfirmed = unconfirmed

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        sequence = await super().append(event, expected)
        if isinstance(event, self._unconfirmed):
            await self.held.wait()
        return sequence


async def test_an_append_that_waits_for_its_confirmation_is_no_other_owners() -> None:
    log = UnconfirmedLog(Closed)
    world = World(log=log)
    request = await world.request()
    recorded = await log.read(request.tenant, request.response_id)
    session = TurnSession(world.ports(), recorded, "first:1", requested_at=0.0)
    finish = Finish(AT, "completed", [], [])
    appending = asyncio.create_task(session.carry_out(finish))
    async with asyncio.timeout(WITHIN_S):
        await log.held.reached.wait()
        assert await world.kinds(request) == ["requested", "closed"]
        assert not await session.is_lost()
        log.held.release()
        await appending


async def test_an_append_whose_confirmation_is_not_waited_for_is_no_other_owners() -> None:
    """Found by the simulation (c3t1f3s2068): a turn was cancelled while a call's end was appended.

    Its owner took that for another one's, and left the turn until its lease was over.
    """
    log = UnconfirmedLog(ToolReturned)
    world = World(log=log)
    world.tools.offers = {"shop": [PAY]}
    world.backend.plays(*events_of(calls("pay")))
    told = {"tools": [mcp()]}
    request = await world.request(stream=True, params=told, seals={"shop": SEAL})
    orchestrator = world.orchestrator()
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(request)))
    async with asyncio.timeout(WITHIN_S):
        await log.held.reached.wait()
        assert (await world.kinds(request))[-1] == "tool_returned"
        about = {"tenant": request.tenant, "response_id": request.response_id}
        await log.append(cancel_requested(**about), None)
        orchestrator.cancel_requested(subjects.turn_event(*request.turn_key, "cancel_requested"))
        await driving
    turn = await world.closed(request)
    assert turn.closed.status == "cancelled"
    assert turn.output[1]["output"] == "pay said so"
    assert await world.kinds(request) == [
        *("requested", "tools_listed", "sampled", "tool_called", "tool_returned"),
        *("cancel_requested", "closed"),
    ]
    check_whole(turn, await world.frames(request))


async def test_a_request_that_an_operator_retries_is_no_other_owners() -> None:
    world = World()
    request = await world.request()
    recorded = await world.log.read(request.tenant, request.response_id)
    session = TurnSession(world.ports(), recorded, "first:1", requested_at=0.0)
    await world.log.append(request, None)
    assert not await session.is_lost()
    await session.carry_out(Finish(AT, "completed", [], []))
    assert await world.kinds(request) == ["requested", "requested", "closed"]


async def stream_without_a_connection(world: World) -> HeldStream:
    """Let an orchestrator say the half of a stream, and lose its connection."""
    held = await held_stream(world)
    held.handlers.connection_lost()
    held.first.release()
    await held.then.reached.wait()
    return held


async def test_an_owner_that_takes_itself_for_lost_looks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orchestrator, "_LOOK_AGAIN_AT_LOST_S", 0.01)
    world = World()
    async with asyncio.timeout(WITHIN_S):
        held = await stream_without_a_connection(world)
        published = len(await world.output.read(TURN))
        looks = iter([False, False])

        async def is_owner(_: TurnRunner) -> bool:
            return next(looks, True)

        monkeypatch.setattr(TurnRunner, "is_owner", is_owner)
        await held.handlers.connection_found()
        while len(await world.output.read(TURN)) == published:  # noqa: ASYNC110 -- frames set no event
            await asyncio.sleep(0.01)
        held.then.release()
        await held.driving


@pytest.mark.parametrize("error", [UnreadableEventError("newer"), LogUnavailableError("away")])
async def test_a_turn_that_cannot_be_read_keeps_no_other_from_being_taken_up(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    world = World()
    async with asyncio.timeout(WITHIN_S):
        held = await stream_without_a_connection(world)
        errors = iter([error])

        async def is_owner(_: TurnRunner) -> bool:
            for each in errors:
                raise each
            return True

        monkeypatch.setattr(TurnRunner, "is_owner", is_owner)
        await held.handlers.connection_found()
        held.then.release()
        await held.driving


async def test_a_full_buffer_keeps_no_other_turn_from_being_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    async with asyncio.timeout(WITHIN_S):
        held = await stream_without_a_connection(world)
        say_again, errors = Channel.say_again, iter([OutboundBufferLimitError()])

        async def say(channel: Channel) -> None:
            for each in errors:
                raise each
            await say_again(channel)

        monkeypatch.setattr(Channel, "say_again", say)
        await held.handlers.connection_found()
        held.then.release()
        await held.driving


async def test_without_a_connection_no_delivery_is_taken_for_the_first() -> None:
    world = World()
    request = await world.request()
    handlers = world.orchestrator()
    handlers.connection_lost()
    world.owners.living.add(request.turn_key)
    with pytest.raises(OwnershipLostError):
        await handlers.requested(await world.delivery(request))
    assert await world.kinds(request) == ["requested"]


async def test_a_full_buffer_does_not_end_the_telling_of_what_the_broker_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    async with asyncio.timeout(WITHIN_S):
        held = await stream_without_a_connection(world)
        await held.handlers.connection_found()
        told: list[Channel] = []

        async def say(channel: Channel) -> None:
            told.append(channel)
            raise OutboundBufferLimitError

        monkeypatch.setattr(Channel, "say_again", say)
        await held.handlers.say_again()
        assert len(told) == 1
        held.then.release()
        await held.driving
