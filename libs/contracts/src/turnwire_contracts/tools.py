"""Tools on MCP servers: what the orchestrator asks the tool-runner, and what it is told.

Words are MCP's (tool, annotations, structured content) and OpenAI's (`mcp_call`, its errors).
"""

import hashlib
from typing import Any, Literal

import msgspec
from msgspec import Struct

from turnwire_contracts import subjects
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.queries import Query, Question, Refusal


class ToolServer(Struct, frozen=True, omit_defaults=True):
    """An MCP server, and how to get in."""

    label: str
    """`server_label`: without a URL, it names a server of the operator's registry."""
    url: str = ""
    sealed: str | None = None
    """What the request says to get in, sealed (`chassis/tool_servers/sealing.py`)."""


class Tool(Struct, frozen=True, omit_defaults=True):
    """One tool as its server describes it (MCP: `Tool`)."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    annotations: dict[str, Any] | None = None

    @property
    def digest(self) -> str:
        """A hash of all that the server says of it: what a call is pinned to."""
        encoded = msgspec.json.encode(self, order="deterministic")
        return hashlib.blake2b(encoded, digest_size=16).hexdigest()

    @property
    def is_read_only(self) -> bool:
        """MCP `readOnlyHint`: it changes nothing."""
        return bool((self.annotations or {}).get("readOnlyHint"))

    @property
    def may_be_repeated(self) -> bool:
        """Whether calling it twice is as calling it once."""
        return self.is_read_only or bool((self.annotations or {}).get("idempotentHint"))


class AskForTools(Question, frozen=True):
    """Which tools an MCP server offers, over streamable HTTP (MCP: `tools/list`)."""

    tenant: TenantId
    server: ToolServer
    timeout_s: float = 30.0
    response_id: ResponseId = ResponseId("")
    """The turn that asks: what is sealed opens for it only."""
    call_id: str = ""
    """Names this question among all, as that of a call does; empty: it is not followed."""


class Tools(Struct, frozen=True, tag=True, omit_defaults=True):
    """All tools of a server, in its own order."""

    tools: list[Tool]
    left_out: list[str] = []
    """The names of what the server lists beside them and no model can be offered."""


class AskForCall(Question, frozen=True):
    """What a tool gives for these arguments (MCP: `tools/call`)."""

    tenant: TenantId
    server: ToolServer
    call_id: str
    """Names this call among all; its progress and its cancelling travel under it."""
    name: str
    arguments: str
    """JSON as the model wrote it."""
    digest: str | None = None
    """`Tool.digest` that the caller relies on: a tool that is another by now is not called."""
    timeout_s: float = 60.0
    """Seconds without an answer or a sign of progress."""
    response_id: ResponseId = ResponseId("")
    """The turn that asks: what is sealed opens for it only."""
    approved: bool = False
    """Whether a person has approved it: then the tool must be now what it was then."""


class CallError(Struct, frozen=True, omit_defaults=True):
    """Why a call failed, in OpenAI's three kinds."""

    type: Literal["mcp_protocol_error", "mcp_tool_execution_error", "http_error"]
    message: str
    """For the client and the model; of an execution error, what the tool itself said."""
    code: int = 0
    """JSON-RPC's or HTTP's."""
    unsent: bool = False
    """Whether it is certain that the server never got the call."""


class Called(Struct, frozen=True, tag=True, omit_defaults=True):
    """How a call ended."""

    output: str | None = None
    """What the model is shown; texts of several parts are joined, other parts described."""
    error: CallError | None = None
    truncated: bool = False
    """Whether the output was longer than what is kept."""


class CallProgress(Struct, frozen=True):
    """A sign that a call is still worked on."""

    call_id: str
    message: str | None = None


TOOLS_LIST: Query[AskForTools, Tools | Refusal] = Query(
    subjects.TOOLS_LIST, subjects.TOOL_RUNNER_QUEUE, AskForTools, Tools | Refusal
)
TOOLS_CALL: Query[AskForCall, Called | Refusal] = Query(
    subjects.TOOLS_CALL, subjects.TOOL_RUNNER_QUEUE, AskForCall, Called | Refusal
)
