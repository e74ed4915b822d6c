"""An HTTP client without HTTP: calls an ASGI application and remembers what it sends."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from turnwire_contracts.json_values import JSON

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


@dataclass
class Exchange:
    """What a client sends, and the response as far as it has come."""

    content: bytes = b""
    fields: dict[str, str] = field(default_factory=dict[str, str])
    """Headers of the request."""
    sent: list[Message] = field(default_factory=list[Message])
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> int:
        """The status of the one response."""
        (start,) = [each for each in self.sent if each["type"] == "http.response.start"]
        return start["status"]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the one response."""
        (start,) = [each for each in self.sent if each["type"] == "http.response.start"]
        return {name.decode(): value.decode() for name, value in start["headers"]}

    @property
    def body(self) -> bytes:
        """The body so far."""
        bodies = [each for each in self.sent if each["type"] == "http.response.body"]
        return b"".join(each.get("body", b"") for each in bodies)

    @property
    def json(self) -> JSON:
        """The body as JSON."""
        return orjson.loads(self.body)

    @property
    def ended(self) -> bool:
        """Whether the response was sent to its end."""
        return bool(self.sent) and not self.sent[-1].get("more_body", True)

    async def said(self, text: bytes, within_s: float = 30.0) -> None:
        """Wait until the body has this text."""
        async with asyncio.timeout(within_s):
            while text not in self.body:
                self._news.clear()
                await self._news.wait()

    async def receive(self) -> Message:
        """ASGI: give the request, then nothing until the client leaves."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self.content, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI: take a piece of the response."""
        self.sent.append(message)
        self._news.set()


async def call(app: App, method: str, target: str, exchange: Exchange | None = None) -> Exchange:
    """Make a request and wait for the end of its response."""
    path, _, query = target.partition("?")
    exchange = exchange or Exchange()
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in exchange.fields.items()
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, exchange.receive, exchange.send)
    return exchange
