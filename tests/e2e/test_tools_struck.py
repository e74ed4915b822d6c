"""Processes killed while seven turns stand at the seven points of a tool call, one at each.

Nothing is repeated that may change something, and each turn comes to one end. The tool's own server
counts, on disk. A seed changes in which order turns come to their points, how much was said there,
and the moment of the blow.
"""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from nats.aio.client import Client

from e2e.rig.broker import connected_as
from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.jetstream.reading import read_batch
from turnwire_contracts import subjects
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_testing.stream_grammar import check_stream
from turnwire_testing.waiting import eventually

GOES_ON_WITHIN = 60.0
SEEN_WITHIN = 60.0
LATEST_S = 0.3
ANSWER = ("Do", "ne", ".")

LISTING = "before tools_listed"
BETWEEN = "between list and call"
LEAVING = "after tool_called, before the call leaves"
WORKING = "while the server works"
ANSWERED = "after the server's answer, before tool_returned"
RETURNED = "after tool_returned"
SAYING = "during the second sample"
POINTS = (LISTING, BETWEEN, LEAVING, WORKING, ANSWERED, RETURNED, SAYING)
LOST = (LEAVING, WORKING, ANSWERED)
"""Where nobody can know what became of the call."""


@pytest.fixture
def stack(fragile_stack: Stack) -> Stack:
    """The stack of which processes are killed."""
    return fragile_stack


@dataclass(frozen=True)
class Log:
    """What was appended for a response."""

    broker: Client

    async def events(self, response_id: str) -> Counter[str]:
        """Count its events by their kind."""
        everything = subjects.turn(TenantId("*"), ResponseId(response_id))
        found = await read_batch(self.broker, subjects.TURNS_STREAM, everything)
        told = [message.headers or {} for message in found]
        names = [headers["Nats-Subject"] for headers in told if "Nats-Subject" in headers]
        return Counter(subjects.parse_turn_event(name)[2] for name in names)

    async def has(self, event: str, response_id: str) -> None:
        """Wait until an event is durable."""

        async def is_there() -> bool:
            return (await self.events(response_id))[event] > 0

        await eventually(is_there, SEEN_WITHIN)


@pytest.fixture
async def log(stack: Stack) -> AsyncGenerator[Log]:
    """The stack's log, read as the gateway reads it."""
    async with connected_as(User.GATEWAY, stack) as broker:
        yield Log(broker)


@dataclass
class Scene:
    """Turns, each with a word of its own, and the moments of a seed."""

    api: Api
    backend: ScriptedBackend
    desk: Desk
    log: Log
    seeded: random.Random
    words: dict[str, str] = field(
        default_factory=lambda: {point: uuid.uuid4().hex for point in POINTS}
    )
    reading: dict[str, "asyncio.Task[list[JSON]]"] = field(
        default_factory=dict[str, "asyncio.Task[list[JSON]]"]
    )

    def teach(self, point: str) -> None:
        """Tell the model what to do in a turn, and where to pause, once."""
        word = self.words[point]
        call, answer = calls("hold", {"word": word}), says(*ANSWER)
        asked, told = about(word, answered=False), about(word, answered=True)
        match point:
            case _ if point == BETWEEN:
                self.backend.script(call.paused(after=self.seeded.randrange(2)), when=asked)
            case _ if point == RETURNED:
                self.backend.script(answer.paused(after=0), when=told)
            case _ if point == SAYING:
                after = self.seeded.randrange(1, len(ANSWER))
                self.backend.script(answer.paused(after=after), when=told)
            case _:
                pass
        self.backend.always(call, when=asked)
        self.backend.always(answer, when=told)

    def begin(self, point: str, after: str | None = None) -> asyncio.Future[str]:
        """Begin the turn of a point, and read it; gives a future of its id."""
        word = self.words[point]
        about_list = {"headers": {"X-Hold": word}} if point == LISTING else {}
        body = asks(word, after, tools=[self.desk.tool(**about_list)], stream=True)
        named: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def read() -> list[JSON]:
            async with self.api.stream(body) as stream:
                created = await stream.until("response.created")
                named.set_result(created["response"]["id"])
                return await stream.to_the_end()

        self.reading[point] = asyncio.create_task(read())
        return named

    async def stands(self, point: str) -> None:
        """Wait until the turn of a point is there, if the model does not hold it."""
        word = self.words[point]
        match point:
            case _ if point == LISTING:
                await self.desk.wrote(held=word)
            case _ if point in (WORKING, ANSWERED):
                await self.desk.began(word)
            case _:
                pass

    async def ends(self) -> Mapping[str, JSON]:
        """Read all turns to their ends."""
        async with asyncio.timeout(GOES_ON_WITHIN):
            read = await asyncio.gather(*self.reading.values())
        return dict(zip(self.reading, map(ended, read), strict=True))


