"""The orchestrator on one page: what it listens to, and what it is built of."""

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from turnwire_chassis.broker import connect, disconnect
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
from turnwire_chassis.keeping.retention import retention_of
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.questions.bounded_tasks import BoundedTasks
from turnwire_contracts import subjects
from turnwire_contracts.queries import BACKEND_INPUT_TOKENS, BACKEND_MODELS
from turnwire_orchestrator.asking.guard_client import GuardService
from turnwire_orchestrator.asking.meter import Gateways
from turnwire_orchestrator.asking.tools_client import ToolRunners
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_orchestrator.histories import StoreHistories
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.backends import Backends
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.ports import Policy, Ports
from turnwire_orchestrator.questions import BackendQuestions
from turnwire_orchestrator.settings import OrchestratorSettings

log = structlog.get_logger()

_QUESTIONS_AT_ONCE = 32


async def serve(settings: OrchestratorSettings, lifecycle: Lifecycle) -> None:
    """Run until cancelled."""
    reconnected = asyncio.Event()

    async def on_reconnect() -> None:
        reconnected.set()

    client = await connect(settings.nats_url, "orchestrator", on_reconnect, settings.broker_access)
    jetstream = await declare(client, settings.stream_replicas)
    backends = _backends(settings)
    ports = _ports(settings, client, jetstream, backends)
    handlers = TurnHandlers(ports)
    handlers.distrust(await last_sequence(jetstream))
    inbox, background = _inboxes(client, jetstream)
    lifecycle.watch_broker(client)
    lifecycle.on_drain(inbox.finish)
    lifecycle.on_drain(background.finish)

    async def restore() -> None:
        while True:
            await reconnected.wait()
            reconnected.clear()
            handlers.distrust(None)
            handlers.distrust(await _end_of_log(client, settings))
            await inbox.redeclare()
            await background.redeclare()
            await handlers.say_again()

    try:
        await _listen(client, handlers)
        await _answer(client, BackendQuestions(backends, ports))
        async with asyncio.TaskGroup() as group:
            work, most = handlers.requested, settings.max_background_turns
            group.create_task(inbox.run(work, settings.max_turns, HEARTBEAT_S))
            group.create_task(background.run(work, most, HEARTBEAT_S))
            group.create_task(backends.keep_looking())
            group.create_task(restore())
    finally:
        await backends.close()
        await disconnect(client)


def _inboxes(client: Client, jetstream: JetStreamContext) -> tuple[Inbox, Inbox]:
    consumers = orchestrator_consumer(), background_consumer()
    first, second = (Inbox(client, jetstream, each, subjects.TURNS_STREAM) for each in consumers)
    return first, second


async def _end_of_log(client: Client, settings: OrchestratorSettings) -> int:
    """Make sure that the log is there, and tell where it ends."""
    return await last_sequence(await declare(client, settings.stream_replicas))


def _ports(
    settings: OrchestratorSettings,
    client: Client,
    jetstream: JetStreamContext,
    backends: Backends,
) -> Ports:
    return Ports(
        log=JetStreamEventLog(client, jetstream),
        output=JetStreamOutputLog(client, jetstream),
        backend=backends,
        histories=StoreHistories(
            client,
            settings.history_cache_bytes,
            retention_of(settings.retention_days, _now_ms),
        ),
        guard=GuardService(client, settings.guard_timeout_s),
        tools=ToolRunners(client, settings.tool_list_timeout_s),
        meter=Gateways(client),
        policy=_policy(settings),
        now_ms=_now_ms,
        claim=f"{os.getpid()}-{uuid.uuid4().hex}",
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _listen(client: Client, handlers: TurnHandlers) -> None:
    async def on_cancel(message: Msg) -> None:
        handlers.cancel_requested(message.subject)

    async def on_change(_: Msg) -> None:
        handlers.turn_changed()

    await client.subscribe(subjects.TURN_CANCEL_REQUESTED, cb=on_cancel)
    for subject in subjects.TURN_CHANGES:
        await client.subscribe(subject, cb=on_change)


async def _answer(client: Client, questions: BackendQuestions) -> None:
    running = BoundedTasks(_QUESTIONS_AT_ONCE)

    async def models(_: bytes) -> bytes:
        return BACKEND_MODELS.answer(await questions.models())

    async def input_tokens(body: bytes) -> bytes:
        request = BACKEND_INPUT_TOKENS.asked(body)
        return BACKEND_INPUT_TOKENS.answer(await questions.input_tokens(request))

    def on(answer: Callable[[bytes], Awaitable[bytes]]) -> Callable[[Msg], Awaitable[None]]:
        async def take(message: Msg) -> None:
            # A backend that takes its time keeps no other question waiting.
            await running.start(lambda: _reply(message, answer))

        return take

    queue = subjects.ORCHESTRATOR_QUEUE
    await client.subscribe(BACKEND_MODELS.subject, queue, cb=on(models))
    await client.subscribe(BACKEND_INPUT_TOKENS.subject, queue, cb=on(input_tokens))


async def _reply(message: Msg, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
    try:
        await message.respond(await answer(message.data))
    except Exception:
        # Nobody is answered: who asked finds that out by its own timeout, and may ask again.
        log.exception("question not answered", subject=message.subject)


def _backends(settings: OrchestratorSettings) -> Backends:
    timeouts = Timeouts(settings.backend_connect_timeout_s, settings.backend_idle_timeout_s)
    return Backends([HttpBackend(server, timeouts) for server in settings.servers])


def _policy(settings: OrchestratorSettings) -> Policy:
    return Policy(
        default_instructions=settings.default_instructions,
        inherit_instructions=settings.inherit_instructions,
        turn_timeout_s=settings.turn_timeout_s,
        background_timeout_s=settings.background_timeout_s,
        most_rounds=settings.max_tool_rounds,
        calls_at_once=settings.max_parallel_calls,
        call_timeout_s=settings.tool_call_timeout_s,
        guarded=settings.guard_policy is not None,
        trace_content=settings.trace_content,
    )
