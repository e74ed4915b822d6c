"""HTTP to one inference server: one shared aiohttp session, answers read as they come.

aiohttp and not httpx: a third of the CPU per request and half per chunk (docs/adr/0006).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import aiohttp
from msgspec import Struct

from turnwire_chassis.telemetry.correlation import outgoing
from turnwire_contracts.events import Failure
from turnwire_orchestrator import failures
from turnwire_orchestrator.failures import PromptTooLongError, TurnFailedError
from turnwire_orchestrator.inference.ending import refusal
from turnwire_orchestrator.inference.retry_after import retry_after_s
from turnwire_orchestrator.inference.sse import EventSplitter
from turnwire_orchestrator.inference.unpacking import ENCODINGS, PLAIN, UnpackingError, unpacked

_LONGEST_ERROR = 64 * 1024
_REST_TIMEOUT_S = 0.25
_ERROR_TIMEOUT_S = 5.0
_REFUSED = 400
_EVENTS = "text/event-stream"
_DONE = b"[DONE]"
_LONGEST_BODY = 64 * 1024 * 1024
"""Bytes of a whole answer, unpacked; what is more is none."""

_HEADERS = {"Content-Type": "application/json", "Accept": _EVENTS}
_NOT_PACKED = {"Accept-Encoding": "identity"}
"""Packing costs both ends more than a fast network saves; what comes packed is read anyway."""


class Timeouts(Struct, frozen=True):
    """How long a server may take to connect, and to say anything."""

    connect_s: float
    idle_s: float


class HttpClient:
    """Asks one server; what it refuses or breaks off is a `TurnFailedError`."""

    def __init__(self, url: str, api_key: str | None, timeouts: Timeouts) -> None:
        """Talk to the base `url`, which ends in /v1; must be made inside the event loop."""
        self.url = url.rstrip("/")
        self.root = self.url.removesuffix("/v1")
        """Where servers answer what is not OpenAI's API."""
        self._idle_s = timeouts.idle_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=timeouts.connect_s, sock_read=timeouts.idle_s
            ),
            headers={**_NOT_PACKED, **({"Authorization": f"Bearer {api_key}"} if api_key else {})},
            trust_env=False,
            auto_decompress=False,
        )

    async def close(self) -> None:
        """End all connections."""
        await self._session.close()

    @asynccontextmanager
    async def stream(self, url: str, body: bytes) -> AsyncGenerator[AsyncIterator[list[bytes]]]:
        """Post, and give for each read the data of the events that it completed."""
        response = await self._post(url, body)
        try:
            if response.status >= _REFUSED:
                raise await _refused(response)
            yield self._events(response)
            await _read_rest(response)
        finally:
            # With unread tokens the connection must go: that stops the model.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def get(self, url: str) -> bytes:
        """Give the body of a good answer."""
        response = await self._asked(partial(self._session.get, url))
        async with response:
            if response.status >= _REFUSED:
                raise await _refused(response)
            return await self._whole(response)

    async def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Give the status and the body of any answer; of one that does not end, its beginning."""
        response = await self._post(url, body)
        async with response:
            if response.content_type == _EVENTS:
                return response.status, await anext(_pieces(response), b"")
            return response.status, await self._whole(response)

    async def _post(self, url: str, body: bytes) -> aiohttp.ClientResponse:
        headers = {**_HEADERS, **outgoing()}
        return await self._asked(partial(self._session.post, url, data=body, headers=headers))

    async def _asked(
        self, ask: Callable[[], Awaitable[aiohttp.ClientResponse]]
    ) -> aiohttp.ClientResponse:
        attempts = 2
        while True:
            attempts -= 1
            try:
                response = await ask()
            except aiohttp.ServerTimeoutError as error:
                raise TurnFailedError(self._timeout(error)) from error
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A kept connection may have been closed at the other end while it was idle.
                if attempts and not isinstance(error, aiohttp.ClientConnectorError):
                    continue
                raise TurnFailedError(self._unreachable(error)) from error
            except (aiohttp.ClientError, TimeoutError) as error:
                raise TurnFailedError(self._unreachable(error)) from error
            if _encoding(response) in ENCODINGS:
                return response
            response.close()
            raise TurnFailedError(failures.backend_encoding(self.url, _encoding(response)))

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncIterator[list[bytes]]:
        splitter = EventSplitter()
        if response.content_type == "application/json":
            # A server that does not stream says everything at once; some only say that they do not.
            whole = await self._whole(response)
            is_json = whole.lstrip().startswith((b"{", b"["))
            yield [whole] if is_json else [*splitter.feed(whole), *splitter.end()]
            return
        try:
            async for chunk in _pieces(response):
                if events := splitter.feed(chunk):
                    yield events
                    if _DONE in events:
                        # What comes after it is no part of the answer.
                        break
        except (aiohttp.ClientError, TimeoutError, UnpackingError) as error:
            if events := splitter.stray():
                yield events
            raise TurnFailedError(self._broken(response, error)) from error
        if events := splitter.end():
            yield events

    async def _whole(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        try:
            async for piece in _pieces(response):
                body += piece
                if len(body) > _LONGEST_BODY:
                    raise TurnFailedError(failures.backend_broke_off("an answer without end"))
        except (aiohttp.ClientError, TimeoutError, UnpackingError) as error:
            raise TurnFailedError(self._broken(response, error)) from error
        return bytes(body)

    def _broken(self, response: aiohttp.ClientResponse, error: Exception) -> Failure:
        if isinstance(error, TimeoutError):
            return failures.backend_silent(self._idle_s)
        if isinstance(error, UnpackingError):
            return failures.backend_encoding(self.url, _encoding(response))
        return failures.backend_broke_off(type(error).__name__)

    def _timeout(self, error: aiohttp.ServerTimeoutError) -> Failure:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return self._unreachable(error)
        return failures.backend_silent(self._idle_s)

    def _unreachable(self, error: Exception) -> Failure:
        return failures.backend_unreachable(self.url, type(error).__name__)


def _encoding(response: aiohttp.ClientResponse) -> str:
    return response.headers.get("Content-Encoding", "").strip().lower()


def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Give the body of an answer as it comes, unpacked."""
    pieces, encoding = response.content.iter_any(), _encoding(response)
    return pieces if encoding in PLAIN else unpacked(pieces, encoding)


async def _read_rest(response: aiohttp.ClientResponse) -> None:
    """Read what comes after the answer (`[DONE]`), so that the connection can be used again."""
    if response.content.at_eof():
        return
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_REST_TIMEOUT_S):
            await response.content.read()


async def _error_body(response: aiohttp.ClientResponse) -> bytes:
    """Read what a backend says of its refusal; what does not come in time is not waited for."""
    body = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError, UnpackingError):
        async with asyncio.timeout(_ERROR_TIMEOUT_S):
            async for piece in _pieces(response):
                body += piece
                if len(body) >= _LONGEST_ERROR:
                    break
    return bytes(body[:_LONGEST_ERROR])


async def _refused(response: aiohttp.ClientResponse) -> TurnFailedError:
    body = (await _error_body(response)).decode(errors="replace")
    later = retry_after_s(response.status, response.headers, time.time())
    refused = refusal(response.status, body, response.reason or "", later)
    if refused.overflow is None:
        return TurnFailedError(refused.failure)
    return PromptTooLongError(refused.failure, refused.overflow)
