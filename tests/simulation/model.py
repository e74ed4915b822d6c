"""The simulated model, guard and tool-runner: what they say is drawn, what they did is noted."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

import orjson
from nats.aio.msg import Msg

from simulation.stand_ins import connected, world
from turnwire_contracts import subjects
from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import JSON, objects
from turnwire_contracts.queries import GUARD_CHECK, GuardViolation, Verdict
from turnwire_contracts.tools import TOOLS_CALL, TOOLS_LIST, Called, CallError, Tool, Tools
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.ports import BackendStream
from turnwire_orchestrator.prompting.prompt import Prompt

if TYPE_CHECKING:
    from simulation.laws import Laws
    from simulation.processes import Life

FORBIDDEN: Final = "forbidden"
"""A word that the guard refuses."""

TOOLS: Final = {
    "look": Tool("look", {"type": "object"}, "Look.", {"readOnlyHint": True}),
    "pay": Tool("pay", {"type": "object"}, "Pay."),
}
"""One that may be called again, and one that may not."""

_BROKEN: Final = Failure(502, "backend_error", "backend_stream_broken", "It broke off.")
_SIGN_OF_LIFE_S: Final = 1.0


class Model:
    """`Backends` that say something else each time."""

    def __init__(self, random: Random, laws: "Laws", slowness: float) -> None:
        """`laws` are told what the model was shown."""
        self._slowness = slowness
        self._random = random
        self._laws = laws
        self._samples = 0

    async def keep_looking(self) -> None:
        """Have nothing to look for."""

    async def close(self) -> None:
        """Have nothing to close."""

    @asynccontextmanager
    async def sample(self, prompt: Prompt) -> AsyncGenerator[BackendStream]:
        """See `Backend.sample`."""
        random, life = self._random, world().supervisor.current
        await life.before_step()
        self._laws.prompted(prompt)
        await asyncio.sleep(random.random() * random.choice((0.01, 0.1, 1.5)))
        if random.random() < 0.03:
            raise TurnFailedError(_BROKEN)
        self._samples += 1
        events = self._events(prompt, f"s{self._samples}")
        yield BackendStream(self._reads(events, life), partial(Reader, max_output_tokens=None))

    async def _reads(self, events: list[JSON], life: "Life") -> AsyncIterator[list[bytes]]:
        random = self._random
        pace = random.choice((0.003, 0.05, 0.4)) * self._slowness
        left = [orjson.dumps(event) for event in events]
        breaks_off = len(left) // 2 if random.random() < 0.04 else -1
        while left:
            await asyncio.sleep(random.random() * pace)
            await life.before_step()
            many = random.randint(1, 3)
            yield left[:many]
            left = left[many:]
            if len(left) <= breaks_off:
                raise TurnFailedError(_BROKEN)

    def _events(self, prompt: Prompt, name: str) -> list[JSON]:
        random = self._random
        events = _message(name, random.choice((1, 3, 4, 12)))
        offered = [
            str(tool["name"])
            for tool in objects(prompt.request.params.get("tools"))
            if tool.get("type") == "function"
        ]
        called = [item for item in prompt.new if item["type"] == "mcp_call"]
        if offered and len(called) < 2 and random.random() < 0.7:
            for number in range(random.randint(1, 2)):
                events += _call(f"{name}c{number}", random.choice(offered))
        usage = {"input_tokens": 10, "output_tokens": len(events), "total_tokens": 10}
        response = {"status": "completed", "usage": usage}
        return [*events, {"type": "response.completed", "response": response}]


def _message(name: str, words: int) -> list[JSON]:
    delta = "response.output_text.delta"
    return [
        {"type": delta, "item_id": name, "delta": f"{name}w{number}. "} for number in range(words)
    ]


def _call(name: str, function: str) -> list[JSON]:
    head = {"type": "function_call", "id": name, "call_id": name, "name": function}
    return [
        {"type": "response.output_item.added", "item": {**head, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": name, "delta": '{"a":1}'},
        {"type": "response.output_item.done", "item": {**head, "arguments": '{"a":1}'}},
    ]


async def guard(_: "Life") -> None:
    """Run a guard: it refuses one word, and wants some output to be checked."""
    client = await connected()
    random = world().model_random

    async def check(message: Msg) -> None:
        question = GUARD_CHECK.decode_question(message.data)
        await asyncio.sleep(random.random() * 0.02)
        bad = FORBIDDEN in question.input
        found = [GuardViolation("secret", "regex", "words", 1)] if bad else []
        output = random.choice(("unchecked", "unchecked", "held", "at_end"))
        await message.respond(GUARD_CHECK.encode_answer(Verdict(not bad, found, output)))

    await client.subscribe(GUARD_CHECK.subject, GUARD_CHECK.queue, check)
    await asyncio.get_running_loop().create_future()


async def run_tools(life: "Life") -> None:
    """Run a tool-runner: it says that it works on a call, and its servers note what they did."""
    client = await connected()
    random, laws = world().model_random, world().laws

    async def tools(message: Msg) -> None:
        TOOLS_LIST.decode_question(message.data)
        await message.respond(TOOLS_LIST.encode_answer(Tools(list(TOOLS.values()))))

    async def work(message: Msg) -> None:
        question = TOOLS_CALL.decode_question(message.data)
        left_s = random.choice((0.01, 0.3, 4.0)) * random.random()
        while left_s > 0:
            await asyncio.sleep(min(left_s, _SIGN_OF_LIFE_S))
            left_s -= _SIGN_OF_LIFE_S
            await client.publish(subjects.tool_progress(question.call_id), b"{}")
        laws.called(question)
        await life.before_step()
        if random.random() < 0.1:
            failed = CallError("mcp_tool_execution_error", "It did not work.")
            await message.respond(TOOLS_CALL.encode_answer(Called(error=failed)))
        else:
            done = Called(output=f"{question.call_id} done")
            await message.respond(TOOLS_CALL.encode_answer(done))

    async def call(message: Msg) -> None:
        life.loop.create_task(work(message))

    await client.subscribe(TOOLS_LIST.subject, TOOLS_LIST.queue, tools)
    await client.subscribe(TOOLS_CALL.subject, TOOLS_CALL.queue, call)
    await asyncio.get_running_loop().create_future()
