"""The loop: the model calls tools of MCP servers until it answers, within its limits."""

import asyncio
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from scripted_backend import Reply, calls, says, thinks
from turnwire_contracts import codec, subjects
from turnwire_contracts.events import Failure, Item, Requested
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import Called, CallError, Tool
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_testing.examples import RESPONSE_ID, TURN, cancel_requested
from turnwire_testing.orchestration import FORBIDDEN, POLICY, Hold, World
from turnwire_testing.samples import data_of, events_of
from turnwire_testing.tool_turns import LOOK, PAY, SCHEMA, SEAL, check_whole, mcp
from turnwire_testing.waiting import eventually

WITHIN_S = 30.0
MINE = {"type": "function", "name": "mine", "parameters": {"type": "object"}}
both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture
async def world() -> World:
    world = World()
    world.tools.offers = {"shop": [LOOK, PAY]}
    return world


def plays(world: World, *replies: Reply) -> None:
    for reply in replies:
        world.backend.plays(*events_of(reply))


async def asked(world: World, *tools: Any, **params: Any) -> Requested:
    told = {"tools": [*(tools or (mcp(),))], **params}
    return await world.request(stream=True, params=told, seals={"shop": SEAL})


async def run(world: World, *tools: Any, **params: Any) -> ClosedTurn:
    request = await asked(world, *tools, **params)
    await world.run(request)
    return await ended(world, request)


async def ended(world: World, request: Requested) -> ClosedTurn:
    turn = await world.closed(request)
    check_whole(turn, await world.frames(request))
    return turn


def made(turn: ClosedTurn) -> list[Item]:
    return [item for item in turn.output if item["type"] == "mcp_call"]


async def test_a_tool_is_called_and_the_model_is_asked_again_with_its_answer(world: World) -> None:
    plays(world, says("On it.") + calls("pay", {"n": 1}), says("Done."))
    turn = await run(world)
    kinds = ["mcp_list_tools", "message", "mcp_call", "message"]
    assert [item["type"] for item in turn.output] == kinds
    assert (turn.output[2]["output"], turn.output[2]["status"]) == ("pay said so", "completed")
    call, answer = world.backend.bodies[1]["input"][-2:]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", "pay", '{"n":1}')
    assert (answer["call_id"], answer["output"]) == (call["call_id"], "pay said so")
    told = ["requested", "tools_listed", "sampled", "tool_called", "tool_returned", "closed"]
    assert await world.kinds(turn.request) == told


async def test_the_backend_is_offered_functions_and_never_sees_a_server(world: World) -> None:
    plays(world, says("Hi."))
    await run(world, mcp(), MINE, temperature=0, parallel_tool_calls=False)
    (body,) = world.backend.bodies
    assert [tool["type"] for tool in body["tools"]] == ["function"] * 3
    assert [tool["name"] for tool in body["tools"]] == ["mine", "look", "pay"]
    assert (body["temperature"], body["parallel_tool_calls"]) == (0, False)
    assert "shop" not in str(body)


async def test_what_opens_a_server_travels_to_the_tools_and_nowhere_else(world: World) -> None:
    plays(world, calls("pay"), says("Done."))
    turn = await run(world)
    assert [asking.server.sealed for asking in world.tools.listed] == [SEAL]
    assert [call.server.sealed for call in world.tools.calls] == [SEAL]
    assert {call.response_id for call in world.tools.calls} == {RESPONSE_ID}
    _, *later = await world.events(turn.request)
    assert SEAL.encode() not in b"".join(map(codec.encode, later))
    assert SEAL not in str(world.backend.bodies)


async def test_usage_is_the_sum_over_all_samples(world: World) -> None:
    plays(world, says("Once."))
    once = (await run(world)).closed.usage
    again = World()
    again.tools.offers = world.tools.offers
    plays(again, calls("look"), calls("pay"), says("Done."))
    usage = (await run(again)).closed.usage
    assert once is not None
    assert usage is not None
    assert usage.input_tokens == 3 * once.input_tokens


async def test_functions_of_the_client_are_handed_over_after_the_round(world: World) -> None:
    plays(world, calls("mine") + calls("pay"))
    turn = await run(world, mcp(), MINE)
    assert turn.closed.status == "completed"
    assert [item["type"] for item in turn.output[1:]] == ["function_call", "mcp_call"]
    assert made(turn)[0]["output"] == "pay said so"
    assert len(world.backend.bodies) == 1


