"""A fork goes on from any event of a turn as the turn itself did, and makes no call again."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from scripted_backend import Reply, calls, says, thinks
from turnwire_chassis.event_log import Recorded
from turnwire_contracts.events import Closed, Item, Requested, Sampled, ToolCalled, ToolReturned
from turnwire_contracts.inspecting.forking import NOT_MADE, ForkableTurn, fork_base
from turnwire_contracts.json_values import JSON
from turnwire_contracts.react import Sample, react
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested, Sampling
from turnwire_testing.examples import fresh_id, mcp_list_tools, requested, user
from turnwire_testing.orchestration import World
from turnwire_testing.samples import events_of
from turnwire_testing.tool_turns import LOOK, PAY, mcp

MINE: JSON = {"type": "function", "name": "mine", "parameters": {"type": "object"}}

ROUND = st.lists(st.sampled_from(["look", "pay"]), min_size=1, max_size=3)
PREFIX = st.sampled_from(["", "thinks", "says"])
TURNS = st.lists(st.tuples(PREFIX, ROUND), max_size=10)
CHOICES = st.sampled_from([{}, {"tool_choice": "required"}, {"max_tool_calls": 4}])


def world_with_tools() -> World:
    world = World()
    world.tools.offers = {"shop": [LOOK, PAY]}
    return world


def reply(prefix: str, names: Sequence[str]) -> Reply:
    spoken = {"thinks": thinks("Hm."), "says": says("On it.")}.get(prefix)
    made = calls(names[0], {"n": 0})
    for number, name in enumerate(names[1:], 1):
        made += calls(name, {"n": number})
    return made if spoken is None else spoken + made


async def recorded_turn(
    world: World, rounds: Sequence[tuple[str, Sequence[str]]], **request: Any
) -> tuple[list[Recorded], list[bytes]]:
    """Have a turn run; gives its log, and what its backend was bodies each time."""
    for each in rounds:
        world.backend.plays(*events_of(reply(*each)))
    world.backend.plays(*events_of(says("Done.")))
    params = {"tools": [mcp()], **request.pop("params", {})}
    about = {"response_id": fresh_id(), "stream": True, "params": params, **request}
    turn = await world.request(**about)
    await world.run(turn)
    bodies = [orjson.dumps(body) for body in world.backend.bodies]
    return await world.log.read(*turn.turn_key), bodies


def state_at(recorded: Sequence[Recorded], at: int) -> ForkableTurn:
    turn = fold([each.event for each in recorded if each.sequence <= at])
    assert not isinstance(turn, NotRequested | Erased)
    return turn


def fork_request(recorded: Sequence[Recorded], at: int, *new: Item) -> Requested:
    """Give what the gateway requests for a fork that changes nothing else."""
    turn = state_at(recorded, at)
    base = fork_base(turn, at, [*new])
    return replace(
        turn.request,
        response_id=fresh_id(),
        input=base.input,
        previous_response_id=base.previous_response_id,
        forked_from=base.point,
    )


async def sent_by(world: World, request: Requested) -> bytes:
    """Run a turn that answers at once; gives what its backend was bodies."""
    world.backend.bodies.clear()
    world.backend.plays(*events_of(says("Forked.")))
    await world.log.append(request, None)
    await world.run(request)
    (body,) = world.backend.bodies
    return orjson.dumps(body)


def calls_in(body: bytes) -> list[str]:
    return [
        item["call_id"] for item in orjson.loads(body)["input"] if item["type"] == "function_call"
    ]


def answers_in(body: bytes) -> dict[str, str]:
    return {
        item["call_id"]: item["output"]
        for item in orjson.loads(body)["input"]
        if item["type"] == "function_call_output"
    }


@given(rounds=TURNS, params=CHOICES)
async def test_a_fork_where_the_model_is_asked_next_asks_the_same_byte_for_byte(
    rounds: list[tuple[str, list[str]]], params: JSON
) -> None:
    world = world_with_tools()
    recorded, bodies = await recorded_turn(world, rounds, params=params)
    listed = len(world.tools.listed)
    left = list(bodies)
    for each in recorded:
        turn = state_at(recorded, each.sequence)
        if not isinstance(react(turn), Sample) or not isinstance(turn, Sampling):
            continue
        assert await sent_by(world, fork_request(recorded, each.sequence)) == left.pop(0)
    assert left == []
    assert len(world.tools.listed) == listed


@given(rounds=TURNS)
async def test_a_fork_at_the_end_asks_what_a_continuation_asks(
    rounds: list[tuple[str, list[str]]],
) -> None:
    world = world_with_tools()
    recorded, _ = await recorded_turn(world, rounds)
    first, last = recorded[0].event, recorded[-1]
    assert isinstance(first, Requested)
    assert isinstance(last.event, Closed)
    for new in ([], [user("And now?")]):
        continuation = replace(
            first, response_id=fresh_id(), input=new, previous_response_id=first.response_id
        )
        continued = await sent_by(world, continuation)
        assert await sent_by(world, fork_request(recorded, last.sequence, *new)) == continued


@given(rounds=st.lists(st.tuples(PREFIX, ROUND), min_size=1, max_size=10), new=st.booleans())
async def test_from_every_event_results_are_kept_and_no_call_is_made_again(
    rounds: list[tuple[str, list[str]]], *, new: bool
) -> None:
    world = world_with_tools()
    recorded, _ = await recorded_turn(world, rounds)
    made = len(world.tools.calls)
    said = [user("Go on.")] if new else []
    for each in recorded:
        turn = state_at(recorded, each.sequence)
        body = await sent_by(world, fork_request(recorded, each.sequence, *said))
        items = turn.output if isinstance(turn, ClosedTurn) else []
        items = turn.so_far.said if isinstance(turn, Sampling) else items
        there = [item for item in items if item["type"] == "mcp_call"]
        assert calls_in(body) == [item["id"] for item in there]
        outputs = {
            item["id"]: item["output"] if item["output"] is not None else f"Error: {NOT_MADE}"
            for item in there
        }
        assert answers_in(body) == outputs
        assert len(world.tools.calls) == made


async def test_a_fork_of_a_fork_goes_on_with_the_rounds_of_both() -> None:
    world = world_with_tools()
    recorded, bodies = await recorded_turn(world, [("", ["look"]), ("says", ["pay", "look"])])
    at = next(each.sequence for each in recorded if _returned(each))
    fork = fork_request(recorded, at)
    world.backend.plays(*events_of(reply("says", ["pay", "look"])))
    world.backend.plays(*events_of(says("Done.")))
    await world.log.append(fork, None)
    await world.run(fork)
    again = await world.log.read(*fork.turn_key)
    last_round = [each.sequence for each in again if _returned(each)][-1]
    second = fork_request(again, last_round)
    assert second.forked_from is not None
    assert len(second.earlier_rounds) == len(second.input) - 1
    body = orjson.loads(await sent_by(world, second))
    expected = orjson.loads(bodies[-1])
    assert _without_ids(body) == _without_ids(expected)


async def test_a_call_of_the_client_that_was_open_is_told_as_cancelled() -> None:
    world = world_with_tools()
    world.backend.plays(*events_of(calls("mine") + calls("pay")))
    request = await world.request(params={"tools": [mcp(), MINE]}, response_id=fresh_id())
    await world.run(request)
    recorded = await world.log.read(*request.turn_key)
    returned = next(each.sequence for each in recorded if _returned(each))
    body = await sent_by(world, fork_request(recorded, returned))
    outputs = answers_in(body)
    assert len(outputs) == len(calls_in(body)) == 2
    assert any("cancelled" in output for output in outputs.values())
    turn = state_at(recorded, returned)
    assert isinstance(turn, Sampling)
    (call,) = [item for item in turn.so_far.said if item["type"] == "function_call"]
    answer: Item = {"type": "function_call_output", "call_id": call["call_id"], "output": "42"}
    body = await sent_by(world, fork_request(recorded, returned, answer))
    assert answers_in(body)[call["call_id"]] == "42"


async def test_a_fork_with_new_words_may_be_forced_to_call_again() -> None:
    world = world_with_tools()
    recorded, _ = await recorded_turn(world, [("", ["look"])], params={"tool_choice": "required"})
    returned = next(each.sequence for each in recorded if _returned(each))
    going_on = orjson.loads(await sent_by(world, fork_request(recorded, returned)))
    anew = orjson.loads(await sent_by(world, fork_request(recorded, returned, user("Again!"))))
    assert (going_on["tool_choice"], anew["tool_choice"]) == ("auto", "required")


def test_what_a_client_says_that_servers_offer_is_not_believed() -> None:
    lie: Item = {**mcp_list_tools(), "server_label": "shop", "tools": []}
    base = fork_base(Sampling(requested(input=[lie, user("Hi.")])), 1, [lie])
    assert base.input == [user("Hi.")]
    assert base.point.rounds == 0


async def test_a_turn_behind_a_fork_knows_the_servers_tools_and_the_words_of_both() -> None:
    world = world_with_tools()
    recorded, _ = await recorded_turn(world, [("says", ["look"])])
    returned = next(each.sequence for each in recorded if _returned(each))
    fork = fork_request(recorded, returned)
    before = orjson.loads(await sent_by(world, fork))["input"]
    listed = len(world.tools.listed)
    after = replace(
        fork,
        response_id=fresh_id(),
        input=[user("And?")],
        previous_response_id=fork.response_id,
        forked_from=None,
    )
    body = orjson.loads(await sent_by(world, after))
    assert body["input"][: len(before)] == before
    assert len(world.tools.listed) == listed


@pytest.mark.parametrize("event", [Sampled, ToolCalled])
async def test_a_call_without_a_result_is_never_sent_alone(event: type[Any]) -> None:
    world = world_with_tools()
    recorded, _ = await recorded_turn(world, [("", ["pay"])])
    at = next(each.sequence for each in recorded if isinstance(each.event, event))
    body = await sent_by(world, fork_request(recorded, at))
    assert list(answers_in(body).values()) == [f"Error: {NOT_MADE}"]


def _returned(each: Recorded) -> bool:
    return isinstance(each.event, ToolReturned)


def _without_ids(body: JSON) -> list[JSON]:
    named = ("id", "call_id")
    return [{k: v for k, v in item.items() if k not in named} for item in body["input"]]
