"""The inference backend over HTTP: one shared aiohttp session, answers read as they come.

aiohttp and not httpx: a third of the CPU per request and half per chunk (docs/adr/0006).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import orjson
import structlog

from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_orchestrator import failures
from turnwire_orchestrator.inference.sse import EventSplitter
from turnwire_orchestrator.ports import TurnFailedError
from turnwire_orchestrator.prompting.backend_request import Dialect

log = structlog.get_logger()

_LLAMA_CPP_OWNER = "llamacpp"
_CONTEXT_CODES = {"exceed_context_size_error", "context_length_exceeded"}
_OUR_FAULT = {401, 403, 407}
_LONGEST_ERROR = 64 * 1024
_SERVER_ERROR = 500
_REST_TIMEOUT_S = 0.25
_ERROR_TIMEOUT_S = 5.0


class HttpBackend:
    """`Backend` over HTTP; also answers what the gateway asks about it."""

    def __init__(
        self, url: str, api_key: str | None, connect_timeout_s: float, idle_timeout_s: float
    ) -> None:
        """Talk to the base `url`, which ends in /v1; must be made inside the event loop."""
        self.dialect = Dialect.PLAIN
        self._url = url.rstrip("/")
        self._idle_timeout_s = idle_timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=connect_timeout_s, sock_read=idle_timeout_s
            ),
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """End all connections."""
        await self._session.close()

    @asynccontextmanager
    async def sample(self, body: bytes) -> AsyncGenerator[AsyncIterator[list[bytes]]]:
        """See `Backend.sample`."""
        response = await self._post(body)
        try:
            if response.status >= 400:  # noqa: PLR2004 -- HTTP's own border
                raise TurnFailedError(await _refusal(response))
            yield self._events(response)
            await _read_rest(response)
        finally:
            # With unread tokens the connection must go: that stops the model.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def models(self) -> bytes:
        """Give the backend's own list of models, as JSON.

        Raises `TurnFailedError`.
        """
        try:
            async with self._session.get(f"{self._url}/models") as response:
                if response.status >= 400:  # noqa: PLR2004 -- HTTP's own numbers
                    raise TurnFailedError(await _refusal(response))
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TurnFailedError(self._unreachable(error)) from error

    async def find_dialect(self) -> None:
        """Find out, as soon as the backend answers, what it needs; ends when it is known."""
        while True:
            try:
                models = orjson.loads(await self.models())
            except (TurnFailedError, ValueError):
                await asyncio.sleep(1.0)
                continue
            owners = {model.get("owned_by") for model in objects(mapping(models).get("data"))}
            self.dialect = Dialect.LLAMA_CPP if _LLAMA_CPP_OWNER in owners else Dialect.PLAIN
            log.info("backend found", dialect=self.dialect.value)
            return

    async def _post(self, body: bytes) -> aiohttp.ClientResponse:
        attempts = 2
        while True:
            attempts -= 1
            try:
                return await self._session.post(
                    f"{self._url}/responses",
                    data=body,
                    headers={"Content-Type": "application/json", "Accept": "text/event-stream"},
                )
            except aiohttp.ServerTimeoutError as error:
                raise TurnFailedError(self._timeout(error)) from error
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A kept connection may have been closed at the other end while it was idle.
                if attempts and not isinstance(error, aiohttp.ClientConnectorError):
                    continue
                raise TurnFailedError(self._unreachable(error)) from error
            except (aiohttp.ClientError, TimeoutError) as error:
                raise TurnFailedError(self._unreachable(error)) from error

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncIterator[list[bytes]]:
        splitter = EventSplitter()
        try:
            async for chunk in response.content.iter_any():
                if events := splitter.feed(chunk):
                    yield events
        except aiohttp.ServerTimeoutError as error:
            raise TurnFailedError(failures.backend_silent(self._idle_timeout_s)) from error
        except aiohttp.ClientError as error:
            raise TurnFailedError(failures.backend_broke_off(type(error).__name__)) from error
        if events := splitter.end():
            yield events

    def _timeout(self, error: aiohttp.ServerTimeoutError) -> Failure:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return self._unreachable(error)
        return failures.backend_silent(self._idle_timeout_s)

    def _unreachable(self, error: Exception) -> Failure:
        return failures.backend_unreachable(self._url, type(error).__name__)


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
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_ERROR_TIMEOUT_S):
            async for piece in response.content.iter_any():
                body += piece
                if len(body) >= _LONGEST_ERROR:
                    break
    return bytes(body[:_LONGEST_ERROR])


async def _refusal(response: aiohttp.ClientResponse) -> Failure:
    """Say a backend's error in our words, with the backend's own text."""
    body = (await _error_body(response)).decode(errors="replace")
    error = _error_of(body)
    message = str(error.get("message") or body.strip() or response.reason or "no reason given")
    status = response.status
    if status in _OUR_FAULT:
        return Failure(
            http_status=502,
            type="server_error",
            code="backend_refused_credentials",
            message=f"The inference backend refused Turnwire's own credentials: {message}",
        )
    if status >= _SERVER_ERROR:
        return Failure(
            http_status=503 if status == 503 else 502,  # noqa: PLR2004 -- HTTP's own numbers
            type="server_error",
            code="backend_error",
            message=f"The inference backend failed: {message}",
        )
    return _client_error(status, error, message)


def _client_error(status: int, error: JSON, message: str) -> Failure:
    kind, code = str(error.get("type") or ""), str(error.get("code") or "")
    param = error.get("param")
    too_long = kind in _CONTEXT_CODES or code in _CONTEXT_CODES
    return Failure(
        http_status=400 if status == 422 or too_long else status,  # noqa: PLR2004 -- HTTP's own numbers
        type="invalid_request_error" if too_long or not kind else kind,
        code="context_length_exceeded" if too_long else _code(error.get("code"), status),
        message=message,
        param=param if isinstance(param, str) else ("input" if too_long else None),
    )


def _code(code: object, status: int) -> str:
    if isinstance(code, str) and code:
        return code
    return {404: "model_not_found", 429: "rate_limit_exceeded"}.get(status, "backend_refused")


def _error_of(body: str) -> JSON:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = mapping(said).get("error", said)
    return mapping(error) or {"message": str(error)}
