"""The transport of the HTTP client: checked URLs and addresses, and answers within limits.

Redirects are not followed here; a client that follows one sends that request through here, too.
Proxies that the environment names are not used: they would connect to any address.
"""

import ssl
from collections.abc import AsyncIterable, AsyncIterator
from functools import cache
from http import HTTPStatus
from typing import Any, cast

import httpcore2
import httpx2

from turnwire_tool_runner.outbound.connecting import Resolve, VettedBackend
from turnwire_tool_runner.outbound.heads import HeadBoundedStream
from turnwire_tool_runner.outbound.policy import Outbound
from turnwire_tool_runner.outbound.reading import BoundedStream, ReadLimits

_MAX_CONNECTIONS = 256
_MAX_IDLE = 64
_IDLE_S = 30.0

_ERRORS: dict[type[Exception], type[httpx2.TransportError]] = {
    httpcore2.ConnectError: httpx2.ConnectError,
    httpcore2.ConnectTimeout: httpx2.ConnectTimeout,
    httpcore2.LocalProtocolError: httpx2.LocalProtocolError,
    httpcore2.PoolTimeout: httpx2.PoolTimeout,
    httpcore2.ReadError: httpx2.ReadError,
    httpcore2.ReadTimeout: httpx2.ReadTimeout,
    httpcore2.RemoteProtocolError: httpx2.RemoteProtocolError,
    httpcore2.WriteError: httpx2.WriteError,
    httpcore2.WriteTimeout: httpx2.WriteTimeout,
}
_CORE_ERRORS = tuple(_ERRORS)


class BrokenOffError(httpx2.ReadError):
    """A server ended the connection before its answer was whole."""


class OutboundTransport(httpx2.AsyncBaseTransport):
    """Pools connections by scheme, name and port; each leads to an address that was vetted.

    Connections that were made under one `Outbound` serve requests under it only: what an operator
    may reach is another transport than what a client may reach.
    """

    def __init__(
        self,
        outbound: Outbound,
        resolve: Resolve,
        limits: ReadLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Without `tls`, servers are checked against the system's certificates."""
        self._outbound = outbound
        self._limits = limits or ReadLimits()
        tls = tls or _system_certificates()
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                ssl_context=tls,
                max_connections=_MAX_CONNECTIONS,
                max_keepalive_connections=_MAX_IDLE,
                keepalive_expiry=_IDLE_S,
                network_backend=VettedBackend(scheme, outbound, resolve),
            )
            for scheme in ("https", "http")
        }

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request. Raises UrlRefused; reading the answer raises TooLarge."""
        destination = self._outbound.check(request.url)
        # A few kilobytes, compressed, can be gigabytes.
        request.headers["Accept-Encoding"] = "identity"
        try:
            response = await self._pools[destination.scheme].handle_async_request(_core(request))
        except httpcore2.RemoteProtocolError as error:
            # httpcore2 has one error for "no HTTP", which wraps that of its parser, and "no more".
            is_http = not isinstance(error.args[0], Exception)
            kind = BrokenOffError if is_http else httpx2.RemoteProtocolError
            raise kind(str(error)) from error
        except _CORE_ERRORS as error:
            raise _translated(error) from error
        stream = cast("object", response.extensions.get("network_stream"))
        if isinstance(stream, HeadBoundedStream):
            stream.has_begun()
        body = _Body(response)
        headers = httpx2.Headers(response.headers)
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            await body.aclose()
            raise httpx2.DecodingError("It compressed its answer, which it was asked not to.")
        events = response.status == HTTPStatus.OK and _is_event_stream(headers)
        return httpx2.Response(
            status_code=response.status,
            headers=headers,
            stream=BoundedStream(body, self._limits, events=events),
            extensions=cast("dict[str, Any]", response.extensions),
        )

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()


class _Body(httpx2.AsyncByteStream):
    """A body of httpcore2 with the errors of httpx2."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.aiter_stream():
                yield part
        except httpcore2.RemoteProtocolError as error:
            # Its head was HTTP: what does not follow is the rest.
            raise BrokenOffError(str(error)) from error
        except _CORE_ERRORS as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        await self._response.aclose()


@cache
def _system_certificates() -> ssl.SSLContext:
    """Give the system's certificates for all transports: they take 40 ms to load."""
    return httpx2.create_ssl_context()


def _is_event_stream(headers: httpx2.Headers) -> bool:
    return headers.get("content-type", "").strip().lower().startswith("text/event-stream")


def _core(request: httpx2.Request) -> httpcore2.Request:
    url = request.url
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        ),
        headers=request.headers.raw,
        content=cast("AsyncIterable[bytes]", request.stream),
        extensions=request.extensions,
    )


def _translated(error: Exception) -> httpx2.TransportError:
    return _ERRORS[type(error)](str(error))
