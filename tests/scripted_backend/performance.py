"""From an answer to what happens on the connection: a head, beats, and an ending."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import orjson

from scripted_backend.answers import (
    PLAIN,
    Answer,
    Delivery,
    Dialect,
    Ending,
    Events,
    HttpError,
    RawHttp,
    Reply,
    Silence,
    Usage,
)
from scripted_backend.beats import Beat, deliver
from scripted_backend.chat_grammar import chat_at_once, chat_beats
from scripted_backend.dialects import encode, numbered, say, say_at_once
from scripted_backend.grammar import Event, Exchange, is_delta
from scripted_backend.verbs import says

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
_DONE = b"data: [DONE]\n\n"
_TERMINAL = {"response.completed", "response.incomplete", "response.failed", "error"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the backend answers when nothing is scripted. Delays are in milliseconds."""

    tokens: int = 16
    token_text: str = "word "  # noqa: S105 - a token of text
    delay_ms: float = 0.0
    first_delay_ms: float = 0.0
    burst: int = 1
    dialect: Dialect = "openai"
    apis: tuple[str, ...] = ("responses", "chat")
    """The routes that there are; what else is asked for is not found."""

    def delivery(self) -> Delivery:
        """Give the timing as a delivery."""
        return Delivery(self.first_delay_ms / 1000, self.delay_ms / 1000, self.burst)


@dataclass(frozen=True, slots=True)
class Performance:
    """What a connection is to do for one request."""

    head: bytes
    beats: Iterator[Beat]
    delivery: Delivery = PLAIN
    ending: Ending = Ending.END
    chunked: bool = False


def perform(answer: Answer, exchange: Exchange, dialect: Dialect) -> Performance:
    """Turn a scripted answer into a performance."""
    match answer:
        case Reply():
            return _perform_reply(answer, exchange, answer.dialect or dialect)
        case Events(events=events, delivery=delivery):
            return _stream(_raw_beats(events), delivery)
        case HttpError():
            head = http_head(answer.status, answer.content_type, len(answer.body), answer.headers)
            return _whole(head + answer.body, answer.delivery, 0)
        case Silence(headers=headers):
            return Performance(_STREAM_HEAD * headers, iter(()), ending=Ending.HANG)
        case RawHttp(pieces=pieces, delivery=delivery):
            beats = (Beat(piece, deltas=1) for piece in pieces)
            return Performance(b"", beats, delivery, Ending.CLOSE)
        case _:
            msg = f"not an answer: {answer!r}"
            raise TypeError(msg)


def perform_default(settings: Settings, exchange: Exchange, delivery: Delivery) -> Performance:
    """Answer with as many tokens as the settings say, cheaply: one template for all deltas."""
    usage = Usage(max(1, exchange.size // 4), settings.tokens)
    reply = says(settings.token_text * settings.tokens).using(usage)
    if exchange.chat:
        deltas = [settings.token_text] * settings.tokens
        told = replace(says(*deltas).using(usage), delivery=delivery)
        return _perform_reply(told, exchange, settings.dialect)
    if not exchange.body.get("stream"):
        body = orjson.dumps(say_at_once(reply, exchange, settings.dialect))
        return _whole(json_head(len(body)) + body, delivery, settings.tokens)
    events = say(reply, exchange, settings.dialect)
    return _stream(_default_beats(events, settings), delivery)


def http_head(
    status: int, content_type: str, length: int, headers: Mapping[str, str] | None = None
) -> bytes:
    """Make the head of a whole HTTP response."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {content_type}",
        f"content-length: {length}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def json_head(length: int) -> bytes:
    """Make the head of a successful JSON response."""
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % length
    )


def _perform_reply(reply: Reply, exchange: Exchange, dialect: Dialect) -> Performance:
    if exchange.body.get("stream"):
        if exchange.chat:
            return _stream(chat_beats(reply, exchange, dialect), reply.delivery)
        events = say(reply, exchange, dialect)
        return _stream(_reply_beats(events, dialect), reply.delivery)
    at_once = chat_at_once(reply, exchange) if exchange.chat else None
    body = orjson.dumps(at_once or say_at_once(reply, exchange, dialect))
    return _whole(json_head(len(body)) + body, reply.delivery, 0)


def _stream(beats: Iterable[Beat], delivery: Delivery) -> Performance:
    ending = delivery.stop.ending if delivery.stop else Ending.END
    return Performance(_STREAM_HEAD, deliver(beats, delivery), delivery, ending, chunked=True)


def _whole(data: bytes, delivery: Delivery, tokens: int) -> Performance:
    """Deliver a body in one beat, after the time that a stream of it would have taken."""
    pauses = frozenset[int]({0} if delivery.pauses else ())
    first = delivery.first_delay + delivery.delay * tokens
    timing = replace(delivery, first_delay=first, pauses=pauses)
    if delivery.stop is None or delivery.stop.ending is Ending.END:
        return Performance(b"", iter((Beat(data, deltas=1),)), timing)
    # Half of the promised bytes, and then what was scripted.
    half = iter((Beat(data[: len(data) // 2], deltas=1),))
    return Performance(b"", half, timing, delivery.stop.ending)


def _reply_beats(events: Iterable[Event], dialect: Dialect) -> Iterator[Beat]:
    beat = Beat(b"")
    for event in numbered(events, dialect):
        beat = _beat(event)
        yield beat
    if dialect == "openai" and b"event: response." in beat.data:
        yield Beat(_DONE)


def _raw_beats(events: Iterable[Mapping[str, Any] | bytes]) -> Iterator[Beat]:
    for event in events:
        yield Beat(event, deltas=1) if isinstance(event, bytes) else _beat(event)


def _beat(event: Mapping[str, Any]) -> Beat:
    terminal = event.get("type") in _TERMINAL or "type" not in event
    return Beat(encode(event), int(is_delta(event)), terminal)


def _default_beats(events: list[Event], settings: Settings) -> Iterator[Beat]:
    """Play one delta event as `tokens` of them; its number is the last member of its JSON."""
    at = next(index for index, event in enumerate(events) if is_delta(event))
    tokens, dialect = settings.tokens, settings.dialect
    yield Beat(b"".join(encode(event) for event in numbered(events[:at], dialect)))
    (delta,) = numbered([events[at] | {"delta": settings.token_text}], dialect, first=0)
    frame = encode(delta)
    if dialect == "llamacpp":
        yield from (Beat(frame, deltas=1) for _ in range(tokens))
    else:
        stem = frame.removesuffix(b"0}\n\n")
        for number in range(at, at + tokens):
            yield Beat(b"%b%d}\n\n" % (stem, number), 1)
    *tail, last = numbered(events[at + 1 :], dialect, first=at + tokens)
    yield Beat(b"".join(encode(event) for event in tail))
    yield Beat(encode(last) + (_DONE if dialect == "openai" else b""), terminal=True)
