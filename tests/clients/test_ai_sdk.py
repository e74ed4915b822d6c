"""Vercel's AI SDK under Node."""

import pytest

from clients.rig.programs import Programs
from clients.rig.questions import (
    ADDS,
    ANSWERS_CITY,
    CITY,
    FIRST,
    HOW_MUCH,
    PARIS,
    SECOND,
    SUM,
    TOWER,
)
from e2e.rig.conversation import heard
from scripted_backend import ScriptedBackend

pytestmark = [pytest.mark.clients, pytest.mark.installed]

PROGRAM = "ai_sdk.mjs"
CHAINED = [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]
CALLED = [("user", HOW_MUCH), ("function_call", ""), ("function_call_output", "42")]


async def test_a_text_is_generated(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    told = await programs.node(PROGRAM, "create")
    assert (told["text"], told["why"]) == ("Paris.", "stop")
    assert (told["id"].startswith("resp_"), told["usage"]["totalTokens"]) == (True, 15)
    assert heard(backend) == [("user", FIRST)]


async def test_a_text_is_streamed(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    told = await programs.node(PROGRAM, "stream")
    assert (told["texts"], told["why"]) == (["Par", "is."], "stop")
    assert told["usage"]["totalTokens"] == 15


async def test_an_object_is_generated(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(ANSWERS_CITY)
    assert await programs.node(PROGRAM, "structured") == CITY
    assert backend.requests[0].body["text"]["format"]["type"] == "json_schema"


async def test_a_tool_is_called_and_its_result_used(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    assert await programs.node(PROGRAM, "tools") == {"text": "It is 42.", "results": [42]}
    assert heard(backend) == CALLED


async def test_a_tool_is_called_in_a_stream(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(ADDS, SUM)
    assert await programs.node(PROGRAM, "streamed_tools") == ["It is ", "42."]
    assert heard(backend) == CALLED


async def test_a_turn_continues_an_earlier_one(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    assert await programs.node(PROGRAM, "chain") == "Its tower."
    assert heard(backend) == CHAINED


async def test_turns_of_a_conversation_follow_each_other(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    assert await programs.node(PROGRAM, "conversation") == "Its tower."
    assert heard(backend) == CHAINED


async def test_an_error_is_an_exception_with_its_code(programs: Programs) -> None:
    told = await programs.node(PROGRAM, "error")
    assert told == {
        "name": "AI_APICallError",
        "status": 404,
        "code": "previous_response_not_found",
    }
