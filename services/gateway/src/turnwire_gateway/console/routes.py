"""The routes of the console: method and path → handler."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from turnwire_gateway.auth.caller import Identify
from turnwire_gateway.console.pages import PageHandlers
from turnwire_gateway.console.session_routes import SessionHandlers
from turnwire_gateway.console.sessions import ConsoleSessions

Handler = Callable[[Request], Awaitable[Response]]


def console_routes(
    sessions: ConsoleSessions, identify: Identify, is_open: Callable[[], bool]
) -> tuple[tuple[str, str, Handler], ...]:
    """Say what serves the console; what is no file and no route of its own is its page."""
    signing_in = SessionHandlers(sessions, identify, is_open)
    pages = PageHandlers()
    return (
        ("GET", "/console/session", signing_in.read),
        ("POST", "/console/session", signing_in.create),
        ("DELETE", "/console/session", signing_in.delete),
        ("GET", "/console/assets/{name}", pages.asset),
        ("GET", "/console", pages.page),
        ("GET", "/console/{view:path}", pages.page),
    )
