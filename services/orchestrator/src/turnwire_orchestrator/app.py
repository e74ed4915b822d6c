"""The orchestrator on one page: what it listens to, and what it is built of."""

import asyncio
import os
import time
import uuid

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from turnwire_chassis.broker import connect
from turnwire_chassis.health import HealthServer, broker_check
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.jetstream.topology import (
    HEARTBEAT_S,
    background_consumer,
    declare,
    last_sequence,
    orchestrator_consumer,
)
from turnwire_contracts import subjects
from turnwire_contracts.queries import BACKEND_MODELS
from turnwire_orchestrator.guard_client import GuardService
from turnwire_orchestrator.handlers import TurnHandlers, models
from turnwire_orchestrator.histories import StoreHistories
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.ports import Policy, Ports
from turnwire_orchestrator.settings import OrchestratorSettings


async def serve(settings: OrchestratorSettings) -> None:
    """Run until cancelled."""
    reconnected = asyncio.Event()

    async def on_reconnect() -> None:
        reconnected.set()

    client = await connect(settings.nats_url, "orchestrator", on_reconnect)
    jetstream = await declare(client, settings.stream_replicas)
    backend = _backend(settings)
    handlers = TurnHandlers(_ports(settings, client, jetstream, backend))
    handlers.distrust(await last_sequence(jetstream))
    inbox = Inbox(client, jetstream, orchestrator_consumer(), subjects.TURNS_STREAM)
    background = Inbox(client, jetstream, background_consumer(), subjects.TURNS_STREAM)
    checks = {"broker": broker_check(client)}
    health = HealthServer(settings.health_host, settings.health_port, checks)

    async def restore() -> None:
        while True:
            await reconnected.wait()
            reconnected.clear()
            handlers.distrust(None)
            await declare(client, settings.stream_replicas)
            handlers.distrust(await last_sequence(jetstream))
            await inbox.redeclare()
            await background.redeclare()
            await handlers.say_again()

    try:
        await _listen(client, handlers, backend)
        async with asyncio.TaskGroup() as group:
            group.create_task(inbox.run(handlers.requested, settings.max_turns, HEARTBEAT_S))
            group.create_task(
                background.run(handlers.requested, settings.max_background_turns, HEARTBEAT_S)
            )
            group.create_task(backend.find_dialect())
            group.create_task(health.run())
            group.create_task(restore())
    finally:
        await backend.close()
        await client.close()


def _ports(
    settings: OrchestratorSettings,
    client: Client,
    jetstream: JetStreamContext,
    backend: HttpBackend,
) -> Ports:
    return Ports(
        log=JetStreamEventLog(client, jetstream),
        output=JetStreamOutputLog(client, jetstream),
        backend=backend,
        histories=StoreHistories(client, settings.history_cache_bytes),
        guard=GuardService(client, settings.guard_timeout_s),
        policy=_policy(settings),
        now_ms=lambda: time.time_ns() // 1_000_000,
        claim=f"{os.getpid()}-{uuid.uuid4().hex}",
    )


async def _listen(client: Client, handlers: TurnHandlers, backend: HttpBackend) -> None:
    async def on_cancel(message: Msg) -> None:
        handlers.cancel_requested(message.subject)

    async def on_change(_: Msg) -> None:
        handlers.turn_changed()

    async def on_models(message: Msg) -> None:
        await message.respond(BACKEND_MODELS.answer(await models(backend)))

    await client.subscribe(subjects.TURN_CANCEL_REQUESTED, cb=on_cancel)
    for subject in subjects.TURN_CHANGES:
        await client.subscribe(subject, cb=on_change)
    await client.subscribe(subjects.BACKEND_MODELS, subjects.ORCHESTRATOR_QUEUE, cb=on_models)


def _backend(settings: OrchestratorSettings) -> HttpBackend:
    key = settings.backend_api_key
    return HttpBackend(
        settings.backend_url,
        key.get_secret_value() if key else None,
        settings.backend_connect_timeout_s,
        settings.backend_idle_timeout_s,
    )


def _policy(settings: OrchestratorSettings) -> Policy:
    return Policy(
        default_instructions=settings.default_instructions,
        inherit_instructions=settings.inherit_instructions,
        turn_timeout_s=settings.turn_timeout_s,
        background_timeout_s=settings.background_timeout_s,
    )
