"""Health over HTTP: `GET /healthz` says 200 when every check passes, 503 and the reason otherwise."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import orjson
import uvicorn
from nats.aio.client import Client

Check = Callable[[], Awaitable[str | None]]
"""Gives `None` when all is well, else what is wrong."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_CHECK_TIMEOUT_S = 2.0


def broker_check(client: Client) -> Check:
    """Check that the broker is connected."""

    async def check() -> str | None:
        return None if client.is_connected else "not connected to the broker"

    return check


class HealthServer:
    """Serves the checks of one service for as long as the service runs."""

    def __init__(self, host: str, port: int, checks: Mapping[str, Check]) -> None:
        """Port 0 serves nothing."""
        self._checks = checks
        self._server = uvicorn.Server(
            uvicorn.Config(self._answer, host=host, port=port, log_config=None, lifespan="off")
        )
        self._enabled = port != 0

    async def run(self) -> None:
        """Serve until cancelled."""
        if not self._enabled:
            await asyncio.Event().wait()
        # `serve` would take over the signals of the process, which belong to the run loop.
        serving = asyncio.create_task(self._server._serve())  # noqa: SLF001
        try:
            await asyncio.shield(serving)
        finally:
            self._server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        found = scope["path"] == "/healthz"
        problems = await self._problems() if found else {}
        status = (503 if problems else 200) if found else 404
        body = orjson.dumps({"status": "ok" if status == 200 else "error", "problems": problems})  # noqa: PLR2004
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

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
