"""The routes of the console: method and path → handler."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from turnwire_gateway.auth.caller import Identify
from turnwire_gateway.console.oidc_client import CALLBACK, OidcClient
from turnwire_gateway.console.oidc_routes import OidcHandlers
from turnwire_gateway.console.pages import PageHandlers
from turnwire_gateway.console.session_routes import SessionHandlers
from turnwire_gateway.console.sessions import ConsoleSessions

Handler = Callable[[Request], Awaitable[Response]]


def console_routes(
    sessions: ConsoleSessions | None,
    identify: Identify,
    is_open: Callable[[], bool],
    oidc: OidcClient | None = None,
) -> tuple[tuple[str, str, Handler], ...]:
    """Say what serves the console; what is no file and no route of its own is its page.

    Without sessions there is no console.
    """
    if sessions is None:
        return ()
    signing_in = SessionHandlers(sessions, identify, is_open, has_oidc=oidc is not None)
    pages = PageHandlers()
    return (
        *(() if oidc is None else _oidc_routes(OidcHandlers(oidc, sessions, identify))),
        ("GET", "/console/session", signing_in.read),
        ("POST", "/console/session", signing_in.create),
        ("DELETE", "/console/session", signing_in.delete),
        ("GET", "/console/assets/{name}", pages.asset),
        ("GET", "/console", pages.page),
        ("GET", "/console/{view:path}", pages.page),
    )


def _oidc_routes(signing_in: OidcHandlers) -> tuple[tuple[str, str, Handler], ...]:
    return (
        ("GET", "/console/session/oidc", signing_in.begin),
        ("GET", f"/console{CALLBACK}", signing_in.finish),
    )
