"""Keeps web pages out while everybody who can ask is the one local user."""

from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from turnwire_gateway.answers.errors import ApiError
from turnwire_gateway.answers.plain import refuse
from turnwire_gateway.middleware.web_access import WebAccess, asked_by, check_request

log = structlog.get_logger()


class LocalRequestsMiddleware:
    """Checks `Host`, `Origin` and `Sec-Fetch-Site` of every request while `is_open`.

    With keys nothing is checked: a page cannot know the key, and any name may lead here.
    """

    def __init__(self, app: ASGIApp, access: WebAccess, is_open: Callable[[], bool]) -> None:
        """Stand in front of `app`; `is_open` tells whether any token, or none, will do now."""
        self._app = app
        self._access = access
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] in ("http", "websocket") and self._is_open():
            try:
                check_request(self._access, asked_by(scope["headers"]), scope["http_version"])
            except ApiError as error:
                log.info("request refused", code=error.failure.code)
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)
