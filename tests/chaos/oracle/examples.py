"""A run in which everything is right, made of real events; tests break one thing of it each."""

from typing import Any

import orjson

from chaos.oracle.prompts import Prompt
from chaos.oracle.records import (
    BackendRequest,
    Fault,
    LoggedTurn,
    Run,
    SeenTurn,
    ToldEnd,
    ToolCall,
)
from turnwire_chassis.event_log import Recorded
from turnwire_contracts.events import AnyEvent, Item
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.delta_boundaries import written
from turnwire_contracts.wire.response import closed_response
from turnwire_contracts.wire.stream import stream_of
from turnwire_testing import examples
from turnwire_testing.examples import AT, user

PLAIN, STREAM, CHILD = Prompt("aa"), Prompt("bb"), Prompt("cc")
TOOL, SAFE_TOOL, APPROVAL = (
    Prompt("dd", tool="note"),
    Prompt("ee", tool="echo"),
    Prompt("ff", tool="note"),
)
CONVERSATION = "conv_019a0000000000000000000000000003"

IDS = {
    name: ResponseId(f"resp_019a00000000{number:020x}")
    for number, name in enumerate(
        ("plain", "stream", "child", "tool", "safe", "asks", "approves", "first", "second")
    )
}


def good_run() -> Run:
    """Nine turns, and what each side saw of them."""
    maker = _Maker()
    plain = maker.turn("plain", PLAIN)
    maker.turn("stream", STREAM, stream=True)
    maker.tell_its_end()
    child_of = {"previous_response_id": plain.request.response_id}
    maker.turn("child", CHILD, **child_of)
    maker.tool_turn("tool", TOOL)
    maker.tool_turn("safe", SAFE_TOOL)
    maker.approval(APPROVAL)
    first = maker.turn("first", Prompt("gg"), conversation=CONVERSATION)
    behind = {"previous_response_id": first.request.response_id}
    maker.turn("second", Prompt("hh"), conversation=CONVERSATION, **behind)
    maker.run.faults.append(Fault("store", AT / 1000 + 60, AT / 1000 + 61))
    return maker.run


class _Maker:
    """Adds turns to a run: log, view, what the client saw, what the backend was sent."""

    def __init__(self) -> None:
        self.run = Run()
        self._sequence = 0

    def tell_its_end(self) -> None:
        """Have the end of the last turn told, twice as happens where a process dies."""
        seen = self.run.seen[-1]
        seen.webhook = True
        self.run.ends += 2 * [ToldEnd("evt_1", "response.completed", seen.response_id)]

    def turn(self, name: str, prompt: Prompt, **fields: Any) -> ClosedTurn:
        """A turn without tools."""
        asked = examples.requested(response_id=IDS[name], input=[user(str(prompt))], **fields)
        closed = examples.closed(response_id=IDS[name], **_output(prompt, 0))
        turn = self._add(prompt, [asked, closed])
        past = self._past(turn)
        self.run.sent.append(BackendRequest([*past, *asked.input]))
        return turn

    def tool_turn(self, name: str, prompt: Prompt, **fields: Any) -> ClosedTurn:
        """A turn that calls a tool once."""
        asked = examples.requested(response_id=IDS[name], input=[user(str(prompt))], **fields)
        call = examples.mcp_call(0, name=prompt.tool)
        events = [
            asked,
            examples.sampled(response_id=IDS[name], output=[call]),
            *_made(IDS[name], call, prompt),
            examples.closed(response_id=IDS[name], **_output(prompt, 1)),
        ]
        self.run.ledger.append(ToolCall(prompt.tool, prompt.word, AT / 1000))
        self.run.sent.append(BackendRequest([*asked.input]))
        return self._add(prompt, events)

    def approval(self, prompt: Prompt) -> None:
        """A turn whose tool needs approval, and the turn that gives it."""
        question: Item = {
            "id": "mcpr_1", "type": "mcp_approval_request", "server_label": "docs",
            "name": prompt.tool, "arguments": "{}",
        }  # fmt: skip
        asked = examples.requested(response_id=IDS["asks"], input=[user(str(prompt))])
        closed = examples.closed(response_id=IDS["asks"], output=[question])
        self._add(prompt, [asked, closed])
        self.run.seen[-1].asks_approval = True
        answer: Item = {
            "type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True,
        }  # fmt: skip
        approving = examples.requested(
            response_id=IDS["approves"], input=[answer], previous_response_id=IDS["asks"]
        )
        call = examples.mcp_call(0, name=prompt.tool, approval_request_id="mcpr_1")
        events = [
            approving,
            examples.tools_listed(response_id=IDS["approves"], items=[call]),
            *_made(IDS["approves"], call, prompt),
            examples.closed(response_id=IDS["approves"], **_output(prompt, 1)),
        ]
        self.run.ledger.append(ToolCall(prompt.tool, prompt.word, AT / 1000))
        self._add(prompt, events)
        self.run.seen[-1].approves = True

    def _past(self, turn: ClosedTurn) -> list[Item]:
        named = turn.request.previous_response_id
        logged = self.run.turn(named) if named else None
        past = logged.folded() if logged else None
        if not isinstance(past, ClosedTurn):
            return []
        return [*self._past(past), *past.request.input, *past.output]

    def _add(self, prompt: Prompt, events: list[AnyEvent]) -> ClosedTurn:
        recorded: list[Recorded] = []
        for event in events:
            self._sequence += 1
            recorded.append(Recorded(self._sequence, event))
        turn = fold(events)
        if not isinstance(turn, ClosedTurn):
            raise TypeError("an example ends")
        response_id, request = turn.request.response_id, turn.request
        view = orjson.loads(orjson.dumps(closed_response(turn)))
        self.run.log.append(LoggedTurn(response_id, recorded))
        self.run.views[response_id] = view
        seen = SeenTurn(prompt, response_id=response_id, answer=view, done=True)
        seen.previous = "" if request.conversation else request.previous_response_id or ""
        seen.conversation = request.conversation or ""
        if request.stream:
            seen.way, seen.frames = "stream", stream_of(turn)
        self.run.seen.append(seen)
        return turn


def _output(prompt: Prompt, index: int) -> dict[str, Any]:
    cuts = written(map(len, prompt.deltas))
    return {"output": [examples.message(prompt.answer, index)], "cuts": [[cuts]]}


def _made(response_id: ResponseId, call: Item, prompt: Prompt) -> list[AnyEvent]:
    return [
        examples.tool_called(response_id=response_id, item_ids=[call["id"]]),
        examples.tool_returned(
            response_id=response_id, item_id=call["id"], output=prompt.tool_output
        ),
    ]
