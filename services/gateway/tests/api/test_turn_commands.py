"""What is done to turns from outside; doing it twice is doing it once."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwire_contracts.event_kinds import kind_of
from turnwire_contracts.events import AnyEvent, CancelRequested, Closed
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, Erased
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.turn_commands import TurnCommands
from turnwire_gateway.errors import ApiError
from turnwire_testing.away_logs import AwayLog, UnwritableLog
from turnwire_testing.examples import AT, RESPONSE_ID, TENANT, closed, requested, started
from turnwire_testing.memory_event_log import Event, MemoryEventLog
from turnwire_testing.memory_output_log import MemoryOutputLog
from turnwire_testing.stores import ReadableLog

WAITING = requested(background=True)
WITHIN_S = 30.0
wishes = st.lists(st.sampled_from(["delete", "restore", "delete with conversation"]), max_size=8)


class Gateway:
    """TurnCommands over logs in memory."""

    def __init__(self, log: MemoryEventLog | None = None) -> None:
        """Nothing has happened yet."""
        self.log = log or MemoryEventLog()
        self.output = MemoryOutputLog()
        self.changes = TurnCommands(Logs(self.log, self.output), lambda: AT)

    async def happened(self, *events: AnyEvent) -> "Gateway":
        """Put events into the log."""
        for event in events:
            await MemoryEventLog.append(self.log, event, None)
        return self

    async def events(self) -> list[AnyEvent]:
        """Give what the log holds of the turn."""
        recorded = await MemoryEventLog.read(self.log, TENANT, RESPONSE_ID)
        return [each.event for each in recorded]

    async def cancel_request(self, name: str) -> None:
        """Do something to the turn."""
        if name == "restore":
            await self.changes.restore(TENANT, RESPONSE_ID, "req_2")
        else:
            with_conversation = name != "delete"
            await self.changes.delete(
                TENANT, RESPONSE_ID, "req_2", with_conversation=with_conversation
            )


class Answering(MemoryEventLog):
    """A log whose orchestrator ends a turn as soon as that is wished for."""

    def __init__(self, **end: Any) -> None:
        """End turns like this."""
        super().__init__()
        self.output: MemoryOutputLog | None = None
        self._end = end

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        sequence = await super().append(event, expected)
        if isinstance(event, CancelRequested):
            await super().append(closed(**self._end), None)
            if self.output is not None:
                message = FrameMessage("E", 1, 0, 1, b"event: x\ndata: {}\n\n")
                await self.output.publish(event.turn_key, message)
        return sequence


@settings(deadline=None)
@given(wishes)
def test_a_turn_is_as_it_was_wished_last(names: list[str]) -> None:
    async def run() -> None:
        gateway = await Gateway().happened(requested(), closed())
        for name in names:
            await gateway.cancel_request(name)
        turn = fold(await gateway.events())
        assert isinstance(turn, ClosedTurn)
        assert turn.deleted is bool(names and names[-1] != "restore")
        assert turn.deleted or not turn.deleted_with_conversation

    asyncio.run(run())


@settings(deadline=None)
@given(wishes)
def test_whoever_deletes_first_says_whether_the_conversation_brings_it_back(
    names: list[str],
) -> None:
    async def run() -> None:
        gateway = await Gateway().happened(requested(), closed())
        for name in [*names, "restore", "delete", "delete with conversation"]:
            await gateway.cancel_request(name)
        turn = fold(await gateway.events())
        assert isinstance(turn, ClosedTurn)
        assert (turn.deleted, turn.deleted_with_conversation) == (True, False)

    asyncio.run(run())


@settings(deadline=None)
@given(wishes, wishes)
def test_what_is_purged_never_comes_back(before: list[str], after: list[str]) -> None:
    async def run() -> None:
        gateway = await Gateway().happened(requested(), closed())
        for name in before:
            await gateway.cancel_request(name)
        await gateway.changes.purge(TENANT, RESPONSE_ID, "req_2")
        for name in after:
            await gateway.cancel_request(name)
        assert isinstance(fold(await gateway.events()), Erased)

    asyncio.run(run())


async def test_a_turn_that_nobody_has_taken_is_closed_at_once() -> None:
    gateway = await Gateway().happened(WAITING)
    turn = await gateway.changes.cancel(WAITING, "req_2")
    assert turn is not None
    assert (turn.closed.status, turn.closed.cause) == ("cancelled", "req_2")
    assert [kind_of(event) for event in await gateway.events()] == ["requested", "closed"]
    assert fold(await gateway.events()) == turn


async def test_cancelling_again_gives_the_same_end() -> None:
    gateway = await Gateway().happened(WAITING)
    first = await gateway.changes.cancel(WAITING, "req_2")
    assert await gateway.changes.cancel(WAITING, "req_3") == first
    assert len(await gateway.events()) == 2


async def test_a_turn_that_runs_is_asked_to_end() -> None:
    log = Answering(status="cancelled", output=[])
    gateway = await Gateway(log).happened(WAITING, started())
    log.output = gateway.output
    async with asyncio.timeout(WITHIN_S):
        turn = await gateway.changes.cancel(WAITING, "req_2")
    assert turn is not None
    assert turn.closed.status == "cancelled"
    cancel_request = (await gateway.events())[2]
    assert isinstance(cancel_request, CancelRequested)
    assert cancel_request.reason == "asked"


async def test_an_end_of_which_no_frame_was_heard_is_found_in_the_log() -> None:
    gateway = await Gateway(Answering(status="cancelled", output=[])).happened(WAITING, started())
    async with asyncio.timeout(WITHIN_S):
        turn = await gateway.changes.cancel(WAITING, "req_2")
    assert turn is not None


async def test_a_turn_that_ends_well_before_it_hears_of_the_wish_is_given_as_it_ended() -> None:
    gateway = await Gateway(Answering()).happened(WAITING, started())
    async with asyncio.timeout(WITHIN_S):
        turn = await gateway.changes.cancel(WAITING, "req_2")
    assert turn is not None
    assert turn.closed.status == "completed"


async def test_a_turn_that_is_taken_in_that_moment_is_asked_instead_of_closed() -> None:
    class Taken(Answering):
        async def append(self, event: Event, expected: int | None) -> int:
            if isinstance(event, Closed) and expected is not None:
                await MemoryEventLog.append(self, started(), None)
            return await super().append(event, expected)

    gateway = await Gateway(Taken(status="cancelled", output=[])).happened(WAITING)
    async with asyncio.timeout(WITHIN_S):
        turn = await gateway.changes.cancel(WAITING, "req_2")
    assert turn is not None
    kinds = [kind_of(event) for event in await gateway.events()]
    assert kinds == ["requested", "started", "cancel_requested", "closed"]


async def test_nobody_listens_any_more_when_it_is_over() -> None:
    gateway = await Gateway().happened(WAITING)
    await gateway.changes.cancel(WAITING, "req_2")
    assert gateway.output._watchers[WAITING.turn_key] == []  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("away", [AwayLog, UnwritableLog])
async def test_a_log_that_is_away_is_said_to_be(away: type[ReadableLog]) -> None:
    gateway = await Gateway(away()).happened(WAITING)

    async def refused(doing: Any) -> bool:
        with pytest.raises(ApiError) as raised:
            await doing
        failure = raised.value.failure
        return (failure.http_status, failure.code) == (503, "event_log_unavailable")

    assert await refused(gateway.changes.cancel(WAITING, "req_2"))
    assert await refused(gateway.cancel_request("delete"))
    assert await refused(gateway.cancel_request("restore"))
    assert await refused(gateway.changes.purge(TENANT, RESPONSE_ID, "req_2"))
