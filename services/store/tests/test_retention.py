"""What is older than the operator keeps is not there, at once; and then not on the disk either."""

from dataclasses import dataclass, field

import pytest
from nats.aio.client import Client

from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.retention import Retention
from turnwire_contracts.events import AnyEvent, CancelRequested, Purged, Requested
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.queries import (
    STORE_HISTORY,
    STORE_RESPONSE,
    AskForHistory,
    AskForResponse,
    Found,
    History,
    Missing,
)
from turnwire_store.handlers import QueryHandlers
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.removing.expiry import CAUSE, Expiry
from turnwire_store.removing.jetstream_logs import JetStreamRequestLog
from turnwire_store.removing.purge import Purge
from turnwire_store.views import Generations
from turnwire_testing.examples import AT, CONVERSATION_ID, TENANT, closed, fresh_id, requested
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.query_handlers import query_handlers

KEPT_MS = 1000


@dataclass
class Clock:
    """A time that a test sets."""

    now: int = AT

    def __call__(self) -> int:
        """Tell it."""
        return self.now


@dataclass
class Store:
    """A log with its views, read at a time that a test sets."""

    generations: Generations
    log: MemoryFeeds = field(default_factory=MemoryFeeds)
    clock: Clock = field(default_factory=Clock)

    @property
    def handlers(self) -> QueryHandlers:
        """Handlers that remember nothing."""
        retention = Retention(KEPT_MS, self.clock)
        return query_handlers(self.log, self.generations, RecentTurns(1_000_000), retention)

    async def write(self, *events: AnyEvent) -> None:
        """Append and project."""
        for event in events:
            await self.log.append(event, None)
        ports = ProjectorPorts(self.log, self.log, self.generations, RecentTurns(1_000_000))
        async for behind in Projector(ports).follow(0):
            if behind == 0:
                return

    async def is_there(self, response_id: ResponseId) -> bool:
        """Ask for a response."""
        asked = STORE_RESPONSE.encode_question(AskForResponse(TENANT, response_id))
        told = STORE_RESPONSE.decode_answer(await self.handlers.response(asked))
        assert isinstance(told, Found | Missing)
        return isinstance(told, Found)

    async def history(self, response_id: ResponseId) -> list[ResponseId] | None:
        """Ask what a response descends from."""
        asked = STORE_HISTORY.encode_question(AskForHistory(TENANT, response_id))
        told = STORE_HISTORY.decode_answer(await self.handlers.history(asked))
        if not isinstance(told, History):
            return None
        return [turn.request.response_id for turn in told.turns]


def turn(response_id: ResponseId, **about: object) -> tuple[AnyEvent, AnyEvent]:
    return requested(response_id=response_id, **about), closed(response_id=response_id)


@pytest.fixture
def store(all_views: Generations) -> Store:
    """A store without anything in it."""
    return Store(all_views)


async def test_a_response_is_there_until_its_time_is_over_and_not_a_moment_longer(
    store: Store,
) -> None:
    one = fresh_id()
    await store.write(*turn(one))
    store.clock.now = AT + KEPT_MS - 1
    assert await store.is_there(one)
    store.clock.now = AT + KEPT_MS
    assert not await store.is_there(one)
    assert await store.history(one) is None


async def test_younger_turns_go_on_without_the_older_ones(store: Store) -> None:
    old, young = fresh_id(), fresh_id()
    await store.write(*turn(old), *turn(young, at=AT + 500, previous_response_id=old))
    store.clock.now = AT + KEPT_MS - 1
    assert await store.history(young) == [old, young]
    store.clock.now = AT + KEPT_MS
    assert await store.history(young) == [young]


async def test_what_is_in_a_conversation_stays(store: Store) -> None:
    one = fresh_id()
    await store.write(*turn(one, conversation=CONVERSATION_ID))
    store.clock.now = AT + 1000 * KEPT_MS
    assert await store.is_there(one)


class Disk:
    """The log of a real broker, and what purges it."""

    def __init__(self, client: Client, log: JetStreamEventLog, output: JetStreamOutputLog) -> None:
        """Keep everything as long as the clock stands still."""
        self.clock = Clock()
        self.log = log
        self.expiry = Expiry(
            JetStreamRequestLog(client),
            Purge(log, output, self.clock, CAUSE),
            Retention(KEPT_MS, self.clock),
        )

    async def write(self, *events: AnyEvent) -> None:
        """Append."""
        for event in events:
            await self.log.append(event, None)

    async def last(self, response_id: ResponseId) -> AnyEvent:
        """Give the last event of a turn."""
        return (await self.log.read(TENANT, response_id))[-1].event


@pytest.fixture
async def disk(client: Client) -> Disk:
    """The log of a real broker; what other tests left there is looked at first."""
    jetstream = await topology.declare(client, 1)
    await jetstream.purge_stream("TURNS")
    return Disk(client, JetStreamEventLog(client, jetstream), JetStreamOutputLog(client, jetstream))


async def test_what_is_over_is_purged_once_and_what_is_younger_or_stays_is_left(
    disk: Disk,
) -> None:
    old, kept, queued, young = (fresh_id() for _ in range(4))
    await disk.write(
        *turn(old),
        *turn(kept, conversation=CONVERSATION_ID),
        *turn(queued, background=True),
        *turn(young, at=AT + 1),
    )
    disk.clock.now = AT + KEPT_MS

    assert await disk.expiry.round() == 2
    assert await disk.expiry.round() == 0

    for gone in (old, queued):
        last = await disk.last(gone)
        assert isinstance(last, Purged)
        assert last.cause == CAUSE
    for there in (kept, young):
        assert not isinstance(await disk.last(there), Purged)
    disk.clock.now += 1
    assert await disk.expiry.round() == 1
    assert isinstance(await disk.last(young), Purged)


async def test_a_turn_that_still_runs_holds_up_none_behind_it(disk: Disk) -> None:
    running, ended = fresh_id(), fresh_id()
    await disk.write(requested(response_id=running), *turn(ended))
    disk.clock.now = AT + KEPT_MS

    assert await disk.expiry.round() == 1
    assert await disk.expiry.round() == 0

    assert isinstance(await disk.last(ended), Purged)
    events = [type(each.event) for each in await disk.log.read(TENANT, running)]
    assert events == [Requested, CancelRequested]


async def test_a_turn_that_still_runs_is_cancelled_first(disk: Disk) -> None:
    running = fresh_id()
    await disk.write(requested(response_id=running))
    disk.clock.now = AT + KEPT_MS
    assert await disk.expiry.round() == 0
    assert isinstance(await disk.last(running), CancelRequested)
    await disk.write(closed(response_id=running, status="cancelled"))
    assert await disk.expiry.round() == 1
    assert isinstance(await disk.last(running), Purged)
