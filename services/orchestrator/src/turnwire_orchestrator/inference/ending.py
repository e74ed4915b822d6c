"""How a backend ended its answer: its status, what it cost, or why it failed, in our words."""

import re
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from turnwire_contracts.errors import catalogue
from turnwire_contracts.events import Failure, TurnUsage
from turnwire_contracts.json_values import JSON, mapping
from turnwire_orchestrator.failures import Overflow, backend_broke_off
from turnwire_orchestrator.inference.context_length import overflow_of
from turnwire_orchestrator.inference.errors import BackendError, error_in, read_error, shown
from turnwire_orchestrator.ports import SampleOutcome

TERMINAL = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
"""The events that end an answer, and the status each stands for when the response names none."""

_ENDS: Final = {"error": "failed", "canceled": "cancelled"}
"""Other words for a status."""

_ECHOED = {"service_tier"}

_OUR_FAULT = {401, 403, 407}
_TOO_LARGE = 413
_TOO_MANY = 429
_SERVER_ERROR = 500
_UNAVAILABLE = 503
_STATUSES: Final[dict[str, int]] = {
    "rate_limit_exceeded": _TOO_MANY,
    "rate_limit_error": _TOO_MANY,
    "too_many_requests": _TOO_MANY,
    "overloaded_error": _UNAVAILABLE,
}
"""Codes and types of an error in a stream, and the HTTP status of the same refusal."""

_CODES: Final = {
    404: "model_not_found",
    _TOO_LARGE: "request_too_large",
    _TOO_MANY: "rate_limit_exceeded",
}
_OF_CLIENTS: Final = "invalid_request_error"
_TYPE: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")
"""A type as OpenAI writes it; servers name their exceptions here, too."""

_SAYS_WHEN: Final = re.compile(r"\b(?:try|retry|wait)\b.{0,30}\d", re.IGNORECASE)


def outcome_of(event: str, response: JSON, max_output_tokens: int | None) -> SampleOutcome:
    """Read the response in a terminal event.

    `response.status` beats the event's name: vLLM ends a cut answer with `response.completed`. A
    status that is no end is one that the server forgot to set; then the event's name counts.
    """
    said = str(response.get("status") or "").lower()
    named = "failed" if response.get("error") else TERMINAL[event]
    status = _ENDS.get(said, said) if _ENDS.get(said, said) in TERMINAL.values() else named
    if status not in ("completed", "incomplete"):
        return failed(response, status)
    usage = read_usage(response.get("usage"))
    reason = mapping(response.get("incomplete_details")).get("reason")
    if status == "completed" and _is_cut(usage, max_output_tokens):
        # llama.cpp and Ollama say "completed" when the limit ends the answer.
        status, reason = "incomplete", "max_output_tokens"
    incomplete = status == "incomplete"
    return SampleOutcome(
        status="incomplete" if incomplete else "completed",
        usage=usage,
        incomplete_reason=str(reason or "max_output_tokens") if incomplete else None,
        fields={name: response[name] for name in _ECHOED if isinstance(response.get(name), str)},
    )


def failed(event: JSON, status: str = "failed") -> SampleOutcome:
    """Read an error in whatever shape: nested, flat, a text, or none at all."""
    error = error_in(event)
    usage = read_usage(event.get("usage"))
    overflow = overflow_of(error)
    if overflow is not None:
        failure = _too_long(error.message)
        return SampleOutcome(status="failed", usage=usage, failure=failure, overflow=overflow)
    message = error.message or f"The inference backend ended the response as {status}."
    named = _STATUSES.get(error.code) or _STATUSES.get(error.type)
    http_status = error.status or named or 0
    if http_status == _TOO_MANY:
        return SampleOutcome(
            status="failed", usage=usage, failure=_client_error(_TOO_MANY, error, message)
        )
    return SampleOutcome(
        status="failed",
        usage=usage,
        # llama.cpp's codes are HTTP numbers; a code of ours names what happened.
        failure=_backend_error(http_status, message, error.code),
    )


def unfinished(detail: str, words: JSON, *, is_whole: bool) -> SampleOutcome:
    """Give the outcome of a stream that did not say how it ended.

    `is_whole`: `[DONE]` came, and nothing that was said lacks its end: OpenAI's clients take that
    for a good end, too. `words`: the last object that was nothing known and may say why it ended.
    """
    if words:
        return failed(words)
    if is_whole:
        return SampleOutcome(status="completed")
    return SampleOutcome(status="failed", failure=backend_broke_off(detail))


class BackendRefusal(Struct, frozen=True):
    """A backend's HTTP error: why, and by how much a prompt was too long, if it was that."""

    failure: Failure
    overflow: Overflow | None = None


def refusal(
    status: int, body: str, reason: str, retry_after_s: int | None = None
) -> BackendRefusal:
    """Say the HTTP error of a backend in our words, with the backend's own text."""
    error = read_error(body)
    message = error.message or shown(body.strip()) or reason or "no reason given"
    if status in _OUR_FAULT:
        return BackendRefusal(catalogue.failure("backend_refused_credentials", reason=message))
    overflow = overflow_of(error, status)
    if overflow is not None:
        return BackendRefusal(_too_long(message), overflow)
    if status < _SERVER_ERROR:
        return BackendRefusal(_client_error(status, error, message, retry_after_s))
    text = _with_time(f"The inference backend failed: {message}", retry_after_s)
    return BackendRefusal(replace(_backend_error(status, text), retry_after_s=retry_after_s))


def _client_error(
    status: int, error: BackendError, message: str, retry_after_s: int | None = None
) -> Failure:
    usual = "too_many_requests" if status == _TOO_MANY else _OF_CLIENTS
    own = _TYPE.fullmatch(error.type) and error.type not in ("error", _OF_CLIENTS)
    return Failure(
        http_status=400 if status == 422 else status,  # noqa: PLR2004 -- HTTP's own number
        type=error.type if own else usual,
        code=error.code or _CODES.get(status, "backend_refused"),
        message=_with_time(message, retry_after_s),
        param=error.param,
        retry_after_s=retry_after_s,
    )


def _with_time(message: str, retry_after_s: int | None) -> str:
    """Say when to come back, as OpenAI does: in a stream that has begun there is no header."""
    if retry_after_s is None or _SAYS_WHEN.search(message):
        return message
    end = "" if message.endswith((".", "!", "?")) else "."
    return f"{message}{end} Please try again in {retry_after_s} s."


def _too_long(message: str) -> Failure:
    return catalogue.failure("context_length_exceeded", message)


def _backend_error(status: int, message: str, code: str = "") -> Failure:
    """Say that the backend failed; `code`: its own, if it has one."""
    failure = catalogue.failure("backend_error", message)
    http_status = _UNAVAILABLE if status == _UNAVAILABLE else failure.http_status
    return replace(failure, http_status=http_status, code=code or failure.code)


def read_usage(said: Any) -> TurnUsage | None:
    """Read token counts in the words of Responses or of chat completions."""
    usage = mapping(said)
    if not usage:
        return None
    into = mapping(usage.get("input_tokens_details") or usage.get("prompt_tokens_details"))
    out = mapping(usage.get("output_tokens_details") or usage.get("completion_tokens_details"))
    return TurnUsage(
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


def _is_cut(usage: TurnUsage | None, limit: int | None) -> bool:
    return usage is not None and limit is not None and usage.output_tokens >= limit
