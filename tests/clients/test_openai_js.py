"""OpenAI's JavaScript SDK under Node."""

import pytest

from clients.rig.programs import Programs, released_once
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

PROGRAM = "openai.mjs"
CHAINED = [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


async def test_an_answer_comes_whole(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    told = await programs.node(PROGRAM, "create")
    assert told["text"] == "Paris."
    assert (told["id"].startswith("resp_"), told["usage"]["total_tokens"]) == (True, 15)
    assert heard(backend) == [("user", FIRST)]


async def test_an_answer_comes_in_events(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    told = await programs.node(PROGRAM, "stream")
    assert told["types"][0] == "response.created"
    assert told["types"].count("response.output_text.delta") == 2
    assert told["types"][-1] == "response.completed"
    assert (told["numbers"], told["text"]) == (list(range(10)), "Paris.")


async def test_an_answer_is_parsed_by_a_schema(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(ANSWERS_CITY)
    assert await programs.node(PROGRAM, "structured") == CITY
    assert backend.requests[0].body["text"]["format"]["type"] == "json_schema"


async def test_a_function_is_called_and_its_result_used(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    assert await programs.node(PROGRAM, "tools") == {"called": "add", "text": "It is 42."}
    assert heard(backend) == [
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
    ]


async def test_a_turn_continues_an_earlier_one(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    told = await programs.node(PROGRAM, "chain")
    assert (told["text"], told["previous"]) == ("Its tower.", told["id"])
    assert heard(backend) == CHAINED


async def test_an_answer_is_retrieved(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    told = await programs.node(PROGRAM, "retrieve")
    assert told["retrieved"] == told["created"]


async def test_a_broken_stream_is_read_on(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS.paused(after=1))
    told = await released_once(backend, programs.node(PROGRAM, "resume"))
    assert told == {"numbers": list(range(10)), "text": "Paris."}


async def test_what_was_asked_is_listed_page_by_page(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(TOWER)
    assert await programs.node(PROGRAM, "listing") == [FIRST, "Paris.", SECOND]


async def test_an_answer_is_deleted(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    told = await programs.node(PROGRAM, "remove")
    assert (told["name"], told["code"]) == ("NotFoundError", "response_not_found")


async def test_a_background_answer_is_polled(programs: Programs, backend: ScriptedBackend) -> None:
    backend.script(PARIS.paused(after=1))
    told = await released_once(backend, programs.node(PROGRAM, "background"))
    assert (told["statuses"][0], told["statuses"][-1]) == ("queued", "completed")
    assert told["text"] == "Paris."


async def test_a_background_stream_is_left_and_joined_again(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(PARIS.paused(after=1))
    told = await released_once(backend, programs.node(PROGRAM, "joined"))
    assert told["numbers"] == list(range(len(told["numbers"])))
    assert told["last"] == "response.completed"


async def test_a_background_answer_is_cancelled(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(PARIS.paused(after=1))
    assert await programs.node(PROGRAM, "cancel") == ["cancelled", "cancelled"]
    await backend.saw_disconnect()


async def test_a_conversation_is_made_changed_and_deleted(programs: Programs) -> None:
    told = await programs.node(PROGRAM, "conversations")
    assert (told["topic"], told["items"], told["deleted"]) == ("Spain", [FIRST], True)
    assert told["then"]["status"] == 404


async def test_turns_of_a_conversation_follow_each_other(
    programs: Programs, backend: ScriptedBackend
) -> None:
    backend.script(PARIS, TOWER)
    told = await programs.node(PROGRAM, "conversation")
    assert told == {"text": "Its tower.", "same": True}
    assert heard(backend) == CHAINED


@pytest.mark.usefixtures("backend")
async def test_tokens_are_counted_before_a_turn(programs: Programs) -> None:
    told = await programs.node(PROGRAM, "tokens")
    assert told["object"] == "response.input_tokens"
    assert told["input_tokens"] > 0


async def test_an_error_is_an_exception_with_its_code(programs: Programs) -> None:
    told = await programs.node(PROGRAM, "error")
    assert told == {"name": "NotFoundError", "status": 404, "code": "previous_response_not_found"}
