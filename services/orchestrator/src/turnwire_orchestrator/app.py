"""The orchestrator on one page: what it listens to, and what it is built of."""

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from turnwire_chassis.broker import SILENCE_S, connect, disconnect, on_loss
from turnwire_chassis.concurrency import BoundedTasks
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.jetstream.topology import (
    declare,
    heartbeat_s,
    last_sequence,
)
from turnwire_chassis.lifecycle.followed_file import FollowedFile
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.lifecycle.membership import Membership
from turnwire_chassis.retention import retention_of
from turnwire_contracts import subjects
from turnwire_contracts.administration.deployment import BACKEND_STATUS, TURN_QUEUES
from turnwire_contracts.event_kinds import TURN_CHANGES
from turnwire_contracts.inspecting.sent_prompts import BACKEND_PROMPT
from turnwire_contracts.queries import BACKEND_INPUT_TOKENS, BACKEND_MODELS
from turnwire_orchestrator.clients.guard_client import GuardService
from turnwire_orchestrator.clients.owners import Orchestrators
from turnwire_orchestrator.clients.tools_client import ToolRunners
from turnwire_orchestrator.clients.turn_consumers import turn_queues
from turnwire_orchestrator.clients.usage_publisher import Gateways
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_orchestrator.histories import StoreHistories
from turnwire_orchestrator.inboxes import run_background, run_foreground, turn_inboxes
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.inference.pool.backends import Backends
from turnwire_orchestrator.ports import TurnPolicy, TurnRunnerPorts
from turnwire_orchestrator.questions import BackendQuestions
from turnwire_orchestrator.servers import FILE as BACKENDS
from turnwire_orchestrator.servers import Server
from turnwire_orchestrator.settings import OrchestratorSettings

log = structlog.get_logger()

_QUESTIONS_AT_ONCE = 32
_SILENCE_OF_LEASE = 0.85


async def serve(settings: OrchestratorSettings, lifecycle: Lifecycle) -> None:
    """Run until cancelled."""
    reconnected = asyncio.Event()

    async def on_reconnect() -> None:
        reconnected.set()

    client = await connect(settings.nats_url, "orchestrator", on_reconnect, settings.broker_access)
    jetstream = await _declared(client, settings)
    backends = _backends(settings)
    file = FollowedFile(BACKENDS, settings.backends, _taking(settings, backends))
    ports = _ports(settings, client, jetstream, backends)
    handlers = TurnHandlers(ports)
    handlers.distrust(await last_sequence(jetstream))
    inbox, background = await turn_inboxes(settings, client, jetstream, ports.claim)
    details = {"backends": lambda: file.detail}
    lifecycle.watch_broker(client, space=settings.storage_space, details=details)
    await _report(client, lifecycle, (inbox, background))

    async def restore() -> None:
        while True:
            await reconnected.wait()
            reconnected.clear()
            handlers.distrust(None)
            handlers.distrust(await _end_of_log(client, settings))
            await inbox.redeclare()
            await background.redeclare()
            await handlers.connection_found()

    try:
        await _listen(client, handlers, (inbox, background), settings.turn_lease_s)
        await _answer(client, BackendQuestions(backends, ports, file), jetstream)
        async with asyncio.TaskGroup() as group:
            group.create_task(run_foreground(inbox, handlers, settings))
            group.create_task(run_background(background, handlers, settings))
            for each in (backends.keep_looking(), file.watch(), restore()):
                group.create_task(each)
    finally:
        await backends.close()
        await disconnect(client)


async def _report(client: Client, lifecycle: Lifecycle, inboxes: Sequence[Inbox]) -> None:
    """Tell of this process, and have what it has taken finished when it drains."""
    for inbox in inboxes:
        lifecycle.on_drain(inbox.finish)
    await Membership("orchestrator", lifecycle).answer_on(client)


def _silence_s(lease_s: float) -> float:
    """Give how long the broker may be silent: a turn is not given to another before that is over.

    The broker counts the lease from the last sign of life, which may be a heartbeat old.
    """
    return min(SILENCE_S, (lease_s - heartbeat_s(lease_s)) * _SILENCE_OF_LEASE)


async def _declared(client: Client, settings: OrchestratorSettings) -> JetStreamContext:
    return await declare(client, settings.stream_replicas, settings.output_max_bytes)


async def _end_of_log(client: Client, settings: OrchestratorSettings) -> int:
    """Make sure that the log is there, and tell where it ends."""
    return await last_sequence(await _declared(client, settings))


