"""Values of labels from lists: whatever a client or a backend says of its own becomes `_other`."""

from collections.abc import Collection
from typing import Final

from turnwire_chassis.telemetry.metric import OTHER

UNKNOWN_ROUTE: Final = "_unknown"
NO_ERROR: Final = ""
URL_SERVER: Final = "url"
"""The label of every MCP server that a client named by its URL."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SOCKET: Final = "WEBSOCKET"

CODES: Final = frozenset(
    {
        "admin_required", "answer_lost", "approval_request_not_found", "audit_log_unavailable",
        "backend_error", "backend_refused", "backend_refused_credentials", "backend_stream_broken",
        "backend_timeout", "backend_unavailable", "compaction_failed", "content_filter",
        "context_length_exceeded", "conversation_locked", "conversation_not_found",
        "event_log_unavailable", "gateway_stopping", "guard_unavailable",
        "host_not_allowed", "http_error",
        "idempotency_key_reused",
        "idempotency_key_spent", "identity_unavailable", "internal_error", "invalid_api_key",
        "invalid_json", "invalid_server_credentials", "invalid_server_url", "invalid_value",
        "item_not_found", "max_output_tokens", "max_tool_rounds", "max_tool_time",
        "mcp_http_error", "mcp_protocol_error", "mcp_timeout", "mcp_unreachable",
        "missing_required_parameter", "model_not_found", "mutually_exclusive_parameters",
        "orchestrator_unavailable", "origin_not_allowed", "output_too_large",
        "previous_response_not_found",
        "prompt_not_found", "rate_limit_exceeded", "rate_limiter_unavailable", "request_too_large",
        "response_in_progress", "response_not_cancellable", "response_not_found", "server_error",
        "store_unavailable", "stream_interrupted", "tool_busy", "tool_changed",
        "tool_runner_error", "tool_runner_unavailable", "turn_abandoned", "turn_timeout",
        "unknown_tool_server", "unknown_url", "unsupported_content", "unsupported_content_encoding",
        "unsupported_parameter",
        "websocket_connection_limit_reached", "websocket_queue_full", "websocket_too_many_lanes",
    }
)  # fmt: skip
"""Codes of errors and reasons for incomplete answers; backends have codes of their own."""


def status_class(status: int) -> str:
    """Give `2xx` for 200."""
    return f"{status // 100}xx"


def method(given: str) -> str:
    """Give a method of HTTP as it is."""
    return given if given in METHODS else OTHER


def code(given: str | None) -> str:
    """Give one of our codes as it is, and nothing for nothing."""
    if not given:
        return NO_ERROR
    return given if given in CODES else OTHER


def listed(given: str, known: Collection[str]) -> str:
    """Give a name that somebody trusted lists."""
    return given if given in known else OTHER
