"""`/console/session`: sign in with an API key, who is signed in, sign out."""

from collections.abc import Callable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.request_context import answered, object_of, read_body
from turnwire_gateway.auth.caller import Caller, Identify
from turnwire_gateway.console.session_cookie import (
    check_sender,
    cookie_of,
    cookies_of,
    remove_cookies,
    set_cookie,
)
from turnwire_gateway.console.sessions import ConsoleSession, ConsoleSessions
from turnwire_gateway.errors import ApiError, invalid

log = structlog.get_logger()

_LARGEST_BODY: Final = 16_384
_SECOND_MS: Final = 1000
_NOT_KEPT: Final = {"cache-control": "no-store"}


class SessionHandlers:
    """The console's own routes; all else that it does is the public API."""

    def __init__(
        self,
        sessions: ConsoleSessions,
        identify: Identify,
        is_open: Callable[[], bool],
        *,
        has_oidc: bool = False,
    ) -> None:
        """`is_open` tells whether no key is needed now; `has_oidc`: an issuer signs in, too."""
        self._sessions = sessions
        self._identify = identify
        self._is_open = is_open
        self._has_oidc = has_oidc

    async def read(self, request: Request) -> Response:
        """`GET /console/session`: who is signed in, if a user is."""
        headers = request.headers
        if self._is_open():
            return self._told(await self._identify(None), None, is_open=True)
        cookie = cookie_of(headers)
        session = None if cookie is None else await self._sessions.find(cookie)
        if session is None:
            return self._told(None, None)
        try:
            return self._told(await self._identify(session.authorization), session)
        except ApiError:
            # The key was revoked or has expired since.
            return self._told(None, None)

    async def create(self, request: Request) -> Response:
        """`POST /console/session` with `api_key`: sign in; 401 for a key that is not valid."""
        check_sender(request.headers, request.method)
        given = object_of(await read_body(request, _LARGEST_BODY))
        key = given.get("api_key")
        if not isinstance(key, str) or not key.strip() or not key.isascii():
            raise invalid("Invalid value for 'api_key': must be an API key.", "api_key")
        authorization = f"Bearer {key.strip()}"
        caller = await self._identify(authorization)
        cookie, session = await self._sessions.begin(authorization)
        log.info("signed in to the console", tenant=caller.tenant, key=caller.key)
        answer = self._told(caller, session, is_open=self._is_open())
        lasting_s = self._sessions.lasting_ms // _SECOND_MS
        set_cookie(answer, request.headers, cookie, lasting_s)
        return answer

    async def delete(self, request: Request) -> Response:
        """`DELETE /console/session`: sign out; the cookie is worth nothing from here on."""
        check_sender(request.headers, request.method)
        for cookie in cookies_of(request.headers):
            await self._sessions.end(cookie)
        answer = self._told(None, None)
        remove_cookies(answer)
        return answer

    def _told(
        self, caller: Caller | None, session: ConsoleSession | None, *, is_open: bool = False
    ) -> Response:
        who: JSON | None = None
        if caller is not None:
            who = {
                "tenant": caller.tenant,
                "user": caller.owner,
                "roles": sorted(caller.roles),
                "scopes": list(caller.scopes),
                "key": caller.key,
            }
        answer = answered(
            {
                "object": "console.session",
                "needs_key": not is_open,
                "oidc": self._has_oidc,
                "caller": who,
                "expires_at": session and session.expires_ms / _SECOND_MS,
            }
        )
        answer.headers.update(_NOT_KEPT)
        return answer
