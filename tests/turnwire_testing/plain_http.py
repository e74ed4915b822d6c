"""A server that answers each route with what a test gave it, and keeps what it was asked."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp.web
from aiohttp.test_utils import TestServer

Told = tuple[int, Any]
"""A status, and a body: a text is sent as it is, everything else as JSON."""


@dataclass
class PlainServer:
    """A server that runs; its routes may be changed meanwhile."""

    routes: dict[str, Told]
    url: str = ""
    asked: list[str] = field(default_factory=list[str])
    bodies: list[Any] = field(default_factory=list[Any])

    async def answer(self, request: aiohttp.web.Request) -> aiohttp.web.Response:
        """Answer one request."""
        route = f"{request.method} {request.path}"
        self.asked.append(route)
        self.bodies.append(await request.json() if request.can_read_body else None)
        status, body = self.routes.get(route, (404, {"detail": "Not Found"}))
        if isinstance(body, str):
            return aiohttp.web.Response(text=body, status=status)
        return aiohttp.web.json_response(body, status=status)


@asynccontextmanager
async def serving(routes: Mapping[str, Told]) -> AsyncGenerator[PlainServer]:
    """Serve `METHOD /path` routes on a free port; `url` is that of /v1."""
    server = PlainServer(dict(routes))
    app = aiohttp.web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app) as running:
        server.url = str(running.make_url("/v1"))
        yield server
