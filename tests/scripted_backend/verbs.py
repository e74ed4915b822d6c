"""The verbs of a script: each makes the answer that it names."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from scripted_backend.answers import (
    Events,
    FunctionCall,
    HttpError,
    Message,
    RawHttp,
    Reasoning,
    Refusal,
    Reply,
    Silence,
    Text,
)


def says(*deltas: str, annotations: Iterable[Mapping[str, Any]] = ()) -> Reply:
    """Answer with a message, one delta event for each string."""
    return Reply(items=(Message((Text(deltas, tuple(annotations)),)),))


def refuses(*deltas: str) -> Reply:
    """Answer with a refusal."""
    return Reply(items=(Message((Refusal(deltas),)),))


def thinks(
    *deltas: str, summary: Iterable[str] = (), encrypted_content: str | None = None
) -> Reply:
    """Answer with a reasoning item; usually `thinks(…) + says(…)`."""
    return Reply(items=(Reasoning(deltas, tuple(summary), encrypted_content),))


def calls(name: str, arguments: Mapping[str, Any] | str = "{}", *, call_id: str = "") -> Reply:
    """Answer with a function call; a string is sent as it is, valid JSON or not."""
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    half = (len(text) + 1) // 2
    return Reply(items=(FunctionCall(name, (text[:half], text[half:]), call_id),))


def fails(
    status: int,
    message: str = "scripted failure",
    *,
    error: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpError:
    """Answer with an HTTP status and an OpenAI error; `error` changes or adds members."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    told = {"message": message, "type": kind, "param": None, "code": None} | dict(error or {})
    return HttpError(status=status, body=orjson.dumps({"error": told}), headers=dict(headers or {}))


def fails_plainly(status: int, body: bytes, content_type: str = "text/html") -> HttpError:
    """Answer with an HTTP status and a body that is not JSON, as a proxy in between does."""
    return HttpError(status=status, body=body, content_type=content_type)


def overflows(tokens: int = 9000, limit: int = 4096) -> HttpError:
    """Refuse a prompt that is too long, as llama.cpp words it."""
    return HttpError(
        status=400,
        body=orjson.dumps(
            {
                "error": {
                    "code": 400,
                    "message": f"the request exceeds the available context size ({limit} tokens)",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": tokens,
                    "n_ctx": limit,
                }
            }
        ),
    )


def never_answers(*, headers: bool = False) -> Silence:
    """Accept the request and stay silent; with `headers`, after the response's head."""
    return Silence(headers=headers)


def sends_events(*events: Mapping[str, Any] | bytes) -> Events:
    """Send exactly these events in a well-formed HTTP stream."""
    return Events(events=events)


def sends_http(*pieces: bytes) -> RawHttp:
    """Send exactly these bytes, each in its own write, and close."""
    return RawHttp(pieces=pieces)
