"""Who deletes a turn and then asks for it is told so, at once, by every store: on a real broker."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from nats.aio.client import Client

from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.request_reply.asking import ask
from turnwire_chassis.request_reply.responder import Responder
from turnwire_chassis.retention import KEEPS_ALL
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.queries import (
    STORE_CONVERSATION,
    STORE_HISTORY,
    STORE_RESPONSE,
    AskForConversation,
    AskForHistory,
    AskForResponse,
    Found,
    FoundConversation,
    History,
    Missing,
)
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_store.app import Connections, bind
from turnwire_store.jetstream_feeds import JetStreamFeeds
from turnwire_store.jetstream_view_keys import JetStreamViewKeys
from turnwire_store.projecting.log_excerpt import EndedTurn
from turnwire_store.projecting.projector import ProjectionProgress
from turnwire_store.projecting.view_builder import ViewBuilder
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.sealing import MasterKeys
from turnwire_testing import examples
from turnwire_testing.examples import TENANT, fresh_conversation_id, fresh_id
from turnwire_testing.memory_views import MemoryGenerations

TURNS = 40
STORES = 2
LARGE = 1_000_000


@dataclass(frozen=True)
class Stores:
    """Several stores whose views are never told of anything after the end of a turn."""

    client: Client
    log: JetStreamEventLog

    async def find(self, response_id: ResponseId) -> Found | None:
        """Ask any of them for a turn."""
        found = await ask(self.client, STORE_RESPONSE, AskForResponse(TENANT, response_id), 5)
        return found if isinstance(found, Found) else None

    async def history(self, response_id: ResponseId) -> History | None:
        """Ask any of them for a history."""
        told = await ask(self.client, STORE_HISTORY, AskForHistory(TENANT, response_id), 5)
        return told if isinstance(told, History) else None


@pytest.fixture
async def turns() -> list[ResponseId]:
    """Turns that have ended, each after the one before."""
    return [fresh_id() for _ in range(TURNS)]


@pytest.fixture
async def stores(client: Client, nats_url: str, turns: list[ResponseId]) -> AsyncGenerator[Stores]:
    """Stores that know these turns as they were at their end."""
    jetstream = await topology.declare(client, 1)
    log, output = JetStreamEventLog(client, jetstream), JetStreamOutputLog(client, jetstream)
    keys = JetStreamViewKeys(client, MasterKeys([]))
    generations = await written(log, turns)
    started: list[Responder] = []
    for number in range(STORES):
        answering = Responder(nats_url, f"store-{number}", 64)
        feeds = JetStreamFeeds(client, 1, "nobody")
        to = Connections(client, log, output, keys, feeds, generations)
        bind(answering, to, RecentTurns(LARGE), KEEPS_ALL, ProjectionProgress())
        await answering.start()
        started.append(answering)
    await generations.views(0).advance(await JetStreamFeeds(client, 1, "nobody").end())
    stores = Stores(client, log)
    # Until a store has seen that its views are where the log is, it believes the log alone.
    await asyncio.gather(*(stores.history(turns[-1]) for _ in range(20)))
    yield stores
    for answering in started:
        await answering.stop()


async def written(log: JetStreamEventLog, turns: list[ResponseId]) -> MemoryGenerations:
    generations = MemoryGenerations()
    view_builder = ViewBuilder(0)
    for before, one in zip([None, *turns], turns, strict=False):
        asked = examples.requested(response_id=one, previous_response_id=before)
        end = examples.closed(response_id=one)
        await log.append(asked, None)
        ended = EndedTurn(await log.append(end, None), ClosedTurn(asked, end))
        await generations.views(0).write(view_builder.views([ended]))
    return generations


async def test_a_turn_is_deleted_for_whoever_asks_after_it_was(
    stores: Stores, turns: list[ResponseId]
) -> None:
    for one in turns[: TURNS // 4]:
        for change, is_deleted in ((examples.deleted, True), (examples.restored, False)):
            before = asyncio.gather(*(stores.history(turns[-1]) for _ in range(4)))
            await stores.log.append(change(response_id=one), None)
            answers = await asyncio.gather(*(stores.find(one) for _ in range(4)))
            assert [each and each.turn.deleted for each in answers] == [is_deleted] * 4
            await before


async def test_a_history_is_at_once_without_what_was_deleted_or_purged(
    stores: Stores, turns: list[ResponseId]
) -> None:
    events: list[AnyEvent] = [
        examples.deleted(response_id=turns[3]),
        examples.restored(response_id=turns[3]),
        examples.purged(response_id=turns[5], previous_response_id=turns[4]),
    ]

    told: list[int] = []
    for event in events:
        await stores.log.append(event, None)
        history = await stores.history(turns[-1])
        told.append(len(history.turns) if history else 0)

    assert told == [TURNS - 1, TURNS, TURNS - 1]
    assert await stores.find(turns[5]) is None
    assert await stores.history(turns[4]) is not None


async def test_a_removed_item_is_told_with_its_turn_at_once(
    stores: Stores, turns: list[ResponseId]
) -> None:
    removed = examples.item_removed(response_id=turns[7])
    await stores.log.append(removed, None)

    found, history = await stores.find(turns[7]), await stores.history(turns[-1])

    assert found is not None
    assert history is not None
    assert found.turn.removed == (removed.item_id,)
    assert history.turns[7] == found.turn


async def test_a_conversation_is_known_with_its_last_event_at_once(stores: Stores) -> None:
    name = fresh_conversation_id()
    question = AskForConversation(TENANT, name)
    events = [examples.conversation_created, examples.turn_added, examples.conversation_deleted]

    for event in events:
        sequence = await stores.log.append(event(conversation_id=name), None)
        told = await ask(stores.client, STORE_CONVERSATION, question, 5)
        assert isinstance(told, FoundConversation)
        assert told.sequence == sequence

    await stores.log.append(examples.conversation_purged(conversation_id=name), None)
    assert await ask(stores.client, STORE_CONVERSATION, question, 5) == Missing()
