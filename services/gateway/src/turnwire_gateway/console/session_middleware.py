"""Lets the console's session stand for the API key that it was opened with. Pure ASGI."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from turnwire_gateway.api.error_responses import refuse
from turnwire_gateway.console.session_cookie import check_sender, cookie_of
from turnwire_gateway.console.sessions import ConsoleSessions
from turnwire_gateway.errors import ApiError


class SessionMiddleware:
    """Gives a request of the console the `Authorization` of its session.

    From there on it is a request with that key: a key that was revoked, has expired or lacks a
    scope is refused as it is everywhere. Requests with a key of their own pass untouched.
    """

    def __init__(self, app: ASGIApp, sessions: ConsoleSessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            cookie = None if "authorization" in headers else cookie_of(headers)
            if cookie is not None and scope["path"].startswith("/v1/"):
                try:
                    scope = await self._signed_in(scope, headers, cookie)
                except ApiError as error:
                    await refuse(error, scope, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _signed_in(self, scope: Scope, headers: Headers, cookie: str) -> Scope:
        session = await self._sessions.find(cookie)
        if session is None:
            return scope
        check_sender(headers, scope["method"])
        shown = (b"authorization", session.authorization.encode())
        return {**scope, "headers": [*scope["headers"], shown]}
