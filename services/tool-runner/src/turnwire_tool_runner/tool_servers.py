"""The port to servers that offer tools, and what can go wrong there."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from turnwire_contracts.ids import TenantId
from turnwire_contracts.tools import AskForCall, AskForTools, Tool

Code = Literal[
    "cancelled",
    "invalid_server_credentials",
    "invalid_server_url",
    "mcp_http_error",
    "mcp_protocol_error",
    "mcp_timeout",
    "mcp_unreachable",
    "tool_busy",
    "tool_changed",
    "unknown_tool_server",
]


class ToolServerError(Exception):
    """A server cannot be asked, or did not answer as it should; the text is for the client."""

    def __init__(self, code: Code, text: str, *, number: int = 0, unsent: bool = False) -> None:
        """`text` is a full sentence without the server's address.

        `number`: HTTP's or JSON-RPC's own code. `unsent`: no call certainly reached the server.
        """
        self.code: Code = code
        self.text = text
        self.number = number
        self.unsent = unsent
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Target:
    """The URL and headers of a server; comparable, so that sessions can be shared."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    """What no text that leaves here may contain."""
    is_operators: bool = False
    """Whether the operator named the URL, and no client."""
    allowed: frozenset[str] | None = None
    """The only tools there that may be seen and called; `None`: all."""
    timeout_s: float | None = None
    """How long a call may be silent, whatever its caller says."""

    def __repr__(self) -> str:
        """Give no secret: logs and tracebacks print this."""
        return "Target(…)"


class Targets(Protocol):
    """Finds the address and credentials of servers."""

    def find(self, question: AskForTools | AskForCall) -> Target:
        """Give the URL and headers of the server. Raises `ToolServerError`."""
        ...


@dataclass(frozen=True, slots=True)
class TenantServer:
    """A server as a tenant sees it: what sessions are shared by."""

    tenant: TenantId
    target: Target


@dataclass(frozen=True, slots=True)
class Listing:
    """What a server offers."""

    tools: list[Tool]
    """In its own order."""
    left_out: tuple[str, ...] = ()
    """The names of what no model can be offered: invalid, or a name or schema of no use."""


@dataclass(frozen=True, slots=True)
class ToolCallRequest:
    """A call, read and checked."""

    name: str
    arguments: dict[str, Any]
    digest: str | None = None
    """`Tool.digest` that the caller relies on."""
    approved: bool = False
    """Whether it is compared with the tool as it is now, and not as it was a moment ago."""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool answered."""

    text: str
    is_error: bool = False
    is_truncated: bool = False


class CallObserver(Protocol):
    """Is told how a call goes."""

    def leaving(self) -> None:
        """Note that the call is about to be sent: from here on the server may have got it."""
        ...

    async def progressed(self, message: str | None = None) -> None:
        """Note a sign of progress of the tool, and its text (MCP: `notifications/progress`)."""
        ...


class ToolServers(Protocol):
    """Servers that offer tools. The time they have is their caller's: it cancels."""

    async def prepare(self) -> None:
        """Load what the first request needs; the time that it takes is no server's."""
        ...

    async def list_tools(self, visit: TenantServer) -> Listing:
        """Give all tools of a server. Raises ToolServerError."""
        ...

    async def call(
        self, visit: TenantServer, call: ToolCallRequest, observer: CallObserver
    ) -> ToolOutcome:
        """Call a tool. Raises ToolServerError, whose `unsent` says what is certain."""
        ...
