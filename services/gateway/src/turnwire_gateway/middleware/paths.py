"""One answer for all ways to write a path, and `HEAD` wherever there is `GET`."""

from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_VERSION: Final = "v1"


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
        """Stand in front of `app`."""
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
