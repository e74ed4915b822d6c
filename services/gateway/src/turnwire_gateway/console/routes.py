"""The routes of the console: route → handler."""

from collections.abc import Callable

from fastapi import FastAPI

from turnwire_gateway.auth.caller import Identify
from turnwire_gateway.console.pages import PageHandlers
from turnwire_gateway.console.session_routes import SessionHandlers
from turnwire_gateway.console.sessions import Sessions


def bind_console(
    app: FastAPI, sessions: Sessions, identify: Identify, is_open: Callable[[], bool]
) -> None:
    """Serve the console; what is no file and no route of its own is its page."""
    signing_in = SessionHandlers(sessions, identify, is_open)
    for method, handler in (
        ("GET", signing_in.read),
        ("POST", signing_in.create),
        ("DELETE", signing_in.delete),
    ):
        app.add_api_route("/console/session", handler, methods=[method])
    pages = PageHandlers()
    app.add_api_route("/console/assets/{name}", pages.asset, methods=["GET"])
    app.add_api_route("/console", pages.page, methods=["GET"])
    app.add_api_route("/console/{view:path}", pages.page, methods=["GET"])
