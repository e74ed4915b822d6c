"""A server that answers each route with what a test gave it, and keeps what it was asked."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp.web
import orjson
from aiohttp.test_utils import TestServer

from turnwire_testing.packing import PACK

Told = tuple[int, Any]
"""A status, and a body: a text is sent as it is, everything else as JSON."""


@dataclass
class PlainServer:
    """A server that runs; its routes may be changed meanwhile."""

    routes: dict[str, Told]
    url: str = ""
    asked: list[str] = field(default_factory=list[str])
    bodies: list[Any] = field(default_factory=list[Any])
    encoding: str | None = None
    """How bodies are packed, whether or not that was asked for."""
    accepted: set[str] = field(default_factory=set[str])
    """What the askers said that they can unpack."""

    async def answer(self, request: aiohttp.web.Request) -> aiohttp.web.Response:
        """Answer one request."""
        route = f"{request.method} {request.path}"
        self.asked.append(route)
        self.bodies.append(await request.json() if request.can_read_body else None)
        self.accepted.add(request.headers.get("Accept-Encoding", ""))
        status, body = self.routes.get(route, (404, {"detail": "Not Found"}))
        kind = "text/plain" if isinstance(body, str) else "application/json"
        headers = {"Content-Type": f"{kind}; charset=utf-8"}
        raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
        if self.encoding is not None:
            headers["Content-Encoding"] = self.encoding
            raw = PACK[self.encoding](raw) if self.encoding in PACK else raw
        return aiohttp.web.Response(body=raw, status=status, headers=headers)


@asynccontextmanager
async def serving(routes: Mapping[str, Told]) -> AsyncGenerator[PlainServer]:
    """Serve `METHOD /path` routes on a free port; `url` is that of /v1."""
    server = PlainServer(dict(routes))
    app = aiohttp.web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(app) as running:
        server.url = str(running.make_url("/v1"))
        yield server
