"""The store as a process: which subject is answered by what, and what runs beside that."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

from nats.aio.client import Client

from turnwire_chassis.api_keys.bucket import KeyBucket
from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.broker import connect
from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.lifecycle.lifecycle import Check, Lifecycle, log_check
from turnwire_chassis.lifecycle.membership import Membership
from turnwire_chassis.request_reply.responder import Responder
from turnwire_chassis.retention import Retention, retention_of
from turnwire_chassis.storage_space import ANYWHERE, StorageSpace
from turnwire_contracts import subjects
from turnwire_contracts.administration.admin_queries import (
    STORE_ACTS,
    STORE_ERASURE_PREVIEW,
    STORE_KEYS,
)
from turnwire_contracts.administration.dead_letters import STORE_DEAD_LETTERS, STORE_RETRY
from turnwire_contracts.administration.deployment import STORE_PROJECTION, STORE_STREAMS
from turnwire_contracts.event_kinds import TURN_CHANGES
from turnwire_contracts.inspecting.approvals import STORE_APPROVALS
from turnwire_contracts.inspecting.response_list import STORE_RESPONSES
from turnwire_contracts.queries import (
    STORE_CONVERSATION,
    STORE_CONVERSATIONS,
    STORE_ERASURE,
    STORE_HEALTH,
    STORE_HISTORY,
    STORE_RESPONSE,
    STORE_TREE,
)
from turnwire_store.admin_handlers import AdminHandlers
from turnwire_store.administration.audit_pages import AuditPages
from turnwire_store.handlers import ErasureHandlers, QueryHandlers, RetryHandlers
from turnwire_store.jetstream_feeds import JetStreamFeeds
from turnwire_store.jetstream_times import JetStreamLogTimes
from turnwire_store.jetstream_view_keys import JetStreamViewKeys
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import ProjectionProgress, Projector
from turnwire_store.queries.freshness import Freshness
from turnwire_store.queries.recall import Recall
from turnwire_store.queries.responses import ResponseLists
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.removing.erasure import Erasure, ErasureContext
from turnwire_store.removing.erasure_jobs import ErasureJobs
from turnwire_store.removing.expiry import CAUSE, Expiry
from turnwire_store.removing.jetstream_logs import JetStreamRequestLog, JetStreamTenantLog
from turnwire_store.removing.purge import Purge
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
        responder = Responder(
            settings.nats_url, "store", _QUESTIONS_AT_ONCE, settings.broker_access
        )
        retention = retention_of(settings.retention_days, now_ms)
        progress = ProjectionProgress()
        space = settings.storage_space
        handlers = bind(responder, to, recent, retention, progress)
        ports = projector_ports(to, recent, space)
        responder.respond_to(STORE_RETRY, RetryHandlers(ports).retry)
        bind_administration(responder, to.client)
        responder.respond_beside_others(subjects.MEMBERS, Membership("store", lifecycle).answer)
        purge = Purge(to.event_log, to.output_log, now_ms, CAUSE)
        expiry = Expiry(JetStreamRequestLog(to.client), purge, retention)
        projector = Projector(ports, progress)
        erasures = ErasureJobs(
            to.client,
            JetStreamAuditLog(to.client, space),
            erasure_of(to, handlers.freshness),
            is_active=lambda: progress.is_active,
            now_ms=now_ms,
        )
        warnings = {"event_log": log_check(to.client, space), "projection": progress.check}
        watch(lifecycle, responder, handlers, warnings)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(projector.run())
                tasks.create_task(expiry.run())
                tasks.create_task(erasures.run())
                await responder.start()
        finally:
            await responder.stop()


def watch(
    lifecycle: Lifecycle,
    responder: Responder,
    handlers: QueryHandlers,
    warnings: Mapping[str, Check],
) -> None:
    """Say what readiness depends on, what health tells beside it, and how the process drains."""
    lifecycle.watch(
        {"broker": responder.reachable, "mongodb": handlers.check_database},
        warnings={"broker_rights": responder.refused, **warnings},
        details={"projection": handlers.tell_position},
    )
    lifecycle.on_drain(responder.finish)


def now_ms() -> int:
    """Tell the time: Unix milliseconds."""
    return time.time_ns() // 1_000_000


def projector_ports(
    to: Connections, recent: RecentTurns, space: StorageSpace = ANYWHERE
) -> ProjectorPorts:
    """Give what the projection stands on."""
    return ProjectorPorts(to.event_log, to.feeds, to.generations, recent, space=space)


def bind(
    responder: Responder,
    to: Connections,
    recent: RecentTurns,
    retention: Retention,
    progress: ProjectionProgress,
) -> QueryHandlers:
    """Say what is answered, and from what; changes of turns are heard before questions are."""

    def changed(subject: str) -> None:
        _, response_id, _ = subjects.parse_turn_event(subject)
        recent.outdate(response_id)

    for subject in TURN_CHANGES:
        responder.listen(subject, changed)
    freshness = Freshness(to.feeds, to.generations, recent, lambda: responder.connections)
    recall = Recall(to.event_log, to.generations, recent, freshness, retention)
    lists = ResponseLists(recall, to.generations, freshness, JetStreamLogTimes(to.client))
    handlers = QueryHandlers(recall, to.event_log, to.generations, freshness, lists, progress)
    responder.respond_to(STORE_RESPONSE, handlers.response)
    responder.respond_to(STORE_HISTORY, handlers.history)
    responder.respond_to(STORE_CONVERSATION, handlers.conversation)
    responder.respond_to(STORE_CONVERSATIONS, handlers.conversations)
    responder.respond_to(STORE_TREE, handlers.tree)
    responder.respond_to(STORE_RESPONSES, handlers.responses)
    responder.respond_to(STORE_APPROVALS, handlers.approvals)
    responder.respond_to(STORE_ERASURE, ErasureHandlers(erasure_of(to, freshness)).erasure)
    responder.respond_to(STORE_HEALTH, handlers.health)
    responder.respond_to(STORE_PROJECTION, handlers.projection)
    return handlers


def erasure_of(to: Connections, freshness: Freshness) -> Erasure:
    """Give what erases a tenant or a user, step by step."""
    tenants = JetStreamTenantLog(to.client)
    return Erasure(ErasureContext(tenants, to.event_log, to.output_log, to.keys, freshness, now_ms))


def bind_administration(responder: Responder, client: Client) -> None:
    """Say what is answered for admins and operators."""
    handlers = AdminHandlers(
        client, KeyBucket(client), AuditPages(client), JetStreamTenantLog(client)
    )
    responder.respond_to(STORE_KEYS, handlers.api_key)
    responder.respond_to(STORE_ACTS, handlers.acts)
    responder.respond_to(STORE_ERASURE_PREVIEW, handlers.erasure_preview)
    responder.respond_to(STORE_STREAMS, handlers.streams)
    responder.respond_to(STORE_DEAD_LETTERS, handlers.dead_letters)


@asynccontextmanager
async def connected(settings: StoreSettings) -> AsyncGenerator[Connections]:
    """Connect to the broker, waiting for it as long as it takes, and name the database."""
    opened: list[JetStreamFeeds] = []

    async def reconnected() -> None:
        for feeds in opened:
            feeds.interrupt()

    client = await connect(settings.nats_url, "store", reconnected, settings.broker_access)
    jetstream = await topology.declare(client, settings.stream_replicas, settings.output_max_bytes)
    opened.append(
        JetStreamFeeds(client, settings.stream_replicas, uuid4().hex, settings.output_max_bytes)
    )
    keys = JetStreamViewKeys(client, settings.master_keys)
    generations = MongoGenerations(settings.mongodb_url, keys)
    try:
        yield Connections(
            client,
            JetStreamEventLog(client, jetstream, settings.storage_space),
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
