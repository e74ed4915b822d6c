"""A log without room: what a turn has come to is held until there is some, or its time is over."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from scripted_backend import says
from turnwire_chassis.event_log import LogUnavailableError, StorageFullError
from turnwire_contracts.events import Closed, Requested
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_orchestrator.turn_runner import turn_session
from turnwire_testing.examples import user
from turnwire_testing.memory_event_log import Event, MemoryEventLog
from turnwire_testing.orchestration import World
from turnwire_testing.samples import events_of


class FullLog(MemoryEventLog):
    """A log that takes requests, and ends as soon as a test has made room."""

    def __init__(self) -> None:
        super().__init__()
        self.room = asyncio.Event()
        self.refused: list[Event] = []
        self.was_refused = asyncio.Event()

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        if isinstance(event, Requested) or self.room.is_set():
            return await super().append(event, expected)
        self.refused.append(event)
        self.was_refused.set()
        raise StorageFullError("full")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_session, "_ROOM_WAIT_S", 0.01)
    monkeypatch.setattr(turn_session, "_LONGEST_ROOM_WAIT_S", 0.02)


@pytest.fixture
def log() -> FullLog:
    return FullLog()


@pytest.fixture
async def world(log: FullLog) -> World:
    made = World()
    made.log = log
    return made


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"background": True}])
async def test_an_end_is_held_until_there_is_room(
    world: World, log: FullLog, fields: dict[str, Any]
) -> None:
    world.backend.plays(*events_of(says("Hi")))
    request = await world.request(**fields)
    running = asyncio.create_task(world.run(request))
    await log.was_refused.wait()
    assert world.answers == []

    log.room.set()
    await running

    assert (await world.closed(request)).closed.status == "completed"
    assert await world.kinds(request) in (
        ["requested", "closed"],
        ["requested", "started", "closed"],
    )


async def test_a_turn_whose_time_is_over_closes_as_storage_full_once_there_is_room(
    world: World, log: FullLog
) -> None:
    world.policy = replace(world.policy, turn_timeout_s=1.1)
    world.backend.plays(*events_of(says("Hi")))
    request = await world.request()
    running = asyncio.create_task(world.run(request))
    async with asyncio.timeout(10):
        while not _says_full(log.refused):  # noqa: ASYNC110 -- the log sets an event only once
            await asyncio.sleep(0.01)
    assert world.answers == []

    log.room.set()
    await running

    status, body = world.answer
    assert (status, body["error"]["code"]) == (503, "storage_full")
    # Repeated by itself, it would call the model and its tools again.
    assert world.answers[0].count == 0
    assert "retry_after" not in body["error"]
    assert await world.kinds(request) == ["requested", "closed"]


async def test_a_turn_that_waits_for_room_is_given_back_when_its_owner_ends(
    world: World, log: FullLog
) -> None:
    world.backend.plays(*events_of(says("Hi")))
    request = await world.request()
    running = asyncio.create_task(world.run(request))
    await log.was_refused.wait()

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert await world.kinds(request) == ["requested"]


async def test_a_turn_that_the_broker_does_not_keep_is_given_back(world: World) -> None:
    class Forgetful(MemoryEventLog):
        async def append(self, event: Event, expected: int | None) -> int:
            if isinstance(event, Closed):
                expected = (expected or 0) + 1
            return await super().append(event, expected)

        async def read(
            self, tenant: TenantId, response_id: ResponseId, after: int = 0
        ) -> list[Any]:
            del tenant, response_id, after
            return []

    world.log = Forgetful()
    world.backend.plays(*events_of(says("Hi")))
    request = await world.request(input=[user("Hi")])

    with pytest.raises(LogUnavailableError):
        await world.run(request)
    assert world.answers == []


def _says_full(refused: list[Event]) -> bool:
    failures = [event.failure for event in refused if isinstance(event, Closed) and event.failure]
    return any(failure.code == "storage_full" for failure in failures)
