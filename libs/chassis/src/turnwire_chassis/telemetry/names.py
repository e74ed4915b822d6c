"""Every name that stands in a trace: of spans, and of their attributes.

`gen_ai.*` and `mcp.*` are those of OpenTelemetry's GenAI and MCP conventions v0.1.0, which have
replaced older ones (`gen_ai.client.token.usage` is gone). OpenTelemetry has no names for NATS:
`messaging.*` follow its general rules, with the *template* of a subject and never the subject.
docs/observability.md lists them all, and a test compares the two.
"""

from functools import cache
from typing import Final

# Attributes.
ERROR_TYPE: Final = "error.type"
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
SYSTEM: Final = "messaging.system"
OPERATION: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.template"
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_MODEL: Final = "gen_ai.request.model"
GEN_AI_STREAM: Final = "gen_ai.request.stream"
GEN_AI_CONVERSATION: Final = "gen_ai.conversation.id"
GEN_AI_PREVIOUS: Final = "gen_ai.request.previous_response.id"
GEN_AI_RESPONSE: Final = "gen_ai.response.id"
GEN_AI_FINISH: Final = "gen_ai.response.finish_reasons"
GEN_AI_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_TOOL: Final = "gen_ai.tool.name"
GEN_AI_INPUT: Final = "gen_ai.input.messages"
GEN_AI_OUTPUT: Final = "gen_ai.output.messages"
MCP_METHOD: Final = "mcp.method.name"
SERVER: Final = "turnwire.server"
REQUEST_ID: Final = "turnwire.request.id"
LANE: Final = "turnwire.turn.lane"
STATUS: Final = "turnwire.turn.status"
ATTEMPT: Final = "turnwire.turn.attempt"
TAKEOVER: Final = "turnwire.takeover"
CHECK_TYPE: Final = "turnwire.guard.check_type"
GUARD_PROVIDER: Final = "turnwire.guard.provider"
VERDICT: Final = "turnwire.guard.verdict"
EVENTS: Final = "turnwire.projection.events"

NATS: Final = "nats"
TURN: Final = "turn.{tenant}.{response_id}"

# Spans.
QUEUE: Final = "turnwire.queue"
GUARD_STAGE: Final = "turnwire.guard.stage"
SOCKET_CREATE: Final = "response.create"
PROJECT: Final = f"process {TURN}.closed"


@cache
def sent(destination: str) -> str:
    """Name the span of a message that is sent, or of a question that is asked."""
    return f"send {destination}"


@cache
def processed(destination: str) -> str:
    """Name the span of a message that is worked on, or of a question that is answered."""
    return f"process {destination}"


@cache
def event_of(kind: str) -> str:
    """Give the template of the subject of one kind of a turn's events."""
    return f"{TURN}.{kind}"


@cache
def request(method: str, route: str) -> str:
    """Name the span of an HTTP request, by the template of its route."""
    return f"{method} {route}"


def inference(model: str) -> str:
    """Name the span of a sample."""
    return f"chat {model}"


def mcp(method: str, tool: str = "") -> str:
    """Name the span of a request to an MCP server."""
    return f"{method} {tool}" if tool else method
