"""The store as a process: which subject is answered by what, and what runs beside that."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

from nats.aio.client import Client

from turnwire_chassis.broker import connect
from turnwire_chassis.health import HealthServer
from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.questions.answering import Answering
from turnwire_contracts.queries import STORE_HEALTH, STORE_HISTORY, STORE_RESPONSE
from turnwire_store.handlers import Handlers
from turnwire_store.mongo import MongoGenerations
from turnwire_store.projecting.jetstream_feed import JetStreamFeeds
from turnwire_store.projecting.projector import Projector, ProjectorPorts
from turnwire_store.recalling.recall import Recall
from turnwire_store.recalling.recent import RecentTurns
from turnwire_store.settings import StoreSettings

_RECENT_BYTES = 64 * 1024 * 1024
_QUESTIONS_AT_ONCE = 64
_STOP_S = 0.4


@dataclass(frozen=True)
class Connections:
    """What the store is connected to."""

    client: Client
    event_log: JetStreamEventLog
    feeds: JetStreamFeeds
    generations: MongoGenerations


async def serve(settings: StoreSettings) -> None:
    """Project and answer until cancelled."""
    async with connected(settings) as to:
        recent = RecentTurns(_RECENT_BYTES)
        handlers = Handlers(Recall(to.event_log, to.generations, recent), to.generations)
        projector = Projector(ProjectorPorts(to.event_log, to.feeds, to.generations, recent))
        answering = Answering(settings.nats_url, "store", _QUESTIONS_AT_ONCE)
        answering.to(STORE_RESPONSE, handlers.response)
        answering.to(STORE_HISTORY, handlers.history)
        answering.to(STORE_HEALTH, handlers.health)
        checks = {"broker": answering.reachable, "mongodb": handlers.check_database}
        health = HealthServer(settings.health_host, settings.health_port, checks)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(projector.run())
                tasks.create_task(health.run())
                await answering.start()
        finally:
            await answering.stop()


@asynccontextmanager
async def connected(settings: StoreSettings) -> AsyncGenerator[Connections]:
    """Connect to the broker, waiting for it as long as it takes, and name the database."""
    opened: list[JetStreamFeeds] = []

    async def reconnected() -> None:
        for feeds in opened:
            feeds.interrupt()

    client = await connect(settings.nats_url, "store", reconnected)
    jetstream = await topology.declare(client, settings.stream_replicas)
    opened.append(JetStreamFeeds(client, settings.stream_replicas, uuid4().hex))
    generations = MongoGenerations(settings.mongodb_url)
    try:
        yield Connections(client, JetStreamEventLog(client, jetstream), opened[0], generations)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await client.flush()
                await client.close()
                await generations.close()