def _ports(
    settings: OrchestratorSettings,
    client: Client,
    jetstream: JetStreamContext,
    backends: Backends,
) -> TurnRunnerPorts:
    return TurnRunnerPorts(
        log=JetStreamEventLog(client, jetstream, settings.storage_space),
        output=JetStreamOutputLog(client, jetstream),
        backend=backends,
        histories=StoreHistories(
            client,
            settings.history_cache_bytes,
            retention_of(settings.retention_days, _now_ms),
        ),
        guard=GuardService(client, settings.guard_timeout_s),
        tools=ToolRunners(client, settings.tool_list_timeout_s),
        usage_publisher=Gateways(client),
        owners=Orchestrators(client),
        policy=_policy(settings),
        now_ms=_now_ms,
        claim=f"{os.getpid()}-{uuid.uuid4().hex}",
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _listen(
    client: Client, handlers: TurnHandlers, inboxes: Sequence[Inbox], lease_s: float
) -> None:
    on_loss(client, handlers.connection_lost, _silence_s(lease_s))

    async def on_cancel(message: Msg) -> None:
        handlers.cancel_requested(message.subject)

    async def on_change(_: Msg) -> None:
        handlers.turn_changed()

    async def on_question(message: Msg) -> None:
        turn = subjects.parse_owner(message.subject)
        requested = subjects.turn_event(*turn, "requested")
        # What waits here for a place will run here: a broker that elected a leader for longer than
        # the lease gives it out once more, and its first owner would not look into the log.
        if handlers.drives(turn) or any(inbox.holds(requested) for inbox in inboxes):
            await message.respond(b"yes")

    async def on_election(_: Msg) -> None:
        # The broker has not kept what was published while the stream of frames had no leader.
        await handlers.say_again()

    await client.subscribe(subjects.OWNERS, cb=on_question)
    await client.subscribe(subjects.OUTPUT_LEADER_ELECTED, cb=on_election)
    await client.subscribe(subjects.TURN_CANCEL_REQUESTED, cb=on_cancel)
    for subject in TURN_CHANGES:
        await client.subscribe(subject, cb=on_change)


async def _answer(client: Client, questions: BackendQuestions, jetstream: JetStreamContext) -> None:
    running = BoundedTasks(_QUESTIONS_AT_ONCE)

    async def models(_: bytes) -> bytes:
        return BACKEND_MODELS.encode_answer(await questions.models())

    async def input_tokens(body: bytes) -> bytes:
        request = BACKEND_INPUT_TOKENS.decode_question(body)
        return BACKEND_INPUT_TOKENS.encode_answer(await questions.input_tokens(request))

    async def status(_: bytes) -> bytes:
        return BACKEND_STATUS.encode_answer(await questions.status())

    async def queue_status(_: bytes) -> bytes:
        return TURN_QUEUES.encode_answer(await turn_queues(jetstream))

    async def prompt(body: bytes) -> bytes:
        question = BACKEND_PROMPT.decode_question(body)
        return BACKEND_PROMPT.encode_answer(await questions.prompt(question))

    def on(answer: Callable[[bytes], Awaitable[bytes]]) -> Callable[[Msg], Awaitable[None]]:
        async def take(message: Msg) -> None:
            # A backend that takes its time keeps no other question waiting.
            await running.start(lambda: _reply(message, answer))

        return take

    queue = subjects.ORCHESTRATOR_QUEUE
    await client.subscribe(BACKEND_MODELS.subject, queue, cb=on(models))
    await client.subscribe(BACKEND_INPUT_TOKENS.subject, queue, cb=on(input_tokens))
    await client.subscribe(BACKEND_STATUS.subject, queue, cb=on(status))
    await client.subscribe(TURN_QUEUES.subject, queue, cb=on(queue_status))
    await client.subscribe(BACKEND_PROMPT.subject, queue, cb=on(prompt))


async def _reply(message: Msg, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
    try:
        await message.respond(await answer(message.data))
    except Exception:
        # There is no answer: who asked finds that out by its own timeout, and may ask again.
        log.exception("question not answered", subject=message.subject)


def _backends(settings: OrchestratorSettings) -> Backends:
    return Backends([_backend(settings, server) for server in settings.servers])


def _backend(settings: OrchestratorSettings, server: Server) -> HttpBackend:
    timeouts = Timeouts(settings.backend_connect_timeout_s, settings.backend_idle_timeout_s)
    return HttpBackend(server, timeouts)


def _taking(
    settings: OrchestratorSettings, backends: Backends
) -> Callable[[Sequence[Server]], Awaitable[None]]:
    async def take(servers: Sequence[Server]) -> None:
        await backends.take(servers, partial(_backend, settings))

    return take


def _policy(settings: OrchestratorSettings) -> TurnPolicy:
    return TurnPolicy(
        default_instructions=settings.default_instructions,
        inherit_instructions=settings.inherit_instructions,
        turn_timeout_s=settings.turn_timeout_s,
        background_timeout_s=settings.background_timeout_s,
        max_queue_s=settings.max_queue_s,
        most_rounds=settings.max_tool_rounds,
        calls_at_once=settings.max_parallel_calls,
        call_timeout_s=settings.tool_call_timeout_s,
        guarded=settings.guard_policy is not None,
        trace_content=settings.trace_content,
    )
