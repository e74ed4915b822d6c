"""OpenAI's Python SDK: turns over one WebSocket."""

import pytest
from openai import AsyncOpenAI
from openai.resources.responses.responses import AsyncResponsesConnection
from openai.types.responses import Response

from clients.rig.questions import FIRST, PARIS, SECOND, TOWER
from e2e.rig.conversation import MODEL, said_in
from scripted_backend import ScriptedBackend

pytestmark = pytest.mark.clients


async def test_turns_follow_each_other_over_one_connection(
    socket_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    async with socket_client.responses.connect() as connection:
        await connection.response.create(model=MODEL, input=FIRST)
        first = await _turn(connection)
        await connection.response.create(model=MODEL, input=SECOND, previous_response_id=first.id)
        second = await _turn(connection)
    assert [response.output_text for response in (first, second)] == ["Paris.", "Its tower."]
    assert second.previous_response_id == first.id
    assert said_in(backend.requests[1]) == [
        ("user", FIRST),
        ("assistant", "Paris."),
        ("user", SECOND),
    ]


async def test_an_unstored_chain_lives_as_long_as_its_connection(
    socket_client: AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    async with socket_client.responses.connect() as connection:
        await connection.response.create(model=MODEL, input=FIRST, store=False)
        first = await _turn(connection)
        await connection.response.create(
            model=MODEL, input=SECOND, store=False, previous_response_id=first.id
        )
        assert (await _turn(connection)).output_text == "Its tower."
    assert said_in(backend.requests[1])[:2] == [("user", FIRST), ("assistant", "Paris.")]
    async with socket_client.responses.connect() as other:
        await other.response.create(model=MODEL, input=SECOND, previous_response_id=first.id)
        event = await other.recv()
    assert event.type == "error"
    assert event.error.code == "previous_response_not_found"


async def _turn(connection: AsyncResponsesConnection) -> Response:
    """Read the events of one turn; gives the response that it ends with."""
    numbers: list[int] = []
    async for event in connection:
        assert event.type != "error", event
        numbers.append(event.sequence_number)
        if event.type == "response.completed":
            assert numbers == list(range(len(numbers)))
            return event.response
    raise AssertionError("the connection ended in mid-turn")
