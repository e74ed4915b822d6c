"""The store as a process: which subject is answered by what, and what runs beside that."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog
from faststream.nats import NatsBroker, NatsMessage
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.broker import connect
from turnwire_chassis.health import HealthServer, broker_check
from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_contracts.queries import STORE_HEALTH, STORE_HISTORY, STORE_RESPONSE, Query
from turnwire_store.handlers import Handlers
from turnwire_store.mongo import MongoGenerations
from turnwire_store.projecting.jetstream_feed import JetStreamFeeds
from turnwire_store.projecting.projector import Projector, ProjectorPorts
from turnwire_store.recalling.recall import Recall
from turnwire_store.recalling.recent import RecentTurns
from turnwire_store.settings import StoreSettings

log = structlog.get_logger()

Answer = Callable[[bytes], Awaitable[bytes]]

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
        checks = {"broker": broker_check(to.client), "mongodb": handlers.check_database}
        health = HealthServer(settings.health_host, settings.health_port, checks)
        async with asyncio.TaskGroup() as tasks, answering(settings.nats_url, handlers):
            tasks.create_task(projector.run())
            tasks.create_task(health.run())
            await asyncio.Event().wait()


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


@asynccontextmanager
async def answering(url: str, handlers: Handlers) -> AsyncGenerator[None]:
    """Answer questions inside the block."""
    broker = NatsBroker(
        url,
        name="store-queries",
        inbox_prefix=b"_INBOX_store",
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        apply_types=False,
        decoder=_untouched,
        logger=None,
    )
    async with asyncio.TaskGroup() as questions:
        places = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

        def subscribe(query: Query[Any, Any], answer: Answer) -> None:
            async def on_question(message: Msg) -> None:
                # Its own task: a subscription hands over one message at a time, and FastStream's
                # `max_workers` costs five times as much as this (270 µs against 52).
                await places.acquire()
                task = questions.create_task(_reply(message, answer))
                task.add_done_callback(lambda _: places.release())

            broker.subscriber(query.subject, queue=query.queue, no_reply=True)(on_question)

        subscribe(STORE_RESPONSE, handlers.response)
        subscribe(STORE_HISTORY, handlers.history)
        subscribe(STORE_HEALTH, handlers.health)
        try:
            await broker.start()
            yield
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await broker.stop()


async def _reply(message: Msg, answer: Answer) -> None:
    try:
        await message.respond(await answer(message.data))
    except Exception:
        # Nobody is answered: who asked finds that out by its own timeout, and may ask again.
        log.exception("question not answered", subject=message.subject)


async def _untouched(message: NatsMessage) -> Msg:
    return message.raw_message
