"""Compaction: the model is asked to sum up, and its words become one item."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_backend import says, thinks
from turnwire_contracts.events import Failure, Item, TurnUsage
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.compaction import summary_of
from turnwire_orchestrator.deciding.commands import Finish
from turnwire_orchestrator.prompting.compacting import asking_for_summary, compacted
from turnwire_testing.examples import AT, OTHER_ID, RESPONSE_ID, message, requested, user
from turnwire_testing.orchestration import World
from turnwire_testing.samples import events_of

COMPACT: JSON = {"compact": True, "store": False, "input": []}
BROKEN = Failure(http_status=502, type="server_error", code="backend_error", message="It broke.")


@pytest.fixture
async def world() -> World:
    return World()


def finish(**changes: Any) -> Finish:
    """An end of a sample with a summary."""
    about: JSON = {
        "at": AT,
        "status": "completed",
        "items": [message("All of it.")],
        "cuts": [["D"]],
        "usage": TurnUsage(7, 3),
        "instructions": "Be brief.",
    }
    return Finish(**{**about, **changes})


def test_the_model_reads_the_same_past_and_is_asked_behind_it() -> None:
    request = requested(input=[user("a")], params={"temperature": 0, "tools": [], "include": []})
    asked = asking_for_summary(request)
    assert asked.input[:-1] == [user("a")]
    assert (asked.input[-1]["role"], "Summarize" in asked.input[-1]["content"]) == ("user", True)
    assert asked.params == {"temperature": 0, "max_output_tokens": 1024}
    assert asked.response_id == request.response_id


@given(st.text(min_size=1).filter(str.strip), st.sampled_from(["completed", "incomplete"]))
def test_a_summary_becomes_one_item_that_tells_it(text: str, status: str) -> None:
    said = finish(items=[message(text)], status=status, incomplete_reason="max_output_tokens")
    done = compacted(said, requested(**COMPACT))
    (item,) = done.items
    assert summary_of(item) == text.strip()
    assert item["id"] == f"cmp_{RESPONSE_ID.removeprefix('resp_')}o0"
    assert (done.status, done.incomplete_reason, done.cuts) == ("completed", None, [])
    assert (done.usage, done.instructions) == (said.usage, said.instructions)


def test_only_what_the_model_says_is_the_summary() -> None:
    thought: Item = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}
    done = compacted(finish(items=[thought, message("a "), message("b")]), requested(**COMPACT))
    assert summary_of(done.items[0]) == "a b"


@pytest.mark.parametrize("items", [[], [message("")], [message(" \n")], [{"type": "reasoning"}]])
@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_no_summary_is_a_failure_and_nothing_else(items: list[Item], status: str) -> None:
    said = finish(items=items, status=status, incomplete_reason="max_output_tokens")
    done = compacted(said, requested(**COMPACT))
    assert done.failure is not None
    assert (done.status, done.failure.code) == ("failed", "compaction_failed")
    assert (done.items, done.cuts, done.incomplete_reason) == ([], [], None)
    assert done.usage == said.usage


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_what_ended_otherwise_is_left_as_it_is(status: str) -> None:
    ended = finish(status=status, failure=BROKEN if status == "failed" else None)
    assert compacted(ended, requested(**COMPACT)) is ended


async def test_a_compaction_is_answered_as_one_and_leaves_nothing(world: World) -> None:
    world.backend.plays(*events_of(says("Hi.")))
    await world.run(await world.request(response_id=OTHER_ID))
    world.backend.plays(*events_of(thinks("hm") + says("They ", "greeted.")))
    request = await world.request(**COMPACT, previous_response_id=OTHER_ID)
    world.answers.clear()
    await world.run(request)
    status, body = world.answer
    assert (status, body["object"]) == (200, "response.compaction")
    assert [summary_of(item) for item in body["output"]] == ["They greeted."]
    sent = world.backend.bodies[-1]["input"]
    assert [item["content"][0]["text"][:9] for item in sent] == ["Hello?", "Hi.", "Summarize"]
    assert await world.kinds(request) == ["closed"]


async def test_a_compaction_without_a_summary_is_an_error(world: World) -> None:
    world.backend.plays(*events_of(says("")))
    request = await world.request(**{**COMPACT, "input": [user("a")]})
    await world.run(request)
    status, body = world.answer
    assert (status, body["error"]["code"]) == (502, "compaction_failed")


async def test_a_summary_is_told_to_the_model_in_place_of_what_it_stands_for(world: World) -> None:
    world.backend.plays(*events_of(says("They greeted.")))
    await world.run(await world.request(**{**COMPACT, "input": [user("a")]}))
    item = world.answer[1]["output"][0]
    world.backend.plays(*events_of(says("Yes.")))
    await world.run(await world.request(response_id=OTHER_ID, input=[item, user("Did they?")]))
    first, second = world.backend.bodies[-1]["input"]
    assert first["role"] == "developer"
    assert "They greeted." in first["content"][0]["text"]
    assert second["content"][0]["text"] == "Did they?"
