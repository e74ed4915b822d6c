"""Turns with MCP tools, whose orchestrators may be lost wherever something leaves them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson
from msgspec.structs import replace

from scripted_backend import Reply
from turnwire_contracts.events import Item
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import AskForCall, Called, Tool
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.frames import FrameMessage, payload
from turnwire_contracts.wire.response import closed_response
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.ports import BackendStream
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.responses_body import responses_body
from turnwire_testing.memory_event_log import Event, MemoryEventLog
from turnwire_testing.memory_output_log import MemoryOutputLog
from turnwire_testing.open_responses import problems_of_event, problems_of_response
from turnwire_testing.openai_types import check_event, check_response
from turnwire_testing.orchestration import POLICY, ScriptedTools, World, each_read
from turnwire_testing.samples import events_of
from turnwire_testing.stream_grammar import check_stream

SCHEMA: JSON = {"type": "object", "properties": {"n": {"type": "integer"}}}
LOOK = Tool("look", SCHEMA, "Looks.", {"readOnlyHint": True})
PAY = Tool("pay", SCHEMA)
SEAL = "sealed-canary-4711"


def mcp(label: str = "shop", **changes: Any) -> JSON:
    """A server that a request declares; its tools are called without asking."""
    told = {"type": "mcp", "server_label": label, "server_url": f"https://{label}.example/mcp"}
    return {**told, "require_approval": "never", **changes}


def approving(request_id: str, *, approve: bool = True, **changes: Any) -> Item:
    """The answer to a request for approval."""
    answer = {"type": "mcp_approval_response", "approval_request_id": request_id}
    return {**answer, "approve": approve, **changes}


class LostError(Exception):
    """The orchestrator is gone."""


class Lifeline:
    """Counts what leaves an orchestrator, until it is lost."""

    def __init__(self) -> None:
        """Live for ever."""
        self.left: int | None = None
        self.spent = 0

        self.instead: Callable[[], Awaitable[None]] | None = None
        """What happens in the place of the loss."""

    async def effect(self) -> None:
        """Let one more thing leave; raises `LostError` when that is one too many."""
        self.spent += 1
        if self.left is None:
            return
        if self.left > 0:
            self.left -= 1
        elif self.instead is None:
            raise LostError
        else:
            self.left = None
            await self.instead()
            await asyncio.sleep(0)


class MortalLog(MemoryEventLog):
    """A log whose writer may be lost before it writes."""

    def __init__(self, life: Lifeline) -> None:
        """Live on `life`."""
        super().__init__()
        self._life = life

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        await self._life.effect()
        return await super().append(event, expected)


class MortalOutput(MemoryOutputLog):
    """An output whose writer may be lost before it writes."""

    def __init__(self, life: Lifeline) -> None:
        """Live on `life`."""
        super().__init__()
        self._life = life

    async def publish(self, turn: TurnKey, message: FrameMessage) -> None:
        """See `OutputLog.publish`."""
        if self._life.instead is None:
            await self._life.effect()
            await super().publish(turn, message)
        else:
            await super().publish(turn, message)
            await self._life.effect()

    async def answer(self, turn: TurnKey, message: FrameMessage) -> None:
        """See `OutputLog.answer`."""
        await self._life.effect()
        await super().answer(turn, message)

    def keep(self, turn: TurnKey, messages: int) -> None:
        """Forget all but the first so many: the broker keeps them in memory only."""
        self._kept[turn] = self._kept[turn][:messages]


class MortalTools(ScriptedTools):
    """Tools whose caller may be lost before a call leaves, or before its answer comes."""

    def __init__(self, life: Lifeline) -> None:
        """Live on `life`."""
        super().__init__()
        self._life = life

    async def call(self, question: AskForCall) -> Called | Refusal | None:
        """See `ToolServers.call`."""
        await self._life.effect()
        answer = await super().call(question)
        await self._life.effect()
        return answer


class SteadySamples:
    """`Backend` that says the same again whenever it is asked the same."""

    def __init__(self, answering: Callable[[list[Item]], Reply]) -> None:
        """Answer as told by the items of a prompt."""
        self.bodies: list[JSON] = []
        self._answering = answering

    @asynccontextmanager
    async def sample(self, prompt: Prompt) -> AsyncGenerator[BackendStream]:
        """See `Backend.sample`."""
        body = orjson.loads(responses_body(prompt, Dialect.PLAIN))
        self.bodies.append(body)
        yield BackendStream(
            each_read(events_of(self._answering(body["input"]))),
            partial(Reader, max_output_tokens=None),
        )


class MortalWorld(World):
    """A world in which orchestrators are lost."""

    def __init__(self, answering: Callable[[list[Item]], Reply]) -> None:
        """Everything else stays."""
        self.life = Lifeline()
        self.mortal_output = MortalOutput(self.life)
        tools = MortalTools(self.life)
        tools.offers = {"shop": [LOOK, PAY]}
        policy = replace(POLICY, default_instructions="Be brief.")
        log = MortalLog(self.life)
        super().__init__(log=log, output=self.mortal_output, tools=tools, policy=policy)
        self.steady = SteadySamples(answering)
        self.asks = self.steady


def check_whole(turn: ClosedTurn, frames: list[bytes]) -> None:
    """Check everything that a client could be told of a turn."""
    response = closed_response(turn)
    check_response(response)
    assert problems_of_response(response) == []
    for item in turn.output:
        _check_item(item)
    if turn.request.watched:
        assert frames == stream_of(turn)
        events = [payload(frame) for frame in frames]
        check_stream(events)
        for event in events:
            check_event(event)
            assert problems_of_event(event) == []
    assert SEAL.encode() not in b"".join(frames) + orjson.dumps(response)


def _check_item(item: Item) -> None:
    if item["type"] == "mcp_call":
        assert item["status"] in ("completed", "failed", "incomplete"), item
        assert (item["status"] == "failed") == (item["error"] is not None), item
    if item["type"] == "mcp_list_tools":
        assert None not in item.values(), item
        assert all(None not in tool.values() for tool in item["tools"]), item