async def test_a_server_that_is_not_there_fails_the_turn_before_anything_is_told(
    world: World,
) -> None:
    request = await asked(world, mcp("elsewhere"))
    await world.run(request)
    (message,) = await world.output.read(TURN)
    assert (message.kind, message.first) == ("A", 424)
    assert orjson.loads(message.body)["error"]["code"] == "mcp_unreachable"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            CallError("mcp_tool_execution_error", "No money."),
            {
                "type": "mcp_tool_execution_error",
                "content": [{"type": "text", "text": "No money."}],
            },
        ),
        (
            CallError("http_error", "Bad gateway.", 502),
            {"type": "http_error", "code": 502, "message": "Bad gateway."},
        ),
        (
            CallError("mcp_protocol_error", "No such tool.", -32602),
            {"type": "mcp_protocol_error", "code": -32602, "message": "No such tool."},
        ),
    ],
)
async def test_a_call_that_fails_is_told_to_the_client_and_to_the_model(
    world: World, error: CallError, told: dict[str, Any]
) -> None:
    world.tools.answers["pay"] = Called(error=error)
    plays(world, calls("pay"), says("Sorry."))
    turn = await run(world)
    (call,) = made(turn)
    assert (call["error"], call["status"], call["output"]) == (told, "failed", None)
    assert world.backend.bodies[1]["input"][-1]["output"] == f"Error: {error.message}"


async def test_a_call_that_may_have_been_made_is_repeated_only_if_it_may_be(world: World) -> None:
    world.tools.answers = {"look": None, "pay": None}
    plays(world, calls("look") + calls("pay"), says("Hm."))
    turn = await run(world)
    assert sorted(call.name for call in world.tools.calls) == ["look", "look", "pay"]
    assert [call["status"] for call in made(turn)] == ["failed", "failed"]


async def test_a_tool_that_changed_is_not_called_and_is_listed_again(world: World) -> None:
    changed = Failure(409, "external_connector_error", "tool_changed", "It is another tool now.")
    world.tools.answers["pay"] = Refusal(changed)
    plays(world, calls("pay"), says("Hm."))
    newer = Tool("pay", SCHEMA, "Pays twice.")
    request = await asked(world)
    hold = world.tools.holds["pay"] = Hold()
    driving = asyncio.create_task(world.run(request))
    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        world.tools.offers["shop"] = [newer]
        hold.release()
        await driving
    turn = await ended(world, request)
    kinds = ["mcp_list_tools", "mcp_call", "mcp_list_tools", "message"]
    assert [item["type"] for item in turn.output] == kinds
    assert world.tools.calls[0].digest == PAY.digest
    assert [tool["description"] for tool in world.backend.bodies[1]["tools"]] == ["Pays twice."]


async def test_the_guard_may_block_what_a_tool_answered(world: World) -> None:
    world.guard.violations_of["tool_output"] = [{**FORBIDDEN, "category": "pii"}]
    plays(world, calls("pay"), says("Hm."))
    request = await world.request(stream=True, screen=True, params={"tools": [mcp()]})
    await world.run(request)
    turn = await ended(world, request)
    (call,) = made(turn)
    assert call["status"] == "failed"
    assert "pii" in call["error"]["message"]
    assert "pay said so" not in str(turn.output) + str(world.backend.bodies)


async def test_calls_beyond_max_tool_calls_are_refused_and_then_not_offered(world: World) -> None:
    plays(world, calls("pay") + calls("look") + calls("pay"), says("Enough."))
    turn = await run(world, mcp(), MINE, max_tool_calls=2)
    assert [call["status"] for call in made(turn)] == ["completed", "completed", "failed"]
    assert "max_tool_calls" in made(turn)[2]["error"]["message"]
    assert [tool["name"] for tool in world.backend.bodies[1]["tools"]] == ["mine"]
    assert turn.closed.status == "completed"


async def test_a_model_that_never_answers_is_stopped(world: World) -> None:
    world.policy = replace(POLICY, most_rounds=3, default_instructions="Be brief.")
    plays(world, *[calls("look")] * 3)
    turn = await run(world)
    end = (turn.closed.status, turn.closed.incomplete_reason)
    assert end == ("incomplete", "max_tool_rounds")
    assert len(made(turn)) == 3
    assert turn.closed.usage is not None


@pytest.mark.parametrize(
    ("choice", "first", "then"),
    [
        ("required", "required", "auto"),
        ({"type": "mcp", "server_label": "shop", "name": "pay"}, "pay", "auto"),
        ("none", "none", "none"),
        ("auto", "auto", "auto"),
    ],
)
async def test_nothing_forces_a_call_after_the_first_round(
    world: World, choice: Any, first: str, then: str
) -> None:
    plays(world, calls("pay"), says("Done."))
    await run(world, tool_choice=choice)
    said = [body["tool_choice"] for body in world.backend.bodies]
    assert said[0] in (first, {"type": "function", "name": first})
    assert said[1] == then


