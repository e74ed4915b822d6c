"""What became of the messages of one visit; it travels with the task that makes the visit.

The SDK sends each message in the context of the task that asked for it, so the transport finds the
exchange there.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus

import httpx2
from mcp_types import CONNECTION_CLOSED

from turnwire_tool_runner.tool_servers import CallObserver


@dataclass(slots=True)
class ExchangeState:
    """Written by the transport, and read to say why there is no answer."""

    is_handshake: bool = False
    """Whether it belongs to a session that is still to be opened."""
    observer: CallObserver | None = None
    status: int = 0
    """The status of the last answer to a request."""
    speaks_json: bool = False
    """Whether that answer was JSON."""
    had_session: bool = False
    """Whether that request named a session."""
    failure: httpx2.RequestError | None = None
    """Why the last request got no whole answer."""
    has_left: bool = False
    """Whether a call may have reached the server."""
    streams: int = 0
    """Streams that were opened by GET."""
    replies: int = 0
    """Messages that were no requests."""

    def has_lost_session(self, code: int) -> bool:
        """Whether the server refused a request because it has forgotten the session.

        MCP: 404 to a session id. Servers made with the TypeScript SDK also say 400 and -32000,
        before they look at the request. `code`: JSON-RPC's.
        """
        if not self.had_session:
            return False
        if self.status == HTTPStatus.BAD_REQUEST:
            return self.speaks_json and code == CONNECTION_CLOSED
        return self.status == HTTPStatus.NOT_FOUND

    def leave(self) -> None:
        """Note that a call is about to leave."""
        self.has_left = True
        if self.observer is not None:
            self.observer.leaving()


EXCHANGE: ContextVar[ExchangeState] = ContextVar("exchange")
