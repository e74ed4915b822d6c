"""The store as a process: which subject is answered by what, and what runs beside that."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

from nats.aio.client import Client

from turnwire_chassis.broker import connect
from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.keeping.retention import Retention, retention_of
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.questions.answering import Answering
from turnwire_contracts import subjects
from turnwire_contracts.queries import (
    STORE_CONVERSATION,
    STORE_CONVERSATIONS,
    STORE_ERASURE,
    STORE_HEALTH,
    STORE_HISTORY,
    STORE_RESPONSE,
    STORE_TREE,
)
from turnwire_store.feeding.jetstream_feed import JetStreamFeeds
from turnwire_store.handlers import ErasureHandlers, Handlers
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.recalling.currency import Currency
from turnwire_store.recalling.recall import Recall
from turnwire_store.recalling.recent import RecentTurns
from turnwire_store.removing.erasure import Erasure, Ground
from turnwire_store.removing.expiry import CAUSE, Expiry
from turnwire_store.removing.jetstream_request_log import JetStreamRequestLog
from turnwire_store.removing.jetstream_tenant_log import JetStreamTenantLog
from turnwire_store.removing.purge import Purge
from turnwire_store.sealing.jetstream_view_keys import JetStreamViewKeys
from turnwire_store.settings import StoreSettings
from turnwire_store.views import Generations

_RECENT_BYTES = 64 * 1024 * 1024
_QUESTIONS_AT_ONCE = 64
_STOP_S = 0.4


@dataclass(frozen=True)
class Connections:
    """What the store is connected to."""

    client: Client
    event_log: JetStreamEventLog
    output_log: JetStreamOutputLog
    keys: JetStreamViewKeys
    feeds: JetStreamFeeds
    generations: Generations


async def serve(settings: StoreSettings, lifecycle: Lifecycle) -> None:
    """Project and answer until cancelled."""
    async with connected(settings) as to:
        recent = RecentTurns(_RECENT_BYTES)
        answering = Answering(
            settings.nats_url, "store", _QUESTIONS_AT_ONCE, settings.broker_access
        )
        retention = retention_of(settings.retention_days, now_ms)
        handlers = bind(answering, to, recent, retention)
        purge = Purge(to.event_log, to.output_log, now_ms, CAUSE)
        expiry = Expiry(JetStreamRequestLog(to.client), purge, retention)
        projector = Projector(ProjectorPorts(to.event_log, to.feeds, to.generations, recent))
        checks = {"broker": answering.reachable, "mongodb": handlers.check_database}
        lifecycle.watch(checks, warnings={"broker_rights": answering.refused})
        lifecycle.on_drain(answering.finish)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(projector.run())
                tasks.create_task(expiry.run())
                await answering.start()
        finally:
            await answering.stop()


def now_ms() -> int:
    """Tell the time: Unix milliseconds."""
    return time.time_ns() // 1_000_000


def bind(
    answering: Answering, to: Connections, recent: RecentTurns, retention: Retention
) -> Handlers:
    """Say what is answered, and from what; changes of turns are heard before questions are."""

    def changed(subject: str) -> None:
        _, response_id, _ = subjects.parse_turn_event(subject)
        recent.outdate(response_id)

    for subject in subjects.TURN_CHANGES:
        answering.hear(subject, changed)
    currency = Currency(to.feeds, to.generations, recent, lambda: answering.connections)
    recall = Recall(to.event_log, to.generations, recent, currency, retention)
    ground = Ground(
        JetStreamTenantLog(to.client), to.event_log, to.output_log, to.keys, currency, now_ms
    )
    handlers = Handlers(recall, to.event_log, to.generations, currency)
    answering.to(STORE_RESPONSE, handlers.response)
    answering.to(STORE_HISTORY, handlers.history)
    answering.to(STORE_CONVERSATION, handlers.conversation)
    answering.to(STORE_CONVERSATIONS, handlers.conversations)
    answering.to(STORE_TREE, handlers.tree)
    answering.to(STORE_ERASURE, ErasureHandlers(Erasure(ground)).erasure)
    answering.to(STORE_HEALTH, handlers.health)
    return handlers


@asynccontextmanager
async def connected(settings: StoreSettings) -> AsyncGenerator[Connections]:
    """Connect to the broker, waiting for it as long as it takes, and name the database."""
    opened: list[JetStreamFeeds] = []

    async def reconnected() -> None:
        for feeds in opened:
            feeds.interrupt()

    client = await connect(settings.nats_url, "store", reconnected, settings.broker_access)
    jetstream = await topology.declare(client, settings.stream_replicas)
    opened.append(JetStreamFeeds(client, settings.stream_replicas, uuid4().hex))
    keys = JetStreamViewKeys(client, settings.master_keys)
    generations = MongoGenerations(settings.mongodb_url, keys)
    try:
        yield Connections(
            client,
            JetStreamEventLog(client, jetstream),
            JetStreamOutputLog(client, jetstream),
            keys,
            opened[0],
            generations,
        )
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await client.flush()
                await client.close()
                await generations.close()
