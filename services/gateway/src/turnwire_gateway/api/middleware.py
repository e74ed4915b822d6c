"""What requests pass before their route: one form of path, a request id, the caller. Pure ASGI."""

import re
import uuid
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Final

import structlog
from msgspec import Struct
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turnwire_chassis.api_keys.record import Scope as KeyScope
from turnwire_chassis.telemetry.correlation import correlate
from turnwire_gateway.api.error_responses import refuse
from turnwire_gateway.api.web_access import WebAccess, check_request, source_of
from turnwire_gateway.auth.caller import ADMIN_SCOPE, Caller, Identify
from turnwire_gateway.auth.content_access import TENANT_HEADER, ContentAccess
from turnwire_gateway.errors import ApiError, insufficient_scope
from turnwire_gateway.limits.limiter import Limiter
from turnwire_gateway.limits.request_quota import RequestQuota

log = structlog.get_logger()

HEADER: Final = "x-request-id"
_VERSION: Final = "v1"
_STARTS: Final = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
_SAFE: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class PathMiddleware:
    """Routes have one path; clients reach it with and without `/v1`, and with slashes too many.

    Nothing is redirected: behind a proxy that ends TLS a redirect would lead to `http://`.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        """`paths`: those of all routes."""
        self._app = app
        self._routes = {_first(path): path for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] in ("http", "websocket"):
            path = self._canonical(scope["path"])
            if path != scope["path"]:
                scope = {**scope, "path": path}
        await self._app(scope, receive, send)

    def _canonical(self, path: str) -> str:
        rest = _unversioned(path)
        route = self._routes.get(rest.partition("/")[0])
        if route is None:
            return path
        return f"/{_VERSION}/{rest}" if route.startswith(f"/{_VERSION}/") else f"/{rest}"


def _first(path: str) -> str:
    return _unversioned(path).partition("/")[0]


def _unversioned(path: str) -> str:
    rest = path.strip("/")
    if rest == _VERSION or rest.startswith(f"{_VERSION}/"):
        rest = rest.removeprefix(_VERSION).lstrip("/")
    return rest


class HeadMiddleware:
    """Answers `HEAD` with what `GET` says before its body (RFC 9110 §9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            # A stream may end much later, or never: the answer ends with its headers.
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET"}, receive, send_head)


class ResponseStart(Struct, frozen=True):
    """When an answer began, by `perf_counter`, and its status; 101 of a WebSocket."""

    at: float
    status: int


class RequestIdMiddleware:
    """Pure ASGI: Starlette's own base class would copy every chunk of a stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or f"req_{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        name = (HEADER.encode(), request_id.encode())

        async def send_named(message: Message) -> None:
            if message["type"] in _STARTS:
                scope["state"]["answered"] = ResponseStart(
                    perf_counter(), message.get("status", 101)
                )
                message["headers"] = [*message.get("headers", []), name]
            await send(message)

        correlate(request_id=request_id)
        await self._app(scope, receive, send_named)


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SAFE.fullmatch(value):
            return value.decode()
    return None


class LocalRequestsMiddleware:
    """Checks `Host`, `Origin` and `Sec-Fetch-Site` of every request while `is_open`.

    With keys nothing is checked: a page cannot know the key, and any name may lead here.
    """

    def __init__(self, app: ASGIApp, access: WebAccess, is_open: Callable[[], bool]) -> None:
        """`is_open` tells whether any token, or none, will do now."""
        self._app = app
        self._access = access
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] in ("http", "websocket") and self._is_open():
            try:
                check_request(self._access, source_of(scope["headers"]), scope["http_version"])
            except ApiError as error:
                log.info("request refused", code=error.failure.code)
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)


_VIEWER: Final = ("/docs", "/docs/viewer.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css")
OPEN_PATHS: Final = frozenset({"/", "/health", "/openapi.json", *_VIEWER})
"""What needs no caller: whether it runs, and how to talk to it."""

CONSOLE: Final = "/console"
"""The console's page, its files and its sign-in need none either."""


def is_open_path(path: str) -> bool:
    """Tell whether a path is served to callers that are not known."""
    return path in OPEN_PATHS or path == CONSOLE or path.startswith(f"{CONSOLE}/")


class IdentityMiddleware:
    """Refuses requests whose caller is not known, or whose key is not for this.

    Handlers find the caller in the state.
    """

    def __init__(self, app: ASGIApp, identify: Identify) -> None:
        self._app = app
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] not in ("http", "websocket") or is_open_path(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._identify(_authorization(scope))
            _require_scopes(caller, scope.get("method", "POST"), scope["path"])
        except ApiError as error:
            await refuse(error, scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ADMIN_PATHS: Final = "/v1/admin/"


def _require_scopes(caller: Caller, method: str, path: str) -> None:
    """Raise `ApiError` (403) unless the caller's key may be used for this; `path` begins in `/v1`.

    What only reads needs `read`, all else `write`; paths of administration need `admin` as well. A
    WebSocket asks for responses, so its `method` is `POST`.
    """
    needed: KeyScope = "read" if method in _READING else "write"
    if needed not in caller.scopes:
        raise insufficient_scope(needed, caller.scopes)
    if path.startswith(_ADMIN_PATHS) and ADMIN_SCOPE not in caller.scopes:
        raise insufficient_scope(ADMIN_SCOPE, caller.scopes)


def _authorization(scope: Scope) -> str | None:
    shown = Headers(scope=scope).getlist("authorization")
    # Of two it is not clear which one is meant, so it is as if there were none.
    return shown[0] if len(shown) == 1 else None


class OpenedTenantMiddleware:
    """Has operators who name another tenant read there (`ContentAccess`)."""

    def __init__(self, app: ASGIApp, access: ContentAccess) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        caller: Caller | None = scope.get("state", {}).get("caller")
        tenant = Headers(scope=scope).get(TENANT_HEADER) if caller else None
        if caller is not None and tenant is not None:
            try:
                scope["state"]["caller"] = await self._access.admit(scope, caller, tenant)
            except ApiError as error:
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)


class LimitMiddleware:
    """Gives every request with a caller its quota, and its answer the headers about limits."""

    def __init__(self, app: ASGIApp, limiter: Limiter, background_ms: int) -> None:
        """`background_ms`: within how many milliseconds a background turn ends."""
        self._app = app
        self._limiter = limiter
        self._background_ms = background_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        caller: Caller | None = scope.get("state", {}).get("caller")
        if caller is None:
            await self._app(scope, receive, send)
            return
        quota = RequestQuota(self._limiter, caller, self._background_ms)
        scope["state"]["quota"] = quota

        async def send_limited(message: Message) -> None:
            if message["type"] == "http.response.start" and quota.headers:
                message["headers"] = [*message.get("headers", []), *quota.headers]
            await send(message)

        try:
            await self._app(scope, receive, send_limited)
        finally:
            quota.release()