async def test_a_limit_on_tools_stays_when_nothing_is_forced_any_more(world: World) -> None:
    plays(world, calls("pay"), says("Done."))
    limit = {"type": "mcp", "server_label": "shop", "name": "pay"}
    choice = {"type": "allowed_tools", "mode": "required", "tools": [limit]}
    await run(world, tool_choice=choice)
    first, second = [body["tool_choice"] for body in world.backend.bodies]
    assert first["tools"] == second["tools"] == [{"type": "function", "name": "pay"}]
    assert (first["mode"], second["mode"]) == ("required", "auto")


async def test_calls_of_one_sample_run_side_by_side_within_a_limit(world: World) -> None:
    world.policy = replace(POLICY, calls_at_once=2)
    hold = world.tools.holds["pay"] = Hold()
    plays(world, calls("pay") + calls("pay") + calls("pay"), says("Done."))
    request = await asked(world)
    driving = asyncio.create_task(world.run(request))

    async def two_calls() -> bool:
        return len(world.tools.calls) >= 2

    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await eventually(two_calls)
        assert len(world.tools.calls) == 2
        hold.release()
        await driving
    assert len(made(await ended(world, request))) == 3


@both
async def test_a_wish_to_cancel_stops_calls_and_settles_them(world: World, *, stream: bool) -> None:
    hold = world.tools.holds["pay"] = Hold()
    plays(world, calls("look") + calls("pay"))
    request = await world.request(stream=stream, params={"tools": [mcp()]})
    orchestrator = world.orchestrator()
    driving = asyncio.create_task(orchestrator.requested(await world.delivery(request)))

    async def one_returned() -> bool:
        return "tool_returned" in await world.kinds(request)

    async with asyncio.timeout(WITHIN_S):
        await hold.reached.wait()
        await eventually(one_returned)
        await world.log.append(cancel_requested(), None)
        subject = subjects.turn_event(request.tenant, RESPONSE_ID, "cancel_requested")
        orchestrator.cancel_requested(subject)
        await driving
    assert hold.left
    turn = await ended(world, request)
    assert turn.closed.status == "cancelled"
    assert [call["status"] for call in made(turn)] == ["completed", "failed"]
    assert turn.closed.usage is not None


async def test_a_turn_whose_calls_take_too_long_ends_with_what_it_has(world: World) -> None:
    world.policy = replace(POLICY, turn_timeout_s=0.05)
    hold = world.tools.holds["pay"] = Hold()
    plays(world, calls("pay"))
    turn = await run(world)
    assert hold.left
    end = (turn.closed.status, turn.closed.incomplete_reason, turn.closed.failure)
    assert end == ("incomplete", "max_tool_time", None)
    assert [call["status"] for call in made(turn)] == ["failed"]


async def test_a_call_that_was_cut_off_is_not_made(world: World) -> None:
    *begun, _, _ = events_of(calls("pay", {"n": 1}))
    broken = Failure(502, "server_error", "backend_stream_broken", "It broke.")
    world.backend.plays(*begun[:4], broken)
    turn = await run(world)
    assert world.tools.calls == []
    assert [call["status"] for call in made(turn)] == ["incomplete"]
    assert turn.closed.status == "failed"


@pytest.mark.parametrize("server", [mcp(), mcp(require_approval="always")], ids=["called", "asked"])
async def test_calls_in_turns_behind_a_thought_that_ends_late_are_told_in_order(
    world: World, server: Any
) -> None:
    reply = thinks("hm", encrypted_content="sealed") + calls("pay", {"n": 1}) + calls("look")
    _, _, *events, last = map(orjson.loads, events_of(reply))
    of = [[event for event in events if event["output_index"] == each] for each in range(3)]
    mixed = [of[0].pop(0), of[0].pop(0), of[0].pop(0)]
    while of[1] or of[2]:
        mixed += [each.pop(0) for each in of[1:] if each]
    world.backend.plays(*data_of([*mixed, *of[0], last]))
    plays(world, says("Done."))
    turn = await run(world, server)
    kind = "mcp_call" if server == mcp() else "mcp_approval_request"
    _, thought, pay, look, *_ = turn.output
    assert (thought["encrypted_content"], pay["type"], look["type"]) == ("sealed", kind, kind)
    assert [(item["name"], item["arguments"]) for item in (pay, look)] == [
        ("pay", '{"n":1}'),
        ("look", "{}"),
    ]
