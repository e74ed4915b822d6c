"""`truncation: auto`: a prompt that is too long is shortened and asked again, within bounds."""

from typing import Any

import pytest

from scripted_backend import says
from turnwire_contracts.events import Failure, Requested
from turnwire_contracts.json_values import JSON
from turnwire_orchestrator.failures import Overflow, PromptTooLongError
from turnwire_testing.examples import OTHER_ID, user
from turnwire_testing.orchestration import World
from turnwire_testing.samples import data_of, events_of

TOO_LONG = Failure(
    http_status=400,
    type="invalid_request_error",
    code="context_length_exceeded",
    message="too long",
    param="input",
)
AUTO = {"truncation": "auto"}


@pytest.fixture
async def world() -> World:
    world = World()
    world.backend.plays(*events_of(says("one")))
    await world.run(await world.request(response_id=OTHER_ID, input=[user("question one")]))
    world.answers.clear()
    return world


async def ask(world: World, **changes: Any) -> Requested:
    """Continue the turn before, and run to the end."""
    request = await world.request(
        previous_response_id=OTHER_ID, input=[user("question two")], **changes
    )
    await world.run(request)
    return request


def words(body: JSON) -> list[str]:
    """What the backend was told."""
    return [item["content"][0]["text"] for item in body["input"]]


async def test_the_oldest_items_are_left_out_until_it_fits(world: World) -> None:
    world.backend.plays(before=PromptTooLongError(TOO_LONG))
    world.backend.plays(*events_of(says("two")))
    await ask(world, params=AUTO)
    assert [words(body) for body in world.backend.bodies[1:]] == [
        ["question one", "one", "question two"],
        ["question two"],
    ]
    status, response = world.answer
    assert (status, response["status"], response["truncation"]) == (200, "completed", "auto")


async def test_what_was_left_out_is_asked_again_in_the_next_turn(world: World) -> None:
    world.backend.plays(before=PromptTooLongError(TOO_LONG))
    world.backend.plays(*events_of(says("two")))
    request = await ask(world, params=AUTO)
    world.backend.plays(*events_of(says("three")))
    await world.run(
        await world.request(
            response_id="resp_019a0000000000000000000000000003",
            previous_response_id=request.response_id,
            input=[user("question three")],
        )
    )
    assert len(words(world.backend.bodies[-1])) == 5


@pytest.mark.parametrize("params", [{}, {"truncation": "disabled"}])
async def test_without_it_a_prompt_that_is_too_long_is_refused(world: World, params: JSON) -> None:
    world.backend.plays(before=PromptTooLongError(TOO_LONG))
    await ask(world, params=params)
    status, envelope = world.answer
    assert (status, envelope["error"]["code"]) == (400, "context_length_exceeded")


async def test_what_is_too_long_in_itself_is_refused(world: World) -> None:
    for _ in range(2):
        world.backend.plays(before=PromptTooLongError(TOO_LONG, Overflow(9000, 10)))
    await ask(world, params=AUTO)
    assert world.answer[0] == 400
    assert len(world.backend.bodies) == 3


async def test_a_stream_that_finds_it_too_long_is_asked_again_while_nothing_was_said(
    world: World,
) -> None:
    broken = {"error": {"code": "context_length_exceeded", "message": "too long"}}
    world.backend.plays(*data_of([broken]))
    world.backend.plays(*events_of(says("two")))
    await ask(world, params=AUTO, stream=True)
    assert words(world.backend.bodies[-1]) == ["question two"]


async def test_trying_ends(world: World) -> None:
    talk = [
        {"type": "message", "role": role, "content": f"{number}"}
        for number in range(600)
        for role in ("user", "assistant")
    ]
    for _ in range(20):
        # A tenth goes each time: what the backend says it takes is nearly what it got.
        world.backend.plays(before=PromptTooLongError(TOO_LONG, Overflow(10_000_000, 9_999_999)))
    request = await world.request(input=[*talk, user("now")], params=AUTO)
    await world.run(request)
    assert world.answer[0] == 400
    assert len(world.backend.bodies) == 1 + 9
