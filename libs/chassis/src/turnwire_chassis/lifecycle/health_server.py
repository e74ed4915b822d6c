"""The ops port of a service: what probes, operators and monitoring ask, apart from its work.

`GET /livez`: 200 whenever the event loop answers; it never depends on another process.
`GET /readyz`: 200 when the service can take work, else 503 and why; also while it drains.
`GET /healthz`: the same with warnings and details, for people and for `turnwire up`.
`GET /metrics`: what the service counts, in Prometheus' text format.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from turnwire_chassis.http.server import TaskServer
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.telemetry.metric import CONTENT_TYPE
from turnwire_chassis.telemetry.process import exposition

LIVE_PATH = "/livez"
READY_PATH = "/readyz"
HEALTH_PATH = "/healthz"
METRICS_PATH = "/metrics"

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = Callable[[], Awaitable[tuple[int, dict[str, Any]]]]
"""Gives status and body."""


class HealthServer:
    """Answers for one service for as long as its process runs."""

    def __init__(self, host: str, port: int, lifecycle: Lifecycle) -> None:
        """`port` 0: nothing is served."""
        self._lifecycle = lifecycle
        self._routes: dict[str, Answer] = {
            LIVE_PATH: self._live,
            READY_PATH: self._ready,
            HEALTH_PATH: self._health,
        }
        self._server = TaskServer(self._answer, host, port) if port else None

    async def run(self) -> None:
        """Serve until cancelled."""
        if self._server is None:
            await asyncio.Event().wait()
        else:
            await self._server.run_until_cancelled()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        if scope["type"] != "http":
            return
        if scope["path"] == METRICS_PATH and (metrics := await exposition()) is not None:
            await _send(send, 200, CONTENT_TYPE, metrics)
            return
        status, body = await self._routes.get(scope["path"], _nothing_here)()
        await _send(send, status, b"application/json", orjson.dumps(body))

    async def _live(self) -> tuple[int, dict[str, Any]]:
        return _said({})

    async def _ready(self) -> tuple[int, dict[str, Any]]:
        return _said(await self._lifecycle.unready())

    async def _health(self) -> tuple[int, dict[str, Any]]:
        status, body = _said(await self._lifecycle.problems())
        if details := await self._lifecycle.details():
            body["details"] = details
        return status, body


async def _send(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _nothing_here() -> tuple[int, dict[str, Any]]:
    return 404, {"status": "error", "problems": {}}


def _said(problems: dict[str, str]) -> tuple[int, dict[str, Any]]:
    status = "error" if problems else "ok"
    return (503 if problems else 200), {"status": status, "problems": problems}
