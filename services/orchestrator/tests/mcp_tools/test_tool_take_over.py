"""Wherever an orchestrator is lost in the middle of its tools, the turn comes to one end."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_backend import Reply, calls, says, thinks
from turnwire_contracts import subjects
from turnwire_contracts.events import Closed, Item, Requested
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_testing.examples import OTHER_ID, RESPONSE_ID, TURN, cancel_requested, user
from turnwire_testing.tool_turns import (
    SEAL,
    LostError,
    MortalWorld,
    approving,
    check_whole,
    mcp,
)

TOOLS = [mcp(), {"type": "function", "name": "mine", "parameters": {"type": "object"}}]


def answers_in(items: list[Item]) -> int:
    return sum(item["type"] == "function_call_output" for item in items)


def loop(items: list[Item]) -> Reply:
    """Two rounds, the first with calls side by side, and an end."""
    match answers_in(items):
        case 0:
            return thinks("hm") + says("On ", "it.") + calls("look", {"n": 1}) + calls("pay")
        case 2:
            return calls("pay", {"n": 2})
        case _:
            return says("Do", "ne.")


def mixed(items: list[Item]) -> Reply:
    """Calls of a server and of the client in one sample."""
    del items
    return calls("mine", {"a": 1}) + calls("pay") + says("Wait.")


def asking(items: list[Item]) -> Reply:
    """One call, then an end."""
    return says("Fine.") if answers_in(items) else calls("pay", {"n": 3}) + calls("look")


@dataclass(frozen=True)
class Scene:
    """A turn, told by a backend."""

    answering: Callable[[list[Item]], Reply]
    tools: tuple[Any, ...] = tuple(TOOLS)
    approve: bool | None = None
    """Whether the turn answers a request for approval, and how."""


SCENES = {
    "loop": Scene(loop),
    "mixed": Scene(mixed),
    "asking": Scene(asking, (mcp(require_approval={"never": {"read_only": True}}),)),
    "approved": Scene(asking, (mcp(require_approval="always"),), approve=True),
    "denied": Scene(asking, (mcp(require_approval="always"),), approve=False),
}
LIVES = {"plain": {}, "streamed": {"stream": True}, "background": {"background": True}}


async def set_the_scene(scene: Scene, **changes: Any) -> tuple[MortalWorld, Requested]:
    """Make the request, after the turn before it if there is one."""
    world = MortalWorld(scene.answering)
    about: dict[str, Any] = {"params": {"tools": [*scene.tools]}, "seals": {"shop": SEAL}}
    if scene.approve is not None:
        before = await world.request(response_id=OTHER_ID, **about)
        await world.run(before)
        asked = (await world.closed(before)).output[1]["id"]
        world.answers.clear()
        about |= {
            "previous_response_id": OTHER_ID,
            "input": [user("Well?"), approving(asked, approve=scene.approve)],
        }
    request = await world.request(response_id=RESPONSE_ID, **about, **changes)
    world.life.spent = 0
    return world, request


async def check_end(world: MortalWorld, request: Requested) -> None:
    events = await world.events(request)
    assert [type(event) for event in events].count(Closed) == 1
    assert isinstance(events[-1], Closed)
    for place in range(1, len(events)):
        fold(events[:place])
    turn = await world.closed(request)
    check_whole(turn, await world.frames(request))
    assert turn.closed.status == "completed"
    made = [call.call_id for call in world.tools.calls if call.name == "pay"]
    assert len(made) == len(set(made))
    paid = [item for item in turn.said if item.get("name") == "pay" and "output" in item]
    assert {item["id"] for item in paid if item["status"] == "completed"} <= {*made}
    assert len({message.body for message in world.answers}) <= 1


def story_of(turn: ClosedTurn) -> tuple[object, ...]:
    """What was said in the end, whoever was lost on the way; calls may have failed."""
    told = ("type", "name", "arguments", "content", "server_label", "approval_request_id", "tools")
    said = [{name: item.get(name) for name in told} for item in turn.said]
    return turn.closed.usage, said


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("name", SCENES)
async def test_an_orchestrator_may_be_lost_before_anything_that_leaves_it(
    name: str, life: str
) -> None:
    world, request = await set_the_scene(SCENES[name], **LIVES[life])
    await world.run(request)
    await check_end(world, request)
    story = story_of(await world.closed(request))
    for spent in range(world.life.spent):
        world, request = await set_the_scene(SCENES[name], **LIVES[life])
        again = await world.delivery(request, attempt=2)
        world.life.left = spent
        with pytest.raises(LostError):
            await world.run(request)
        world.life.left = None
        seen = await world.frames(request)
        await world.orchestrator("second").requested(again)
        await check_end(world, request)
        assert (await world.frames(request))[: len(seen)] == seen
        assert story_of(await world.closed(request)) == story


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("name", SCENES)
async def test_a_wish_to_cancel_may_come_at_any_time(name: str, life: str) -> None:
    world, request = await set_the_scene(SCENES[name], **LIVES[life])
    await world.run(request)
    for spent in range(world.life.spent):
        world, request = await set_the_scene(SCENES[name], **LIVES[life])
        orchestrator = world.orchestrator()
        world.life.left = spent
        world.life.instead = partial(_wish, world, request, orchestrator)
        await orchestrator.requested(await world.delivery(request))
        events = await world.events(request)
        assert [type(event) for event in events].count(Closed) == 1
        turn = await world.closed(request)
        check_whole(turn, await world.frames(request))
        assert turn.closed.status in ("completed", "cancelled")
        assert len({call.call_id for call in world.tools.calls}) == len(world.tools.calls)


async def _wish(world: MortalWorld, request: Requested, orchestrator: TurnHandlers) -> None:
    await world.log.append(cancel_requested(), None)
    subject = subjects.turn_event(request.tenant, request.response_id, "cancel_requested")
    orchestrator.cancel_requested(subject)


losses = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=4)
kinds = st.fixed_dictionaries({"background": st.booleans(), "obfuscate": st.booleans()})


@given(st.sampled_from(sorted(SCENES)), losses, kinds)
async def test_it_does_not_matter_how_many_are_lost_or_what_the_broker_forgets(
    name: str, losses: list[tuple[int, int]], kind: dict[str, bool]
) -> None:
    world, request = await set_the_scene(SCENES[name], stream=True, **kind)
    again = await world.delivery(request, attempt=2)
    for number, (spent, kept) in enumerate(losses):
        world.life.left = spent
        try:
            await world.run(request, attempt=number + 1, claim=f"owner {number}")
        except LostError:
            world.mortal_output.keep(TURN, kept)
    world.life.left = None
    await world.orchestrator("last").requested(again)
    await check_end(world, request)
