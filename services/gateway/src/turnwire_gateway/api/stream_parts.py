"""What a reader of a stream is given: bytes for the wire, or an answer in the place of a stream."""

import orjson
from msgspec import Struct
from msgspec.structs import replace

from turnwire_chassis.telemetry import metrics
from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import mapping
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.frames import DONE, FrameWriter
from turnwire_contracts.wire.response import error_envelope
from turnwire_contracts.wire.stream import stream_of


class EarlyResponse(Struct, frozen=True):
    """The turn ended before its stream began: a plain HTTP answer."""

    status: int
    body: bytes
    retry_after_s: int = 0
    """After how many seconds a retry makes sense; 0: not known."""
    replayed: bool = False
    """Whether the turn was there already, by its `Idempotency-Key`: a retry gets the same again."""


class Chunk(Struct, frozen=True):
    """Bytes for the wire."""

    body: bytes
    last: bool = False


def early_failure(failure: Failure) -> EarlyResponse:
    """Answer a reader that has not seen any frame with what a turn failed with."""
    body = orjson.dumps(error_envelope(failure))
    return EarlyResponse(failure.http_status, body, failure.retry_after_s or 0)


def replayed(answer: EarlyResponse) -> EarlyResponse:
    """Give the answer of a turn to a request that came again, and would get it for ever."""
    return replace(answer, retry_after_s=0, replayed=True)


def broken_off(number: int, reason: str) -> Chunk:
    """End a stream that cannot go on."""
    metrics.HTTP_ERRORS("stream_interrupted").inc()
    message = f"The stream cannot go on: {reason}. Retrieve the response by its id."
    return _error(number, "stream_interrupted", message)


def told_otherwise(number: int) -> Chunk:
    """End a stream whose new owner does not know what the reader has seen."""
    return broken_off(number, "another owner of the response told it otherwise")


def end_behind(turn: ClosedTurn, number: int, joined_at: int) -> Chunk:
    """End a stream whose reader needs the frame `number`, which a completed turn does not have.

    Who joined there knows what it asked for; who was told more was told otherwise than the log.
    """
    count = len(stream_of(turn))
    if number > max(count, joined_at):
        return broken_off(number, f"the response has {count} events")
    return Chunk(DONE, last=True)


def handed_over(last: int, go_on: str) -> Chunk:
    """End a stream that goes on at another gateway, with an event that no reader takes for its end.

    `last` is the number that its reader has (-1: none), `go_on` the parameter to resume with. The
    event has that number and no `[DONE]` follows: who resumes behind it misses nothing.
    """
    message = f"This gateway was stopped; the response goes on. Resume the stream with {go_on}."
    number = {"sequence_number": last} if last >= 0 else {}
    error = {"type": "error", **number, "code": "gateway_stopping", "message": message}
    return Chunk(b"event: error\ndata: " + orjson.dumps({**error, "param": None}) + b"\n\n")


def refused_late(number: int, envelope: bytes) -> Chunk:
    """Say a plain refusal inside a stream that has begun."""
    error = mapping(mapping(orjson.loads(envelope)).get("error"))
    return _error(number, str(error.get("code")), str(error.get("message")))


def _error(number: int, code: str, message: str) -> Chunk:
    """End with the flat `error` event of OpenAI's streams."""
    frames = FrameWriter(number)
    frames.event("error", {"code": code, "message": message, "param": None})
    return Chunk(b"".join([*frames.take()[1], DONE]), last=True)
