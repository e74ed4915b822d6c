"""Closed loops of clients: each sends its next request when its last answer is whole."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count as counting
from typing import Any

import orjson

from bench.wire import Answer, Connection, RequestFailedError, Target

_MODEL = "bench-model"
_CALLING_MODEL = "bench-tool-model"
"""The scripted backend lets it call the first tool, once."""
_INPUT = "Question {}: please tell me something about the weather, the sea, and the year ahead."


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered request; times in seconds since it left."""

    seconds: float
    first_frame: float = 0.0
    first_delta: float = 0.0
    frames: int = 0
    deltas: int = 0
    response_id: str = ""
    gaps: tuple[float, ...] = ()
    """Between the reads of a stream's body."""


@dataclass(slots=True)
class Load:
    """What came of one load: samples in the order of their end, and why requests failed.

    The first request of each connection is a warm-up: it costs CPU, and its times do not count.
    """

    samples: list[Sample] = field(default_factory=list[Sample])
    warm_up: list[Sample] = field(default_factory=list[Sample])
    failures: list[str] = field(default_factory=list[str])
    wall: float = 0.0

    @property
    def answered(self) -> int:
        """All requests that were answered, those of the warm-up too."""
        return len(self.samples) + len(self.warm_up)

    @property
    def frames(self) -> int:
        """All events that came, those of the warm-up too."""
        return sum(sample.frames for sample in (*self.warm_up, *self.samples))

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.samples) / self.wall if self.wall else 0.0

    @property
    def frame_rate(self) -> float:
        """Events per second."""
        return sum(sample.frames for sample in self.samples) / self.wall if self.wall else 0.0

    def latency(self, share: float) -> float:
        """Give the quantile of the time to the whole answer, in milliseconds."""
        return 1000 * quantile([sample.seconds for sample in self.samples], share)


@dataclass(frozen=True, slots=True)
class Shape:
    """How much a load sends. It ends after `requests`, or after `seconds` if they come first."""

    clients: int
    requests: int
    deltas: int = 0
    seconds: float = 8.0
    tools: str = ""
    """The URL of an MCP server: each turn calls a tool of it once. `{}`: the turn's number."""
    spread: float = 0.0
    """Seconds over which the clients begin one after the other; 0: all at once."""

    @property
    def streams(self) -> bool:
        """Whether the answers are streams (of `deltas` deltas each)."""
        return self.deltas > 0


def quantile(values: Sequence[float], share: float) -> float:
    """Interpolate linearly between the two nearest values; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


async def closed_loop(target: Target, shape: Shape) -> Load:
    """Send `shape` from so many clients, each on a connection of its own, warm before."""
    load, numbers = Load(), counting()
    connections = [Connection(target) for _ in range(shape.clients)]
    read = _read_stream(shape.deltas) if shape.streams else _read_plain
    if shape.tools:
        read = _read_called

    async def ask(connection: Connection, into: list[Sample]) -> None:
        body = create_body(next(numbers), stream=shape.streams, tools=shape.tools)
        try:
            into.append(read(await connection.post(body)))
        except RequestFailedError as error:
            load.failures.append(str(error))

    async def client(place: int, connection: Connection) -> None:
        await asyncio.sleep(shape.spread * place / shape.clients)
        while next(asked) < shape.requests and time.perf_counter() < deadline:
            await ask(connection, load.samples)

    await asyncio.gather(*(ask(connection, load.warm_up) for connection in connections))
    asked, began = counting(), time.perf_counter()
    deadline = began + shape.seconds
    await asyncio.gather(*(client(*each) for each in enumerate(connections)))
    load.wall = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return load


async def chain(target: Target, turns: int) -> Load:
    """Have one conversation of so many turns, each naming the one before."""
    load, connection, previous = Load(), Connection(target), ""
    began = time.perf_counter()
    for turn in range(turns):
        try:
            body = create_body(turn, previous=previous)
            sample = _read_plain(await connection.post(body))
        except RequestFailedError as error:
            load.failures.append(f"turn {turn + 1}: {error}")
            break
        load.samples.append(sample)
        previous = sample.response_id
    load.wall = time.perf_counter() - began
    connection.close()
    return load


def create_body(number: int, *, stream: bool = False, previous: str = "", tools: str = "") -> bytes:
    """Make the JSON of one stored create request."""
    body: dict[str, Any] = {"model": _MODEL, "input": _INPUT.format(number), "store": True}
    if tools:
        server = {"type": "mcp", "server_label": "bench", "server_url": tools.format(number)}
        body |= {"model": _CALLING_MODEL, "tools": [{**server, "require_approval": "never"}]}
    if stream:
        body["stream"] = True
    if previous:
        body["previous_response_id"] = previous
    return orjson.dumps(body)


def _read_plain(answer: Answer) -> Sample:
    response = orjson.loads(answer.body)
    if response["status"] != "completed":
        msg = f"status {response['status']}: {answer.body[:300]!r}"
        raise RequestFailedError(msg)
    return Sample(answer.seconds, answer.first_body, response_id=response["id"])


def _read_called(answer: Answer) -> Sample:
    sample = _read_plain(answer)
    calls = [item for item in orjson.loads(answer.body)["output"] if item["type"] == "mcp_call"]
    if [call["status"] for call in calls] != ["completed"]:
        msg = f"the tool was not called once and well: {calls}"
        raise RequestFailedError(msg)
    return sample


def _read_stream(expected: int) -> Callable[[Answer], Sample]:
    def read(answer: Answer) -> Sample:
        deltas = answer.body.count(b'"response.output_text.delta"')
        if b"event: response.completed\n" not in answer.body:
            msg = f"a stream without its terminal event: …{answer.body[-300:]!r}"
            raise RequestFailedError(msg)
        if deltas != expected:
            msg = f"{deltas} deltas came of {expected}"
            raise RequestFailedError(msg)
        frames = answer.body.count(b"\ndata: {") + answer.body.startswith(b"data: {")
        return Sample(
            answer.seconds,
            answer.first_body,
            answer.first_delta,
            frames,
            deltas,
            gaps=answer.gaps,
        )

    return read
