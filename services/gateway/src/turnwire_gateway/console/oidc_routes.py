"""`/console/session/oidc`: sign in at the issuer, and come back with a session."""

import base64
from typing import Final
from urllib.parse import urlencode

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from turnwire_gateway.auth.caller import Identify
from turnwire_gateway.console.oidc_client import OidcClient, SignInAttempt, SignInError
from turnwire_gateway.console.session_cookie import put_session
from turnwire_gateway.console.sessions import ConsoleSessions
from turnwire_gateway.errors import ApiError

log = structlog.get_logger()

_KEPT_S: Final = 600
_NAME: Final = "turnwire_sign_in"
_SEE_OTHER: Final = 303
_SECOND_MS: Final = 1000


class OidcHandlers:
    """The way to the issuer and back. All that goes wrong ends at the console, with a code."""

    def __init__(self, client: OidcClient, sessions: ConsoleSessions, identify: Identify) -> None:
        self._client = client
        self._sessions = sessions
        self._identify = identify
        self._is_secure = client.console_url.startswith("https:")

    async def begin(self, request: Request) -> Response:  # noqa: ARG002 -- a handler
        """`GET /console/session/oidc`: go to the issuer."""
        try:
            address, attempt = await self._client.begin()
        except SignInError as error:
            return self._back(str(error))
        answer = _led_to(address)
        # Lax: it must come along when the issuer sends the browser back.
        answer.set_cookie(
            self._cookie,
            base64.urlsafe_b64encode(msgspec.json.encode(attempt)).decode(),
            max_age=_KEPT_S,
            secure=self._is_secure,
            httponly=True,
            samesite="lax",
        )
        return answer

    async def finish(self, request: Request) -> Response:
        """`GET /console/session/oidc/callback`: where the issuer sends the browser back to."""
        attempt = _attempt_in(request.cookies.get(self._cookie, ""))
        if attempt is None:
            return self._back("expired")
        try:
            tokens = await self._client.finish(request.url.query, attempt)
            authorization = await self._first_good(tokens)
        except SignInError as error:
            log.info("signing in to the console came to nothing", reason=str(error))
            return self._back(str(error))
        cookie, _ = await self._sessions.begin(authorization)
        answer = self._back()
        lasting_s = self._sessions.lasting_ms // _SECOND_MS
        put_session(answer, cookie, lasting_s, secure=self._is_secure)
        answer.delete_cookie(self._cookie, secure=self._is_secure, httponly=True)
        return answer

    @property
    def _cookie(self) -> str:
        return f"__Host-{_NAME}" if self._is_secure else _NAME

    async def _first_good(self, tokens: tuple[str, ...]) -> str:
        """Give the first token with which the API itself knows its caller."""
        for token in tokens:
            try:
                await self._identify(f"Bearer {token}")
            except ApiError:
                continue
            return f"Bearer {token}"
        raise SignInError("unknown")

    def _back(self, problem: str | None = None) -> RedirectResponse:
        said = "" if problem is None else f"?{urlencode({'sign_in': problem})}"
        return _led_to(f"{self._client.console_url}/{said}")


def _led_to(address: str) -> RedirectResponse:
    return RedirectResponse(address, _SEE_OTHER, {"cache-control": "no-store"})


def _attempt_in(cookie: str) -> SignInAttempt | None:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cookie), type=SignInAttempt)
    except (ValueError, msgspec.MsgspecError):
        return None
