"""Calls that a user must approve: asked for in one turn, answered in another, made once."""

from typing import Any

import pytest

from scripted_backend import calls, says
from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_testing.examples import OTHER_ID, RESPONSE_ID, requested, user
from turnwire_testing.orchestration import World
from turnwire_testing.samples import events_of
from turnwire_testing.tool_turns import LOOK, PAY, approving, check_whole, mcp

THIRD_ID = ResponseId("resp_019a0000000000000000000000000003")
ALWAYS = {"tools": [mcp(require_approval="always")]}


@pytest.fixture
async def world() -> World:
    world = World()
    world.tools.offers = {"shop": [LOOK, PAY]}
    return world


async def run(world: World, *given: Item, **about: Any) -> ClosedTurn:
    told: dict[str, Any] = {"params": ALWAYS, "input": [*given], "stream": True, **about}
    request = await world.request(**told)
    await world.run(request)
    turn = await world.closed(request)
    check_whole(turn, await world.frames(request) if request.stream else [])
    return turn


async def asked(world: World) -> str:
    """Let a first turn ask for approval; gives the id of what it asks."""
    world.backend.plays(*events_of(calls("pay", {"n": 7})))
    turn = await run(world, user("Pay!"))
    assert [item["type"] for item in turn.output] == ["mcp_list_tools", "mcp_approval_request"]
    assert turn.closed.status == "completed"
    assert world.tools.calls == []
    request = turn.output[1]
    assert (request["name"], request["arguments"]) == ("pay", '{"n":7}')
    return request["id"]


async def test_an_approved_call_is_made_first_and_its_answer_shown_to_the_model(
    world: World,
) -> None:
    name = await asked(world)
    world.backend.plays(*events_of(says("Paid.")))
    turn = await run(world, approving(name), response_id=OTHER_ID, previous_response_id=RESPONSE_ID)
    assert [item["type"] for item in turn.output] == ["mcp_call", "message"]
    assert turn.output[0]["approval_request_id"] == name
    (call,) = world.tools.calls
    assert (call.name, call.arguments, call.digest) == ("pay", '{"n":7}', PAY.digest)
    types = [item["type"] for item in world.backend.bodies[-1]["input"]]
    assert types == ["message", "function_call", "function_call_output"]
    assert len(world.tools.listed) == 1


@pytest.mark.parametrize(
    ("reason", "told"), [(None, "did not approve this call."), ("Too dear.", "Too dear.")]
)
async def test_of_a_denied_call_the_model_is_told(
    world: World, reason: str | None, told: str
) -> None:
    name = await asked(world)
    world.backend.plays(*events_of(says("Fine.")))
    answer = approving(name, approve=False, reason=reason)
    turn = await run(world, answer, response_id=OTHER_ID, previous_response_id=RESPONSE_ID)
    assert world.tools.calls == []
    assert [item["type"] for item in turn.output] == ["message"]
    assert told in world.backend.bodies[-1]["input"][-1]["output"]
    world.backend.plays(*events_of(says("Bye.")))
    await run(world, user("Bye"), response_id=THIRD_ID, previous_response_id=OTHER_ID)
    types = [item["type"] for item in world.backend.bodies[-1]["input"]]
    paired = ["function_call", "function_call_output"]
    assert types == ["message", *paired, "message", "message"]


async def test_branches_answer_the_same_request_each_in_its_own_way(world: World) -> None:
    name = await asked(world)
    for response_id, approve in ((OTHER_ID, False), (THIRD_ID, True)):
        world.backend.plays(*events_of(says("So be it.")))
        about = {"response_id": response_id, "previous_response_id": RESPONSE_ID}
        await run(world, approving(name, approve=approve), **about)
    assert [call.name for call in world.tools.calls] == ["pay"]


async def test_an_approval_that_is_said_again_is_not_another(world: World) -> None:
    name = await asked(world)
    world.backend.plays(*events_of(says("Paid.")))
    about = {"response_id": OTHER_ID, "previous_response_id": RESPONSE_ID}
    await run(world, approving(name), approving(name), **about)
    world.backend.plays(*events_of(says("Again?")))
    about = {"response_id": THIRD_ID, "previous_response_id": OTHER_ID}
    await run(world, user("Hi"), approving(name), user("And?"), **about)
    assert len(world.tools.calls) == 1


async def test_a_whole_history_that_is_said_again_repeats_no_call(world: World) -> None:
    name = await asked(world)
    world.backend.plays(*events_of(says("Paid.")))
    first = await world.closed(requested())
    second = await run(world, user("Pay!"), *first.output, approving(name), response_id=OTHER_ID)
    assert [call.name for call in world.tools.calls] == ["pay"]
    world.backend.plays(*events_of(says("Bye.")))
    everything = [user("Pay!"), *first.output, approving(name), *second.output, user("Bye")]
    await run(world, *everything, response_id=THIRD_ID)
    assert len(world.tools.calls) == 1
    types = [item["type"] for item in world.backend.bodies[-1]["input"]]
    paired = ["function_call", "function_call_output"]
    assert types == ["message", *paired, "message", "message"]


async def test_an_answer_to_what_was_never_asked_is_refused(world: World) -> None:
    await asked(world)
    about = {"response_id": OTHER_ID, "previous_response_id": RESPONSE_ID}
    turn = await run(world, approving("mcpr_unknown"), stream=False, **about)
    assert turn.closed.failure is not None
    failure = turn.closed.failure
    assert (failure.http_status, failure.code) == (400, "approval_request_not_found")
    assert world.tools.calls == []


async def test_an_approved_call_counts_as_the_round_that_was_required(world: World) -> None:
    name = await asked(world)
    world.backend.plays(*events_of(says("Paid.")))
    params = {**ALWAYS, "tool_choice": "required"}
    about = {"response_id": OTHER_ID, "previous_response_id": RESPONSE_ID, "params": params}
    await run(world, approving(name), **about)
    assert world.backend.bodies[-1]["tool_choice"] == "auto"


async def test_a_call_that_needs_no_approval_is_made_beside_one_that_does(world: World) -> None:
    tools = [mcp(require_approval={"never": {"tool_names": ["look"]}})]
    world.backend.plays(*events_of(calls("pay") + calls("look")))
    turn = await run(world, user("Go"), params={"tools": tools})
    kinds = ["mcp_list_tools", "mcp_approval_request", "mcp_call"]
    assert [item["type"] for item in turn.output] == kinds
    assert [call.name for call in world.tools.calls] == ["look"]
    assert len(world.backend.bodies) == 1
