"""The service under test as the checks see it: its routes, and every object that comes judged."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from turnwire_contracts.json_values import JSON
from turnwire_testing.open_responses import (
    problems_of_event,
    problems_of_response,
    problems_of_socket_error,
)
from turnwire_testing.openai_types import check_event, check_response
from turnwire_testing.sockets import Socket
from turnwire_testing.stream_grammar import check_stream


@dataclass(frozen=True)
class Service:
    """Where it is, and what its model can do."""

    url: str
    model: str
    session: aiohttp.ClientSession
    calls_unasked: bool = True
    """The model is able to call a tool without being made to."""
    sees_images: bool = True
    """The model takes images."""
    sampling: JSON = field(default_factory=dict[str, Any])
    """Fields of every request, so that the model says the same every time."""

    @property
    def bearer(self) -> dict[str, str]:
        """The headers that say who is calling."""
        return {"Authorization": self.session.headers["Authorization"]}

    def asking(self, **fields: Any) -> JSON:
        """Give the fields of a request for a response."""
        return {"model": self.model, **self.sampling, **fields}

    async def post(self, path: str, **body: Any) -> tuple[int, JSON]:
        """Post a body; gives status and answer."""
        async with self.session.post(self.url + path, json=body) as answer:
            return answer.status, await answer.json()

    async def respond(self, **body: Any) -> JSON:
        """Ask for a plain response, which must be a valid one."""
        status, response = await self.post("/responses", **self.asking(**body))
        assert status == 200, response
        assert_valid_response(response)
        return response

    async def stream(self, **body: Any) -> list[JSON]:
        """Ask for a streamed response; gives its events, each of which must be valid."""
        fields = self.asking(stream=True, **body)
        async with self.session.post(f"{self.url}/responses", json=fields) as answer:
            assert answer.content_type == "text/event-stream"
            text = await answer.read()
        *frames, done, nothing = text.split(b"\n\n")
        assert (done, nothing) == (b"data: [DONE]", b"")
        events = [_event(frame) for frame in frames if not frame.startswith(b":")]
        assert_valid_stream(events)
        return events

    async def turn(self, socket: Socket, **fields: Any) -> JSON:
        """Hold a turn on a WebSocket; gives its response, all events being valid."""
        events = await socket.turn(**self.asking(**fields))
        assert_valid_stream(events)
        return events[-1]["response"]

    async def failure(self, socket: Socket, **fields: Any) -> str | None:
        """Hold a turn on a WebSocket that must fail; gives the code of its error."""
        end = (await socket.turn(**self.asking(**fields)))[-1]
        if end["type"] == "error":
            assert problems_of_socket_error(end) == []
            return end["error"]["code"]
        assert end["response"]["status"] == "failed", end
        return end["response"]["error"]["code"]


def assert_valid_response(response: JSON) -> None:
    """Hold a response against Open Responses' schema and OpenAI's types."""
    assert problems_of_response(response) == []
    check_response(response)


def assert_valid_stream(events: list[JSON]) -> None:
    """Hold a whole stream against schema, types and grammar."""
    for event in events:
        assert problems_of_event(event) == []
        check_event(event)
    check_stream(events)
    assert_valid_response(events[-1]["response"])


def assert_completed(response: JSON) -> None:
    """Demand an end that is good and has said something."""
    assert response["status"] == "completed", response
    assert response["output"], response


def _event(frame: bytes) -> JSON:
    head, _, data = frame.partition(b"\ndata: ")
    event = orjson.loads(data)
    assert head == b"event: " + event["type"].encode()
    return event
