"""The messages of a WebSocket: creates from the client, events and errors to it. Pure."""

import orjson
from msgspec import Struct

from turnwire_contracts.json_values import JSON, mapping
from turnwire_gateway.errors import invalid

_CREATE = "response.create"
_NOT_FOR_THE_TURN = {"type", "stream_id", "generate", "background"}
"""Members of a create that are no fields of a request, or mean nothing here.

Open Responses forbids `stream` and `background`; clients send them all the same.
"""

_LONGEST_STREAM_ID = 64
_STREAM_FAILED = 500


class Create(Struct, frozen=True):
    """A `response.create` of a client."""

    fields: JSON
    """What the body of `POST /v1/responses` would be."""
    stream_id: str | None
    generate: bool
    """False: prepare only, ask no model."""

    @property
    def previous(self) -> str | None:
        """The response that it wants to continue."""
        named = self.fields.get("previous_response_id")
        return named if isinstance(named, str) else None


class Event(Struct, frozen=True):
    """One event of a stream: its name, and its JSON as bytes."""

    name: bytes
    data: bytes


def create_of(message: JSON, stream_id: str | None) -> Create:
    """Read a client's message; raises `ApiError` (400) unless it is a create."""
    if message.get("type") != _CREATE:
        raise invalid(f"Messages must be of the type '{_CREATE}'.", "type")
    generate = message.get("generate")
    if not isinstance(generate, bool | None):
        raise invalid("Must be a boolean.", "generate")
    fields = {name: value for name, value in message.items() if name not in _NOT_FOR_THE_TURN}
    return Create({**fields, "stream": True}, stream_id, generate is not False)


def stream_id_of(message: JSON) -> str | None:
    """Read the name of the lane that a message is for; raises `ApiError` (400)."""
    given = message.get("stream_id")
    if given is None:
        return None
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_STREAM_ID:
        raise invalid(f"Must be a text of 1 to {_LONGEST_STREAM_ID} characters.", "stream_id")
    return given


def events_of(frames: bytes) -> list[Event]:
    """Cut frames into events; comments and `[DONE]` are none."""
    return [
        Event(head.removeprefix(b"event: "), data)
        for head, _, data in (frame.partition(b"\ndata: ") for frame in frames.split(b"\n\n"))
        if head.startswith(b"event: ")
    ]


def event_message(event: Event, stream_id: str | None) -> bytes:
    """Write an event: its JSON as it is, with the lane as one member more.

    An error in mid-stream is flat on HTTP, as OpenAI has it, and nested here.
    """
    if event.name != b"error":
        return _labelled(event.data, stream_id)
    fields = orjson.loads(event.data)
    error = {
        "type": "server_error",
        **{name: fields[name] for name in ("code", "message", "param")},
    }
    number = {"sequence_number": fields["sequence_number"]}
    return _labelled(orjson.dumps(_error(_STREAM_FAILED, error) | number), stream_id)


def error_message(status: int, envelope: JSON, stream_id: str | None) -> bytes:
    """Write the error that would be an HTTP answer's body.

    Open Responses: a previous response that is not there is a 400 here.
    """
    error = mapping(envelope.get("error"))
    if error.get("code") == "previous_response_not_found":
        status, error = 400, {**error, "type": "invalid_request_error"}
    return _labelled(orjson.dumps(_error(status, error)), stream_id)


def _error(status: int, error: JSON) -> JSON:
    return {"type": "error", "status": status, "error": error}


def _labelled(data: bytes, stream_id: str | None) -> bytes:
    if stream_id is None:
        return data
    return b'{"stream_id":%b,%b' % (orjson.dumps(stream_id), data[1:])
