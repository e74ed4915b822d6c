"""The gateway as a process: what it connects to, what it listens on, and how it ends."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

import structlog
from msgspec import MsgspecError
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.http.server import TaskServer
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.jetstream.topology import create_missing
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.lifecycle.membership import Membership
from turnwire_chassis.retention import retention_of
from turnwire_chassis.storage_space import StorageSpace
from turnwire_chassis.tool_servers.registry import Registry
from turnwire_contracts import subjects
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.notices.queue_state import QueueState
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_gateway.admission.turn_queues import TurnQueues
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.requests.validation import Rules, SecretSealing
from turnwire_gateway.api.turns import TurnLimits, Turns
from turnwire_gateway.app import GatewayDependencies, build
from turnwire_gateway.auth.identities import Identities
from turnwire_gateway.console.bucket_sessions import BucketSessions
from turnwire_gateway.console.oidc_client import OidcClient
from turnwire_gateway.console.sessions import ConsoleSessions
from turnwire_gateway.limits.bucket_limit_states import BucketLimitStates
from turnwire_gateway.limits.limiter import Limiter
from turnwire_gateway.operator_files import OperatorFiles
from turnwire_gateway.settings import GatewaySettings

log = structlog.get_logger()

_ASK_VIEWERS_TIMEOUT_S = 0.25
_EVENT_OVERHEAD_BYTES = 64 * 1024
_TAKEOVERS = 2
"""A turn that another owner takes over has its whole time again."""
_HOUR_MS = 3_600_000
_SLACK_MS = 60_000
"""Clocks differ, and the last call may be made at the last moment."""


async def serve(settings: GatewaySettings, lifecycle: Lifecycle) -> None:
    """Run until cancelled; streams that are open then are ended so that they can be resumed."""
    reconnected = asyncio.Event()

    async def on_reconnect() -> None:
        reconnected.set()

    client = await connect(settings.nats_url, "gateway", on_reconnect, settings.broker_access)
    identities = Identities(client, settings.host, settings.pepper, settings.oidc, _now_ms)
    servers = {**settings.tool_servers}
    world = await _world(settings, client, identities, servers)
    await _answer_viewer_questions(client, world.turns)
    await _subscribe_to_ends(client, world.limiter)
    await _subscribe_to_queues(client, world.turns.queues)
    server = _http_server(settings, world)
    files = OperatorFiles(settings, world.limiter, servers)
    await _report(lifecycle, client, server, files, settings.storage_space)

    async def restore() -> None:
        while True:
            await reconnected.wait()
            reconnected.clear()
            await _missing_created(client, settings)
            world.limiter.forget()
            identities.keys.read_again()

    running = (restore(), world.limiter.keep(), identities.keep(), *files.watching())
    background = [asyncio.create_task(each) for each in running]
    try:
        await server.run_until_cancelled()
    finally:
        if settings.drain_s:
            # A stream whose reader does not come back is still promised to end.
            await world.turns.graces_end()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await world.limiter.leave()
        await disconnect(client)


async def _report(
    lifecycle: Lifecycle,
    client: Client,
    server: TaskServer,
    files: OperatorFiles,
    space: StorageSpace,
) -> None:
    """Say what readiness depends on, and what is told of this process."""
    beside = {"http": server.listening}
    lifecycle.watch_broker(client, beside=beside, space=space, details=files.details)
    lifecycle.on_drain(server.finish)
    await Membership("gateway", lifecycle).answer_on(client)


async def _missing_created(client: Client, settings: GatewaySettings) -> JetStreamContext:
    return await create_missing(client, settings.stream_replicas, settings.output_max_bytes)


def _http_server(settings: GatewaySettings, world: GatewayDependencies) -> TaskServer:
    server = TaskServer(
        build(world),
        settings.host,
        settings.port,
        largest_message=world.turns.limits.max_body_bytes,
        drain_s=settings.drain_s,
    )
    if settings.reuse_port:
        server.share_port()
    server.at_stop(world.turns.hand_over)
    return server


async def _world(
    settings: GatewaySettings, client: Client, identities: Identities, servers: Registry
) -> GatewayDependencies:
    jetstream = await _missing_created(client, settings)
    await identities.begin()
    space = settings.storage_space
    logs = Logs(JetStreamEventLog(client, jetstream, space), JetStreamOutputLog(client, jetstream))
    return GatewayDependencies(
        client,
        logs,
        Turns(logs, _limits(settings, client), _asks_viewers(client), _now_ms),
        _rules(settings, servers),
        JetStreamAuditLog(client, space),
        _now_ms,
        settings.guard_timeout_s,
        settings.inherit_instructions,
        identities.bearers.identify,
        settings.access,
        identities.bearers.is_open,
        limiter=Limiter(settings.allowances, BucketLimitStates(client), _name(), _now_ms),
        background_timeout_s=settings.background_timeout_s,
        space=space,
        pepper=settings.pepper,
        take_up_keys=identities.keys.take_up,
        sessions=_sessions(settings, client),
        console_oidc=settings.console_oidc and OidcClient(settings.console_oidc),
    )


def _sessions(settings: GatewaySettings, client: Client) -> ConsoleSessions | None:
    if not settings.console:
        return None
    lasting_ms = round(settings.console_session_hours * _HOUR_MS)
    return ConsoleSessions(BucketSessions(client), _now_ms, lasting_ms)


def _rules(settings: GatewaySettings, servers: Registry) -> Rules:
    sealing = settings.sealer and SecretSealing(
        settings.sealer,
        turn_ms=round(_TAKEOVERS * settings.turn_timeout_s * 1000) + _SLACK_MS,
        background_ms=round(settings.background_timeout_s * 1000) + _SLACK_MS,
    )
    return Rules(
        screen=settings.guard_policy is not None,
        prompts=settings.templates,
        servers=servers,
        sealing=sealing,
        retention=retention_of(settings.retention_days, _now_ms),
    )


def _limits(settings: GatewaySettings, client: Client) -> TurnLimits:
    room = client.max_payload - _EVENT_OVERHEAD_BYTES
    return TurnLimits(
        turn_timeout_s=settings.turn_timeout_s,
        stream_grace_s=settings.stream_grace_s,
        max_body_bytes=min(settings.max_body_bytes, room),
        max_queue_s=settings.max_queue_s,
    )


def _asks_viewers(client: Client) -> Callable[[TurnKey], Awaitable[bool]]:
    async def is_watched(turn: TurnKey) -> bool:
        try:
            await client.request(subjects.viewers(*turn), b"", timeout=_ASK_VIEWERS_TIMEOUT_S)
        except NatsError:
            return False
        return True

    return is_watched


async def _answer_viewer_questions(client: Client, turns: Turns) -> None:
    async def on_question(message: Msg) -> None:
        if turns.watches(subjects.parse_viewers(message.subject)):
            await message.respond(b"yes")

    await client.subscribe(subjects.VIEWERS, cb=on_question)


async def _subscribe_to_ends(client: Client, limiter: Limiter) -> None:
    async def on_end(message: Msg) -> None:
        try:
            limiter.turn_ended(TurnEnded.decode(message.data))
        except MsgspecError:
            log.warning("end of a turn not read", subject=message.subject)

    await client.subscribe(subjects.TURN_ENDED, subjects.GATEWAY_QUEUE, cb=on_end)


async def _subscribe_to_queues(client: Client, queues: TurnQueues) -> None:
    async def on_state(message: Msg) -> None:
        try:
            queues.hear(QueueState.decode(message.data))
        except MsgspecError:
            log.warning("state of queues not read")

    await client.subscribe(subjects.QUEUE_STATE, cb=on_state)


def _name() -> str:
    """Name this process among all gateways there ever were."""
    return uuid.uuid4().hex


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
