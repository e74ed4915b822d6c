"""The port to servers that offer tools, and what can go wrong there."""

from typing import Literal, Protocol

from turnwire_contracts.queries import Tool

Code = Literal[
    "invalid_server_url",
    "mcp_unreachable",
    "mcp_timeout",
    "mcp_protocol_error",
    "mcp_http_error",
]


class ToolServerError(Exception):
    """A server cannot be asked, or did not answer as it should; the text is for the client."""

    def __init__(self, code: Code, text: str) -> None:
        """Keep both; `text` is a full sentence without the server's address."""
        self.code: Code = code
        self.text = text
        super().__init__(text)


class ToolServers(Protocol):
    """Servers that offer tools, by URL."""

    async def list_tools(self, url: str, timeout_s: float) -> list[Tool]:
        """Give all tools of a server, in its own order. Raises ToolServerError."""
        ...
