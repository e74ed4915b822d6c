"""The gateway on one page: route → handler, and what it is built of."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import cast

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from starlette.exceptions import HTTPException

from turnwire_chassis.broker import connect
from turnwire_chassis.health import HealthServer, broker_check
from turnwire_chassis.http_server import TaskServer
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.jetstream.topology import declare
from turnwire_contracts import subjects
from turnwire_contracts.events import Failure
from turnwire_contracts.ids import ResponseId
from turnwire_gateway.answers.errors import ApiError
from turnwire_gateway.answers.feed import Logs
from turnwire_gateway.answers.plain import error_response
from turnwire_gateway.handlers import ResponseHandlers
from turnwire_gateway.request_id import RequestIdMiddleware
from turnwire_gateway.settings import GatewaySettings
from turnwire_gateway.turns import Limits, Turns

log = structlog.get_logger()

_ASK_VIEWERS_TIMEOUT_S = 0.25
_EVENT_OVERHEAD_BYTES = 64 * 1024


def build(handlers: ResponseHandlers) -> FastAPI:
    """Give the HTTP application."""
    app = FastAPI(title="Turnwire", version="0.1.0", redoc_url=None)
    app.add_middleware(RequestIdMiddleware)
    app.add_api_route("/v1/responses", handlers.create, methods=["POST"], tags=["Responses"])
    app.add_api_route(
        "/v1/responses/{response_id}", handlers.retrieve, methods=["GET"], tags=["Responses"]
    )
    app.add_api_route("/v1/models", handlers.models, methods=["GET"], tags=["Models"])
    app.add_api_route("/models", handlers.models, methods=["GET"], tags=["Models"])
    app.add_api_route("/health", handlers.health, methods=["GET"], tags=["Operations"])
    app.add_api_route("/", handlers.root, methods=["GET"], tags=["Operations"])
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_fault)
    return app


async def serve(settings: GatewaySettings) -> None:
    """Run until cancelled."""
    reconnected = asyncio.Event()

    async def on_reconnect() -> None:
        reconnected.set()

    client = await connect(settings.nats_url, "gateway", on_reconnect)
    jetstream = await declare(client, settings.stream_replicas)
    logs = Logs(JetStreamEventLog(client, jetstream), JetStreamOutputLog(client, jetstream))
    turns = Turns(logs, _limits(settings, client), _asks_viewers(client), _now_ms)
    handlers = ResponseHandlers(turns, client, _now_ms, screen=settings.guard_policy is not None)
    await _answer_for_viewers(client, turns)
    server = TaskServer(build(handlers), settings.host, settings.port)
    health = HealthServer(
        settings.health_host, settings.health_port, {"broker": broker_check(client)}
    )

    async def restore() -> None:
        while True:
            await reconnected.wait()
            reconnected.clear()
            await declare(client, settings.stream_replicas)

    background = [asyncio.create_task(health.run()), asyncio.create_task(restore())]
    try:
        await server.run_until_cancelled()
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await client.close()


def _limits(settings: GatewaySettings, client: Client) -> Limits:
    room = client.max_payload - _EVENT_OVERHEAD_BYTES
    return Limits(
        turn_timeout_s=settings.turn_timeout_s,
        stream_grace_s=settings.stream_grace_s,
        max_body_bytes=min(settings.max_body_bytes, room),
    )


def _asks_viewers(client: Client) -> Callable[[ResponseId], Awaitable[bool]]:
    async def is_watched(response_id: ResponseId) -> bool:
        try:
            await client.request(subjects.viewers(response_id), b"", timeout=_ASK_VIEWERS_TIMEOUT_S)
        except NatsError:
            return False
        return True

    return is_watched


async def _answer_for_viewers(client: Client, turns: Turns) -> None:
    async def on_question(message: Msg) -> None:
        _, response_id = message.subject.split(".", 1)
        if turns.watches(ResponseId(response_id)):
            await message.respond(b"yes")

    await client.subscribe(subjects.VIEWERS, cb=on_question)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _on_api_error(_: Request, error: Exception) -> Response:
    return error_response(cast("ApiError", error))


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Say the framework's own errors (unknown path, wrong method) in the one envelope."""
    said = cast("HTTPException", error)
    return error_response(
        ApiError(
            Failure(
                http_status=said.status_code,
                type="invalid_request_error",
                code="unknown_url" if said.status_code == 404 else "http_error",  # noqa: PLR2004 -- HTTP's own number
                message=f"{request.method} {request.url.path}: {said.detail}.",
            )
        )
    )


async def _on_fault(_: Request, error: Exception) -> Response:
    """Say a fault of our own; nothing of it is told outside, all of it is logged."""
    log.error("request failed", exc_info=error)
    return error_response(
        ApiError(
            Failure(
                http_status=500,
                type="server_error",
                code="internal_error",
                message="Turnwire failed to handle the request. Its log says why: x-request-id.",
            )
        )
    )
