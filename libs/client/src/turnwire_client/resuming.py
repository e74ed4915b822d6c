"""Streams that are read to their end, over as many connections as it takes.

`docs/clients.md`: every event has a number, and a stream is given again behind any of them. So a
connection that breaks loses nothing: what was read is known by its number, and is not read twice.
"""

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final

import httpx2

from turnwire_client.errors import ConnectionFailedError, RefusedError, StreamRefusedError
from turnwire_client.objects import JSON
from turnwire_client.transport import LONGEST_PAUSE_S, Pauses, Sending, Transport

_DONE: Final = "[DONE]"
_INTERRUPTED: Final = "stream_interrupted"
"""The code of the event by which a gateway says that it cannot go on, and another may."""

_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that a stream which has begun waits out: the turn is there, and goes on."""


@dataclass(frozen=True, slots=True)
class StreamKind:
    """What kind of stream it is: how its events are numbered, and which is the last."""

    number: str
    """The member of an event that has its number."""
    last: frozenset[str] = frozenset()
    """Types after which nothing follows; the end that every stream has is `[DONE]`."""


class ResumedStream:
    """The events of a stream, each once and in order, until its end.

    Iterating reads; a connection that breaks is made again behind the last event, for as long as
    `patience_s` without any progress. Then `ConnectionFailedError` is raised, and `last_number`
    says where to go on another time.
    """

    def __init__(
        self,
        transport: Transport,
        opening: Callable[["ResumedStream"], Sending],
        kind: StreamKind,
        patience_s: float,
    ) -> None:
        """`opening` makes the request for what comes behind `last_number` of this stream."""
        self._transport = transport
        self._opening = opening
        self._kind = kind
        self._pauses = Pauses(patience_s)
        self._events = self._read()
        self.response_id = ""
        """The response that it is of; empty until the first event has said it."""
        self.last_number: int | None = None
        """The number of the last event that was read; `None`: none was."""
        self.connections = 0
        """How many were made."""

    def __iter__(self) -> Iterator[JSON]:
        """Give the events."""
        return self

    def __next__(self) -> JSON:
        """Give the next event. Raises `RefusedError`, `StreamRefusedError`, and see above."""
        return next(self._events)

    def close(self) -> None:
        """Give the connection up; what was not read can be read another time."""
        self._events.close()

    def _read(self) -> Generator[JSON]:
        while True:
            sending = self._opening(self)
            self.connections += 1
            try:
                with self._transport.events(sending) as source:
                    self._response_id_of(source.response)
                    ended = yield from self._one_connection(source)
                if ended:
                    return
                broken: Exception = ConnectionFailedError("the stream broke off before its end")
            except httpx2.ReadTimeout:
                # A queue, a slow tool: before its next event a server may have nothing to say. One
                # that is gone does not accept the next connection, and that is what ends patience.
                self._pauses.succeeded()
                continue
            except httpx2.TransportError as error:
                if not sending.may_be_repeated:
                    raise self._transport.unreachable(error) from error
                broken = error
            except RefusedError as error:
                # Before the first event it is the answer to the request, and no break of a stream.
                if self.last_number is None or error.status not in _LATER:
                    raise
                broken = error
            wait_s = broken.retry_after_s if isinstance(broken, RefusedError) else 0.0
            if not self._pauses.wait(min(wait_s, LONGEST_PAUSE_S)):
                raise self._given_up(broken) from broken

    def _one_connection(self, source: httpx2.EventSource) -> Generator[JSON, None, bool]:
        """Give what one connection tells; returns whether the stream has ended."""
        for sent in source:
            if sent.data == _DONE:
                return True
            event: JSON = json.loads(sent.data)
            if event.get("type") == "error":
                if event.get("code") == _INTERRUPTED:
                    return False
                raise StreamRefusedError(str(event.get("code")), str(event.get("message")))
            number: int = event[self._kind.number]
            if self.last_number is not None and number <= self.last_number:
                continue
            self.last_number = number
            self._pauses.succeeded()
            yield event
            if event.get("type") in self._kind.last:
                return True
        return False

    def _response_id_of(self, answer: httpx2.Response) -> None:
        self.response_id = self.response_id or answer.headers.get("x-response-id", "")

    def _given_up(self, error: Exception) -> ConnectionFailedError:
        where = f" of {self.response_id}" if self.response_id else ""
        behind = "" if self.last_number is None else f" behind number {self.last_number}"
        return ConnectionFailedError(
            f"The stream{where} could not be taken up again{behind}: "
            f"{str(error) or type(error).__name__}"
        )
