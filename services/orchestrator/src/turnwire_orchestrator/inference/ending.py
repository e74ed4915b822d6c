"""How a backend ended its answer: its status, what it cost, or why it failed, in our words."""

import re
from typing import Any, Final

import msgspec
import orjson

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

CONTEXT_LENGTH: Final = "context_length_exceeded"

_ECHOED = {"service_tier"}
_CONTEXT_CODES = {"exceed_context_size_error", CONTEXT_LENGTH, "context_window_exceeded"}
_CONTEXT_PARAM = "input_tokens"
"""vLLM: what it names when the input has too many tokens."""

_CONTEXT_WORDS = re.compile(
    # Most servers say it in words only: vLLM and OpenRouter, SGLang, LM Studio, TGI, Anthropic.
    r"maximum context length|model's context length|context length of only"
    r"|available context size|must have less than \d+ tokens|prompt is too long",
    re.IGNORECASE,
)
_OUR_FAULT = {401, 403, 407}
_SERVER_ERROR = 500


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
    usage = read_usage(event.get("usage"))
    if _is_too_long(error):
        return Outcome(status="failed", usage=usage, failure=_too_long(str(message)))
    return Outcome(
        status="failed",
        usage=usage,
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


def refusal(status: int, body: str, reason: str) -> Failure:
    """Say the HTTP error of a backend in our words, with the backend's own text."""
    error = error_of(body)
    message = str(error.get("message") or body.strip() or reason or "no reason given")
    if status in _OUR_FAULT:
        return Failure(
            http_status=502,
            type="server_error",
            code="backend_refused_credentials",
            message=f"The inference backend refused Turnwire's own credentials: {message}",
        )
    if status >= _SERVER_ERROR:
        return Failure(
            http_status=503 if status == 503 else 502,  # noqa: PLR2004 -- HTTP's own numbers
            type="server_error",
            code="backend_error",
            message=f"The inference backend failed: {message}",
        )
    return _too_long(message) if _is_too_long(error) else _client_error(status, error, message)


def error_of(body: str) -> JSON:
    """Read the error in a body, in whatever shape it is."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = mapping(said).get("error", said)
    return mapping(error) or {"message": str(error)}


def _client_error(status: int, error: JSON, message: str) -> Failure:
    code, param = error.get("code"), error.get("param")
    codes = {404: "model_not_found", 429: "rate_limit_exceeded"}
    return Failure(
        http_status=400 if status == 422 else status,  # noqa: PLR2004 -- HTTP's own number
        type=str(error.get("type") or "invalid_request_error"),
        code=code if isinstance(code, str) and code else codes.get(status, "backend_refused"),
        message=message,
        param=param if isinstance(param, str) else None,
    )


def _too_long(message: str) -> Failure:
    return Failure(
        http_status=400,
        type="invalid_request_error",
        code=CONTEXT_LENGTH,
        message=message,
        param="input",
    )


def _is_too_long(error: JSON) -> bool:
    codes = {str(error.get("type")), str(error.get("code"))}
    if codes & _CONTEXT_CODES or error.get("param") == _CONTEXT_PARAM:
        return True
    return bool(_CONTEXT_WORDS.search(str(error.get("message") or "")))


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
