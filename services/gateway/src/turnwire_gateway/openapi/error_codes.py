"""Every code that an error can have, with its statuses; `docs/operations.md` says what to do."""

from http import HTTPStatus

from msgspec import Struct


class ErrorCode(Struct, frozen=True):
    """One code; an empty tuple of statuses: it is said in a stream or on a WebSocket."""

    name: str
    what: str
    statuses: tuple[int, ...]


def _code(name: str, what: str, *statuses: int) -> ErrorCode:
    return ErrorCode(name, what, statuses)


_KNOWN = (
    _code("invalid_json", "The body is no JSON object.", 400),
    _code("missing_required_parameter", "A field that must be there is missing.", 400),
    _code("invalid_value", "A field has a value that cannot be; `param` names it.", 400),
    _code("unsupported_parameter", "A field asks for what is not done here.", 400),
    _code("content_filter", "The guard found violations; they are listed.", 400),
    _code("unsupported_content", "The backend has no words for something in the input.", 400),
    _code("context_length_exceeded", "The history is longer than the model's context.", 400),
    _code("mutually_exclusive_parameters", "Two fields say what came before.", 400),
    _code("response_not_cancellable", "It is no background response, or it has ended.", 400),
    _code("invalid_server_url", "An MCP server's URL leads where we do not connect.", 400),
    _code("invalid_server_credentials", "What is sent to an MCP server cannot be sent.", 400),
    _code("unknown_tool_server", "No MCP server has that label, and there is no URL.", 400),
    _code("invalid_api_key", "No API key, or one that is not good.", 401),
    _code("host_not_allowed", "Without keys: the `Host` is no name of this machine.", 403),
    _code("origin_not_allowed", "A web page of another origin asks, and it is not listed.", 403),
    _code("admin_required", "Only an admin may do this.", 403),
    _code("model_not_found", "No backend serves the model.", 404),
    _code("response_not_found", "No such response, or somebody else's.", 404),
    _code("conversation_not_found", "No such conversation, or somebody else's.", 404),
    _code("previous_response_not_found", "There is nothing to continue.", 404),
    _code("approval_request_not_found", "Nothing asked for that approval.", 400),
    _code("item_not_found", "No such item where it was looked for.", 404),
    _code("prompt_not_found", "No such prompt template, or no such version of it.", 404),
    _code("unknown_url", "No such route.", 404),
    _code("http_error", "No such method.", 405),
    _code("conversation_locked", "Another response is being made in the conversation.", 409),
    _code("idempotency_key_reused", "The key was used with another body.", 409),
    _code("idempotency_key_spent", "The response to the key was not stored, or is deleted.", 409),
    _code("request_too_large", "The body is over the limit.", 413),
    _code("unsupported_content_encoding", "The body has a `Content-Encoding` unknown here.", 415),
    _code("mcp_unreachable", "No connection to an MCP server.", 424),
    _code("mcp_timeout", "An MCP server did not answer in time.", 424),
    _code("mcp_http_error", "An MCP server answered with an HTTP error.", 424),
    _code("mcp_protocol_error", "What should be an MCP server is none.", 424),
    _code("response_in_progress", "The response still runs.", 425),
    _code("rate_limit_exceeded", "A limit is reached, or the backend takes no more now.", 429),
    _code("tool_busy", "Too many tool calls are made at once.", 429),
    _code("internal_error", "A fault; the log of this request says what.", 500),
    _code("tool_runner_error", "A fault in the tool-runner; its log says what.", 500),
    _code("turn_abandoned", "Nobody could finish the turn.", 500),
    _code("backend_unavailable", "No connection to the backend.", 502),
    _code("backend_refused_credentials", "The backend refused our key.", 502),
    _code("backend_error", "The backend failed.", 502, 503),
    _code("backend_stream_broken", "The backend's stream made no sense, or had no end.", 502),
    _code("server_error", "The backend ended its stream with an error.", 502),
    _code("output_too_large", "The output does not fit into one event.", 502),
    _code("compaction_failed", "The model gave no summary.", 502),
    _code("answer_lost", "An unstored answer was lost on its way.", 502),
    _code("identity_unavailable", "The OIDC issuer's keys could not be had.", 503),
    _code("store_unavailable", "No store answers.", 503),
    _code("orchestrator_unavailable", "No orchestrator answers.", 503),
    _code("event_log_unavailable", "The log did not confirm the request.", 503),
    _code("gateway_stopping", "The gateway was stopped; the response goes on.", 503),
    _code("audit_log_unavailable", "The act could not be noted, so it was not done.", 503),
    _code("rate_limiter_unavailable", "The broker keeps no count of the limits now.", 503),
    _code("tool_runner_unavailable", "No tool-runner answers.", 503),
    _code("guard_unavailable", "The guard gave no verdict.", 503),
    _code("backend_timeout", "The backend fell silent.", 504),
    _code("turn_timeout", "The turn took too long.", 504),
    _code("tool_changed", "A tool is not what it was when it was chosen."),
    _code("stream_interrupted", "Frames were lost and cannot be had again."),
    _code("websocket_connection_limit_reached", "The connection is an hour old."),
    _code("websocket_queue_full", "Too many creates wait on the connection."),
    _code("websocket_too_many_lanes", "Too many lanes are busy on the connection."),
)

ERROR_CODES: dict[str, ErrorCode] = {code.name: code for code in _KNOWN}
"""Each by its name."""

BACKEND_REFUSED = ErrorCode("backend_refused", "The backend refused the request.", ())
"""Any status of 4xx, in the backend's own words and with its own code if it has one."""


def reason(status: int) -> str:
    """Name a status as HTTP does; 425 is `Too Early`."""
    return HTTPStatus(status).phrase
