"""What backends were seen to answer, file by file: read over a real socket, told to a client."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from scripted_backend import running_backend, says
from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_orchestrator.failures import PromptTooLongError, TurnFailedError
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.prompting.dialect import Api
from turnwire_orchestrator.servers import Server
from turnwire_testing.examples import RESPONSE_ID, user
from turnwire_testing.orchestration import World
from turnwire_testing.prompts import prompt
from turnwire_testing.recorded import Exchange, exchanges, unlike
from turnwire_testing.stream_grammar import check_stream

FOLDER = Path(__file__).parent / "dialects"
PLAYED = [(exchange, api) for exchange in exchanges(FOLDER) for api in exchange.apis]
TIMEOUTS = Timeouts(connect_s=5.0, idle_s=5.0)
PIECE = 7
"""Bytes of an answer that come at once, where it comes in pieces."""

every_exchange = pytest.mark.parametrize(
    ("exchange", "api"), PLAYED, ids=[f"{exchange.name}-{api}" for exchange, api in PLAYED]
)


IN_STREAMS = ("code", "type", "message")
"""Members of an error that a stream tells."""

SAYS = "What is left fits."


@asynccontextmanager
async def backend_of(exchange: Exchange, api: str, piece: int) -> AsyncGenerator[HttpBackend]:
    """Give a backend that answers the first request as was recorded, and then says something."""
    async with running_backend() as server:
        server.script(exchange.answer(piece), says(SAYS))
        backend = HttpBackend(Server(exchange.server, server.url, api=Api(api)), TIMEOUTS)
        try:
            yield backend
        finally:
            await backend.close()


async def asked(
    backend: HttpBackend, exchange: Exchange, **changes: Any
) -> tuple[World, Requested]:
    """Run a turn of three messages to its end."""
    world = World(asks=backend)
    params = {**exchange.request, **changes.pop("params", {})}
    said = {"type": "message", "role": "assistant", "content": "two"}
    told = [user("one"), said, user("three")]
    request = await world.request(params=params, input=told, **changes)
    await world.run(request)
    return world, request


def fault_of(answer: FrameMessage) -> JSON:
    """Give the error that an answer tells, with its status and when to come back."""
    error = orjson.loads(answer.body)["error"]
    return {"status": answer.first, "retry_after": answer.count or None, **error}


@every_exchange
async def test_a_plain_answer_tells_it(exchange: Exchange, api: str) -> None:
    async with backend_of(exchange, api, 0) as backend:
        world, _ = await asked(backend, exchange)
    (answer,) = world.answers
    if exchange.error is None:
        assert (answer.first, unlike(orjson.loads(answer.body), exchange.response)) == (200, [])
    else:
        assert unlike(fault_of(answer), exchange.error) == []


@every_exchange
async def test_a_stream_tells_it_in_whatever_pieces_it_comes(exchange: Exchange, api: str) -> None:
    async with backend_of(exchange, api, PIECE) as backend:
        world, request = await asked(backend, exchange, stream=True)
    first = (await world.output.read(request.turn_key))[0]
    if first.kind == "A":
        # Refused before the stream began: the same as in plain.
        assert exchange.error is not None
        assert unlike(fault_of(first), exchange.error) == []
        return
    expected = exchange.error or {}
    events = await world.stream(request)
    check_stream(events)
    response = events[-1]["response"]
    assert unlike(response, exchange.response) == []
    assert bool(response["error"]) is bool(expected)
    named = {name: expected[name] for name in IN_STREAMS if name in expected}
    assert unlike(response["error"], named) == []
    if exchange.deltas is not None:
        assert [each["delta"] for each in events if "delta" in each] == exchange.deltas


@every_exchange
async def test_what_is_too_long_is_known_with_its_numbers(exchange: Exchange, api: str) -> None:
    expected = (exchange.error or {}).get("code") == "context_length_exceeded"
    async with backend_of(exchange, api, PIECE) as backend:
        counts = await overflow(backend)
    assert (counts is not None) is expected
    assert unlike(counts, exchange.counts) == []


@pytest.mark.parametrize(
    ("exchange", "api"),
    [each for each in PLAYED if (each[0].error or {}).get("code") == "context_length_exceeded"],
    ids=lambda value: getattr(value, "name", value),
)
async def test_what_is_too_long_is_shortened_where_the_client_allows_it(
    exchange: Exchange, api: str
) -> None:
    async with backend_of(exchange, api, 0) as backend:
        world, _ = await asked(backend, exchange, params={"truncation": "auto"})
    _, body = world.answer
    assert unlike(body, {"status": "completed", "output": [{"content": [{"text": SAYS}]}]}) == []


async def overflow(backend: HttpBackend) -> JSON | None:
    """Sample once; give what the backend counted, if it says that the prompt is too long."""
    try:
        async with backend.sample(prompt()) as answering:
            reader = answering.reader(Assembler(RESPONSE_ID))
            async for events in answering.reads:
                for data in events:
                    reader.take(data)
            found = reader.end().overflow
    except PromptTooLongError as error:
        found = error.overflow
    except (TurnFailedError, ValueError):
        return None
    return found and {"tokens": found.tokens, "limit": found.limit}
