"""The way out as one session sees it: what the SDK does not say is noted, what would end it is not.

An error of one request would end the task that holds the session, and with it the requests of
others (python-sdk#3560). So it becomes an answer to that request alone; `ExchangeState` has the
reason.
"""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import httpx2
import msgspec
from msgspec import Struct

from turnwire_chassis.telemetry.correlation import outgoing
from turnwire_tool_runner.mcp_client.exchange import EXCHANGE, ExchangeState
from turnwire_tool_runner.mcp_client.unicode_repair import repaired_body, repaired_events

# The SDK sends nothing else while it waits for the answer to a message that is no request.
_NOTIFY_WITHIN_S = 5.0
_END_WITHIN_S = 2.0
# A server can close a stream at once and ask to be asked again at once.
_MOST_STREAMS = 100
# A server can ask something in each event of a stream, and each is answered.
_MOST_REPLIES = 100

_NO_ANSWER = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"no answer"}}'
_JSON = "application/json"
_EVENTS = "text/event-stream"


class _Message(Struct):
    method: str | None = None
    id: Any = None


class SharedTransport(httpx2.AsyncBaseTransport):
    """A transport that several sessions share, as one of them sees it."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a message, or open a stream for those of the server."""
        exchange = EXCHANGE.get()
        match request.method:
            case "POST":
                message = msgspec.json.decode(request.content, type=_Message)
                if message.method is None or message.id is None:
                    return await self._notify(request, exchange)
                return await self._ask(request, exchange, message.method)
            case "GET":
                return await self._listen(request, exchange)
            case _:
                async with asyncio.timeout(_END_WITHIN_S):
                    return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Leave the transport open for the others."""

    async def _ask(
        self, request: httpx2.Request, exchange: ExchangeState, method: str
    ) -> httpx2.Response:
        exchange.status, exchange.speaks_json, exchange.failure = 0, False, None
        exchange.had_session = "mcp-session-id" in request.headers
        request.headers.update(outgoing())
        if method == "tools/call":

            async def watch(event: str, _: object) -> None:
                # Connecting comes before, and is what mostly fails.
                if event.endswith("send_request_headers.started"):
                    exchange.leave()

            request.extensions = {**request.extensions, "trace": watch}
        try:
            response = await self._transport.handle_async_request(request)
        except httpx2.RequestError as error:
            exchange.failure = error
            if exchange.is_handshake:
                raise
            return _answer(HTTPStatus.BAD_GATEWAY, _NO_ANSWER)
        kind = response.headers.get("content-type", "").lower()
        exchange.status = response.status_code
        exchange.speaks_json = kind.startswith(_JSON)
        return _noted(response, exchange)

    async def _notify(self, request: httpx2.Request, exchange: ExchangeState) -> httpx2.Response:
        exchange.replies += 1
        if exchange.replies > _MOST_REPLIES:
            return _answer(HTTPStatus.TOO_MANY_REQUESTS)
        try:
            async with asyncio.timeout(_NOTIFY_WITHIN_S):
                response = await self._transport.handle_async_request(request)
                # The SDK reads an answer only if it is told of one.
                await response.aclose()
        except (httpx2.RequestError, TimeoutError):
            return _answer(HTTPStatus.BAD_GATEWAY)
        return _answer(response.status_code)

    async def _listen(self, request: httpx2.Request, exchange: ExchangeState) -> httpx2.Response:
        exchange.streams += 1
        if exchange.streams > _MOST_STREAMS:
            return _answer(HTTPStatus.TOO_MANY_REQUESTS)
        return _noted(await self._transport.handle_async_request(request), exchange)


class _Body(httpx2.AsyncByteStream):
    """A body that ends where it breaks off."""

    def __init__(self, response: httpx2.Response, exchange: ExchangeState) -> None:
        self._response = response
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = self._response.aiter_raw()
        try:
            async for part in repaired_events(parts) if self._is_stream else repaired_body(parts):
                yield part
        except httpx2.RequestError as error:
            self._exchange.failure = error
            if isinstance(error, httpx2.SSEError) and self._is_stream:
                # What is too large is not asked for again.
                raise

    async def aclose(self) -> None:
        await self._response.aclose()

    @property
    def _is_stream(self) -> bool:
        return self._response.headers.get("content-type", "").lower().startswith(_EVENTS)


def _noted(response: httpx2.Response, exchange: ExchangeState) -> httpx2.Response:
    return httpx2.Response(
        response.status_code,
        headers=response.headers,
        stream=_Body(response, exchange),
        extensions=response.extensions,
    )


def _answer(status: int, body: bytes = b"") -> httpx2.Response:
    return httpx2.Response(status, headers={"content-type": _JSON}, content=body)
