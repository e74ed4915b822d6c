"""HTTP to one inference server: kept connections, answers read as they come.

A protocol on httptools and no client library: a fifth of the CPU per request (docs/adr/0041).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from msgspec import Struct

from turnwire_chassis.telemetry.correlation import outgoing
from turnwire_contracts.events import Failure
from turnwire_orchestrator import failures
from turnwire_orchestrator.backend_http.answer import (
    Answer,
    AnswerBrokenError,
    DisconnectedError,
    SilentError,
)
from turnwire_orchestrator.backend_http.connections import (
    ServerConnections,
    ServerOrigin,
    UnreachableError,
)
from turnwire_orchestrator.backend_http.requests import head_of, origin_of, redirected, whole
from turnwire_orchestrator.failures import PromptTooLongError, TurnFailedError
from turnwire_orchestrator.inference.ending import refusal
from turnwire_orchestrator.inference.retry_after import retry_after_s
from turnwire_orchestrator.inference.sse import EventSplitter
from turnwire_orchestrator.inference.unpacking import ENCODINGS, PLAIN, UnpackingError, unpacked

_LONGEST_ERROR = 64 * 1024
_REST_TIMEOUT_S = 0.25
_ERROR_TIMEOUT_S = 5.0
_REFUSED = 400
_MOST_REDIRECTS = 5
_EVENTS = "text/event-stream"
_DONE = b"[DONE]"
_LONGEST_BODY = 64 * 1024 * 1024
"""Bytes of a whole answer, unpacked; what is more is none."""

_NOT_PACKED = {"Accept-Encoding": "identity"}
"""Packing costs both ends more than a fast network saves; what comes packed is read anyway."""

_HEADERS: dict[str, dict[str, str]] = {
    "GET": {"Accept": "*/*", **_NOT_PACKED},
    "POST": {"Content-Type": "application/json", "Accept": _EVENTS, **_NOT_PACKED},
}
_NOTHING_MORE: Mapping[str, str] = {}


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
        self._api_key = api_key
        self._timeouts = timeouts
        self._origin = origin_of(self.url)
        self._connections: dict[ServerOrigin, ServerConnections] = {}
        self._heads: dict[tuple[str, str], tuple[ServerOrigin, bytes]] = {}

    async def close(self) -> None:
        """End all connections."""
        for connections in self._connections.values():
            connections.close()

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
            response.release()

    async def get(self, url: str) -> bytes:
        """Give the body of a good answer."""
        response = await self._asked("GET", url)
        try:
            if response.status >= _REFUSED:
                raise await _refused(response)
            return await self._whole(response)
        finally:
            response.release()

    async def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Give the status and the body of any answer; of one that does not end, its beginning."""
        response = await self._post(url, body)
        try:
            if response.media_type == _EVENTS:
                return response.status, await anext(_pieces(response), b"")
            return response.status, await self._whole(response)
        finally:
            response.release()

    async def _post(self, url: str, body: bytes) -> Answer:
        return await self._asked("POST", url, body, outgoing())

    async def _asked(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        more: Mapping[str, str] = _NOTHING_MORE,
    ) -> Answer:
        response = await self._answer(method, url, body, more)
        for _ in range(_MOST_REDIRECTS):
            elsewhere = redirected(method, url, response.status, response.headers.get("location"))
            if elsewhere is None:
                break
            response.release()
            url = elsewhere
            response = await self._answer(method, url, body, more)
        if _encoding(response) in ENCODINGS:
            return response
        response.release()
        raise TurnFailedError(failures.backend_encoding(self.url, _encoding(response)))

    async def _answer(
        self, method: str, url: str, body: bytes | None, more: Mapping[str, str]
    ) -> Answer:
        """Wait for the head of an answer; a kept connection may have been closed while idle."""
        try:
            origin, head = self._head(method, url)
            request, connections = whole(head, body, more), self._connections_to(origin)
            try:
                return await connections.ask(request)
            except DisconnectedError:
                return await connections.ask(request, fresh=True)
        except SilentError as error:
            raise TurnFailedError(failures.backend_silent(self._timeouts.idle_s)) from error
        except (UnreachableError, AnswerBrokenError, ValueError) as error:
            reason = str(error) if isinstance(error, UnreachableError) else type(error).__name__
            raise TurnFailedError(failures.backend_unreachable(self.url, reason)) from error

    def _head(self, method: str, url: str) -> tuple[ServerOrigin, bytes]:
        """Write the head of a request once; the key is for this server alone."""
        known = self._heads.get((method, url))
        if known is None:
            origin = origin_of(url)
            key = self._api_key if origin == self._origin else None
            known = origin, head_of(method, url, _HEADERS[method], key)
            if origin == self._origin:
                self._heads[method, url] = known
        return known

    def _connections_to(self, origin: ServerOrigin) -> ServerConnections:
        if origin not in self._connections:
            timeouts = self._timeouts
            self._connections[origin] = ServerConnections(
                origin, timeouts.connect_s, timeouts.idle_s
            )
        return self._connections[origin]

    async def _events(self, response: Answer) -> AsyncIterator[list[bytes]]:
        splitter = EventSplitter()
        if response.media_type == "application/json":
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
        except (AnswerBrokenError, UnpackingError) as error:
            if events := splitter.stray():
                yield events
            raise TurnFailedError(self._broken(response, error)) from error
        if events := splitter.end():
            yield events

    async def _whole(self, response: Answer) -> bytes:
        body = bytearray()
        try:
            async for piece in _pieces(response):
                body += piece
                if len(body) > _LONGEST_BODY:
                    raise TurnFailedError(failures.backend_broke_off("an answer without end"))
        except (AnswerBrokenError, UnpackingError) as error:
            raise TurnFailedError(self._broken(response, error)) from error
        return bytes(body)

    def _broken(self, response: Answer, error: Exception) -> Failure:
        if isinstance(error, SilentError):
            return failures.backend_silent(self._timeouts.idle_s)
        if isinstance(error, UnpackingError):
            return failures.backend_encoding(self.url, _encoding(response))
        return failures.backend_broke_off(type(error).__name__)


def _encoding(response: Answer) -> str:
    return response.headers.get("content-encoding", "").strip().lower()


def _pieces(response: Answer) -> AsyncIterator[bytes]:
    """Give the body of an answer as it comes, unpacked."""
    encoding = _encoding(response)
    return response if encoding in PLAIN else unpacked(response, encoding)


async def _read_rest(response: Answer) -> None:
    """Read what comes after the answer (`[DONE]`), so that the connection can be used again."""
    if response.at_end:
        return
    with suppress(TimeoutError, AnswerBrokenError):
        async with asyncio.timeout(_REST_TIMEOUT_S):
            async for _ in response:
                pass


async def _error_body(response: Answer) -> bytes:
    """Read what a backend says of its refusal; what does not come in time is not waited for."""
    body = bytearray()
    with suppress(TimeoutError, AnswerBrokenError, UnpackingError):
        async with asyncio.timeout(_ERROR_TIMEOUT_S):
            async for piece in _pieces(response):
                body += piece
                if len(body) >= _LONGEST_ERROR:
                    break
    return bytes(body[:_LONGEST_ERROR])


async def _refused(response: Answer) -> TurnFailedError:
    body = (await _error_body(response)).decode(errors="replace")
    later = retry_after_s(response.status, response.headers, time.time())
    refused = refusal(response.status, body, response.reason, later)
    if refused.overflow is None:
        return TurnFailedError(refused.failure)
    return PromptTooLongError(refused.failure, refused.overflow)
