"""What operators ask a service over HTTP: `GET /healthz` and `GET /metrics`.

Health is 200 when every check passes, else 503 and the reason.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from nats.aio.client import Client

from turnwire_chassis.broker import trouble
from turnwire_chassis.http_server import TaskServer
from turnwire_chassis.telemetry.metric import CONTENT_TYPE
from turnwire_chassis.telemetry.process import exposition

Check = Callable[[], Awaitable[str | None]]
"""Gives `None` when all is well, else what is wrong."""

Detail = Callable[[], str]
"""Says something that operators want to know and that is no reason to be ill."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_CHECK_TIMEOUT_S = 2.0


def broker_check(client: Client) -> Check:
    """Check that the broker is connected, and refuses nothing."""

    async def check() -> str | None:
        return trouble(client)

    return check


class HealthServer:
    """Serves the checks of one service for as long as the service runs."""

    def __init__(
        self,
        host: str,
        port: int,
        checks: Mapping[str, Check],
        details: Mapping[str, Detail] | None = None,
    ) -> None:
        """Port 0 serves nothing."""
        self._checks = checks
        self._details = details or {}
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
        if scope["path"] == "/metrics" and (metrics := await exposition()) is not None:
            await _send(send, 200, CONTENT_TYPE, metrics)
            return
        found = scope["path"] == "/healthz"
        problems = await self._problems() if found else {}
        status = (503 if problems else 200) if found else 404
        well = found and not problems
        said: dict[str, Any] = {"status": "ok" if well else "error", "problems": problems}
        if found and self._details:
            said["details"] = {name: detail() for name, detail in self._details.items()}
        await _send(send, status, b"application/json", orjson.dumps(said))

    async def _problems(self) -> dict[str, str]:
        problems: dict[str, str] = {}
        for name, check in self._checks.items():
            try:
                async with asyncio.timeout(_CHECK_TIMEOUT_S):
                    problem = await check()
            except TimeoutError:
                problem = "no answer in time"
            if problem is not None:
                problems[name] = problem
        return problems


async def _send(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
