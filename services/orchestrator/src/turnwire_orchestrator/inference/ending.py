"""How a backend ended its answer: its status, what it cost, or why it failed, in our words."""

from typing import Any

import msgspec

from turnwire_contracts.events import Failure, Status, Usage
from turnwire_contracts.json_values import JSON, mapping
from turnwire_orchestrator.failures import backend_broke_off

TERMINAL = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
"""The events that end an answer, and the status each stands for when the response names none."""

_ECHOED = {"service_tier"}


class Outcome(msgspec.Struct, frozen=True):
    """How the backend ended its answer."""

    status: Status
    usage: Usage | None = None
    incomplete_reason: str | None = None
    failure: Failure | None = None
    fields: JSON = {}


def outcome_of(event: str, response: JSON, max_output_tokens: int | None) -> Outcome:
    """Read the response in a terminal event.

    `response.status` beats the event's name: vLLM ends a cut answer with `response.completed`.
    """
    status = str(response.get("status") or TERMINAL[event])
    if status not in ("completed", "incomplete"):
        return failed(response, status)
    usage = read_usage(response.get("usage"))
    reason = mapping(response.get("incomplete_details")).get("reason")
    if status == "completed" and _is_cut(usage, max_output_tokens):
        # llama.cpp and Ollama say "completed" when the limit ends the answer.
        status, reason = "incomplete", "max_output_tokens"
    incomplete = status == "incomplete"
    return Outcome(
        status="incomplete" if incomplete else "completed",
        usage=usage,
        incomplete_reason=str(reason or "max_output_tokens") if incomplete else None,
        fields={name: response[name] for name in _ECHOED if isinstance(response.get(name), str)},
    )


def failed(event: JSON, status: str = "failed") -> Outcome:
    """Read an error in whatever shape: nested, flat, a text, or none at all."""
    said = event.get("error")
    error = mapping(said) or ({"message": said} if isinstance(said, str) else event)
    code, message = error.get("code"), error.get("message")
    return Outcome(
        status="failed",
        usage=read_usage(event.get("usage")),
        failure=Failure(
            http_status=502,
            type="server_error",
            # llama.cpp's codes are HTTP numbers; a code of ours names what happened.
            code=code if isinstance(code, str) and code else "backend_error",
            message=str(message or f"The inference backend ended the response as {status}."),
        ),
    )


def unfinished(detail: str) -> Outcome:
    """Say that the stream ended without an end."""
    return Outcome(status="failed", failure=backend_broke_off(detail))


def read_usage(said: Any) -> Usage | None:
    """Read token counts in the words of Responses or of chat completions."""
    usage = mapping(said)
    if not usage:
        return None
    into = mapping(usage.get("input_tokens_details") or usage.get("prompt_tokens_details"))
    out = mapping(usage.get("output_tokens_details") or usage.get("completion_tokens_details"))
    return Usage(
        input_tokens=_count(usage, "input_tokens", "prompt_tokens"),
        output_tokens=_count(usage, "output_tokens", "completion_tokens"),
        cached_tokens=_count(into, "cached_tokens"),
        cache_write_tokens=_count(into, "cache_write_tokens"),
        reasoning_tokens=_count(out, "reasoning_tokens"),
    )


def _count(usage: JSON, *names: str) -> int:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return 0


def _is_cut(usage: Usage | None, limit: int | None) -> bool:
    return usage is not None and limit is not None and usage.output_tokens >= limit
