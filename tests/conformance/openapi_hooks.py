"""What schemathesis does not know by itself of this API. `schemathesis.toml` names this module.

Ids that were made up lead to a 404 and no further, so ids that exist are put in their place; and
an event stream is read as OpenAI's clients read it.
"""

import itertools
from collections.abc import MutableMapping
from typing import Any, cast

import orjson
import schemathesis

from turnwire_contracts.json_values import JSON, mapping

_DONE = b"data: [DONE]"
_KEPT = 20
_KEY = "Idempotency-Key"
_LONG_KEY = 200

_numbers = itertools.count(1)

_known: dict[str, list[str]] = {"resp_": [], "conv_": []}
"""The newest ids of each kind, oldest first."""


@schemathesis.hook
def after_call(_: Any, case: Any, response: Any) -> None:
    """Remember what a response or a conversation is called."""
    if case.method != "POST" or response.status_code >= 300:
        return
    first = response.content.partition(b"\n\n")[0].rpartition(b"\ndata: ")[2]
    made = mapping(orjson.loads(first)) if first.startswith(b"{") else {}
    name = str(made.get("id") or mapping(made.get("response")).get("id"))
    if (ids := _known.get(name[:5])) is not None:
        ids[:] = [*ids, name][-_KEPT:]


@schemathesis.hook
def before_call(_: Any, case: Any, **__: Any) -> None:
    """Ask for what exists, most of the time, and use an idempotency key once only."""
    path = cast("JSON", case.path_parameters or {})
    for name, prefix in (("response_id", "resp_"), ("conversation_id", "conv_")):
        given = str(path.get(name, prefix))
        if not given.startswith(prefix) and len(given) % 4:
            path[name] = _one_of(prefix, given) or given
    headers = cast("MutableMapping[str, Any]", case.headers or {})
    key = headers.get(_KEY)
    if isinstance(key, str) and 0 < len(key) < _LONG_KEY:
        headers[_KEY] = f"{next(_numbers)}-{key}"
    if isinstance(case.body, dict):
        _continue_what_exists(cast("JSON", case.body))


@schemathesis.deserializer("text/event-stream")
def events_of(_: Any, response: Any) -> list[Any]:
    """Give the events of a stream that has ended; raises `ValueError` for another."""
    content: bytes = response.content
    *frames, done, nothing = content.split(b"\n\n")
    if (done, nothing) != (_DONE, b""):
        raise ValueError(f"a stream that ends with {content[-80:]!r}")
    return [_event(frame) for frame in frames if not frame.startswith(b":")]


def _event(frame: bytes) -> Any:
    name, _, data = frame.partition(b"\ndata: ")
    event = orjson.loads(data)
    # The events of the log have an `id:` in front, which is their place.
    name = name.rpartition(b"\n")[2]
    if name != b"event: " + event["type"].encode():
        raise ValueError(f"an event of the type {event['type']} with {name!r}")
    return event


def _continue_what_exists(fields: JSON) -> None:
    """Put ids that exist into a body; a template that nobody keeps is left out."""
    text = str(fields)
    if isinstance(fields.get("previous_response_id"), str):
        fields["previous_response_id"] = _one_of("resp_", text)
    if isinstance(fields.get("conversation"), str):
        free = fields.get("previous_response_id") is None
        fields["conversation"] = _one_of("conv_", text) if free else None
    if isinstance(mapping(fields.get("prompt")).get("id"), str):
        fields["prompt"] = None


def _one_of(prefix: str, text: str) -> str | None:
    """Choose an id that exists, the same for the same text."""
    ids = _known[prefix]
    return ids[len(text) % len(ids)] if ids else None