def about(word: str, *, answered: bool) -> Callable[[Mapping[str, Any]], bool]:
    """Tell requests to the model that are of one turn, before or after its call."""

    def matches(body: Mapping[str, Any]) -> bool:
        newest = [item for item in body["input"] if item.get("role") == "user"][-1]
        is_answered = body["input"][-1]["type"] == "function_call_output"
        return word in str(newest) and is_answered == answered

    return matches


def ended(events: list[JSON]) -> JSON:
    """Check a whole stream; gives the response at its end."""
    check_stream(events)
    assert events[-1]["type"] == "response.completed", events[-1]
    return events[-1]["response"]


def made(response: JSON) -> list[JSON]:
    """Its calls, but those that were cut off while the model wrote them."""
    calls_of = [item for item in response["output"] if item["type"] == "mcp_call"]
    return [item for item in calls_of if item["status"] != "incomplete"]


@pytest.fixture(params=range(3))
def scene(
    request: pytest.FixtureRequest, api: Api, backend: ScriptedBackend, desk: Desk, log: Log
) -> Scene:
    """Turns to be struck, by the moments of a seed."""
    return Scene(api, backend, desk, log, random.Random(request.param))  # noqa: S311 -- no secrets


@pytest.mark.parametrize("victim", ["tool-runner", "orchestrator"])
async def test_killed_at_any_point_of_a_call_no_turn_repeats_it_or_ends_twice(
    scene: Scene, stack: Stack, victim: str
) -> None:
    known = await listed(scene)
    await parked(scene)
    stack.freeze("tool-runner")
    try:
        await frozen_at(scene, known)
        # The moment is what a seed changes: nothing is waited for.
        await asyncio.sleep(scene.seeded.uniform(0, LATEST_S))
        stack.kill(victim)
    finally:
        if victim != "tool-runner":
            stack.thaw("tool-runner")
    for word in scene.words.values():
        scene.desk.let(word)
    await asyncio.to_thread(stack.wait_until_back, victim)
    scene.backend.gate.release()
    responses = await scene.ends()
    for point, response in responses.items():
        check(scene, point, response)
        events = await scene.log.events(response["id"])
        assert events["closed"] == 1, (point, events)


async def parked(scene: Scene) -> None:
    """Bring turns to the points where they wait by themselves."""
    waiting = [point for point in POINTS if point != LEAVING]
    scene.seeded.shuffle(waiting)
    for point in POINTS:
        scene.teach(point)
    for point in (RETURNED, SAYING):
        scene.desk.let(scene.words[point])
    for point in waiting:
        scene.begin(point)
    for point in waiting:
        await scene.stands(point)
    await scene.backend.saw_pause(within=SEEN_WITHIN, count=3)


async def listed(scene: Scene) -> str:
    """Have a turn that lists the tools; gives its id."""
    scene.backend.script(says("Hello."))
    status, response = await scene.api.post(asks("Hello.", tools=[scene.desk.tool()]))
    assert status == 200, response
    return response["id"]


async def frozen_at(scene: Scene, known: str) -> None:
    """Bring turns to the points that pass at once, while no runner runs.

    The chain of the one whose call is to leave knows the tools, or it would wait for their list.
    """
    named = scene.begin(LEAVING, known)
    await scene.log.has("tool_called", await named)
    scene.desk.let(scene.words[ANSWERED])
    await scene.desk.wrote(answered=scene.words[ANSWERED])


def check(scene: Scene, point: str, response: JSON) -> None:
    """Check what a turn tells, and what the server did."""
    (call,) = made(response)
    did = scene.desk.did(scene.words[point])
    assert text_of(response).endswith("".join(ANSWER)), point
    if point in LOST:
        assert (call["status"], call["output"]) == ("failed", None), (point, call)
        assert call["error"]["type"] in {"mcp_protocol_error", "http_error"}
        assert did <= 1 if point == LEAVING else did == 1, point
    else:
        assert (call["status"], did) == ("completed", 1), (point, call)
