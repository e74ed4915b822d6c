"""The codes of the errors that routes have in common."""

from typing import Final

BODY: Final = (
    "invalid_json", "missing_required_parameter", "invalid_value", "request_timeout",
    "request_too_large", "unsupported_content_encoding",
)  # fmt: skip
ADMIN: Final = ("invalid_value", "admin_required", "audit_log_unavailable", "storage_full")
STORE: Final = ("store_unavailable",)
LOG: Final = ("event_log_unavailable", "storage_full")
STORED: Final = ("response_not_found", *STORE)
FOUND: Final = ("conversation_not_found", *STORE)
GUARD: Final = ("content_filter", "guard_unavailable")
LIMITS: Final = ("rate_limit_exceeded", "rate_limiter_unavailable")
CONTINUES: Final = (
    "unsupported_parameter", "mutually_exclusive_parameters", "previous_response_not_found",
    "conversation_not_found", "item_not_found", "prompt_not_found", "response_in_progress",
    "context_length_exceeded", *STORE,
)  # fmt: skip
ASKED: Final = (
    "backend_unavailable", "backend_refused_credentials", "backend_error", "backend_timeout",
)  # fmt: skip
MODELS: Final = ("orchestrator_unavailable", *ASKED)
SAMPLED: Final = (
    *LIMITS, *ASKED, "backend_refused", "unsupported_content", "model_not_found",
    "backend_stream_broken", "server_error",
)  # fmt: skip
TURN: Final = (
    *GUARD, *LOG, "overloaded", "turn_abandoned", "output_too_large", "answer_lost",
    "gateway_stopping", "turn_timeout",
)  # fmt: skip
TOOLS: Final = (
    "invalid_server_url", "invalid_server_credentials", "unknown_tool_server",
    "approval_request_not_found", "mcp_unreachable", "mcp_timeout", "mcp_http_error",
    "mcp_protocol_error", "tool_busy", "tool_runner_error", "tool_runner_unavailable",
)  # fmt: skip
WEBHOOK: Final = ("webhook_secret_missing",)
ONCE: Final = ("conversation_locked", "idempotency_key_reused", "idempotency_key_spent")
