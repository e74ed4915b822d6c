"""LiteLLM as a client, in an environment of its own."""

from collections.abc import Generator

import pytest

from clients.rig.litellm_process import LiteLLM
from clients.rig.programs import released_once
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
from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend

pytestmark = [pytest.mark.clients, pytest.mark.installed]


@pytest.fixture(scope="module")
def litellm(stack: Stack) -> Generator[LiteLLM]:
    """The client of all tests here."""
    process = LiteLLM(stack)
    yield process
    process.stop()


async def test_an_answer_comes_whole(litellm: LiteLLM, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    assert await litellm.play("create") == {"text": "Paris.", "tokens": 15}
    assert heard(backend) == [("user", FIRST)]


async def test_an_answer_comes_asynchronously(litellm: LiteLLM, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    assert await litellm.play("create_async") == "Paris."
    assert heard(backend) == [("user", FIRST)]


async def test_an_answer_comes_in_events(litellm: LiteLLM, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    told = await litellm.play("stream")
    assert (told["deltas"], told["tokens"]) == (["Par", "is."], 15)
    assert (told["types"][0], told["types"][-1]) == ("response.created", "response.completed")


async def test_an_answer_keeps_to_a_schema(litellm: LiteLLM, backend: ScriptedBackend) -> None:
    backend.script(ANSWERS_CITY)
    assert await litellm.play("structured") == CITY
    assert backend.requests[0].body["text"]["format"]["type"] == "json_schema"


async def test_a_function_is_called_and_its_result_used(
    litellm: LiteLLM, backend: ScriptedBackend
) -> None:
    backend.script(ADDS, SUM)
    assert await litellm.play("tools") == {"called": "add", "text": "It is 42."}
    assert heard(backend) == [
        ("user", HOW_MUCH),
        ("function_call", ""),
        ("function_call_output", "42"),
    ]


async def test_a_turn_continues_an_earlier_one(litellm: LiteLLM, backend: ScriptedBackend) -> None:
    backend.script(PARIS, TOWER)
    assert await litellm.play("chain") == "Its tower."
    assert heard(backend) == [("user", FIRST), ("assistant", "Paris."), ("user", SECOND)]


async def test_an_answer_is_retrieved(litellm: LiteLLM, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    assert await litellm.play("retrieve") == "Paris."


async def test_an_answer_is_deleted(litellm: LiteLLM, backend: ScriptedBackend) -> None:
    backend.script(PARIS)
    assert await litellm.play("delete") == {"deleted": True, "then": 404}


async def test_a_background_answer_is_polled(litellm: LiteLLM, backend: ScriptedBackend) -> None:
    backend.script(PARIS.paused(after=1))
    told = await released_once(backend, litellm.play("background"))
    assert (told["statuses"][0], told["statuses"][-1]) == ("queued", "completed")
    assert told["text"] == "Paris."


async def test_a_background_answer_is_cancelled(litellm: LiteLLM, backend: ScriptedBackend) -> None:
    backend.script(PARIS.paused(after=1))
    assert await litellm.play("cancel") == "cancelled"
    await backend.saw_disconnect()


async def test_an_error_is_an_exception_of_its_kind(litellm: LiteLLM) -> None:
    told = await litellm.play("error")
    assert told["status"] == 404
    assert "resp_unknown" in told["message"]
