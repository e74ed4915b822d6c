"""What a connection remembers of turns that are not stored, so that the next one can continue them.

It is gone with the connection: nothing of it is written anywhere. No I/O.
"""

from collections import OrderedDict

import msgspec
import orjson

from turnwire_contracts.events import Item, Requested
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON, objects
from turnwire_gateway.errors import invalid


class Remembered(msgspec.Struct, frozen=True):
    """A turn that ended well and was not stored."""

    response_id: ResponseId
    items: list[Item]
    """All that was said up to its end, as far as no stored turn has it."""
    instructions: str | None
    """The instructions that the model was given."""
    stored: ResponseId | None
    """The stored response at the beginning of the chain."""
    size: int


class Memory:
    """The newest turns of one connection, within a number and a size; the oldest go first."""

    def __init__(self, most_turns: int, most_bytes: int) -> None:
        """`most_bytes`: of the items of all turns together, as JSON.

        Turns share their items; each is counted as if it were alone, so the bound holds.
        """
        self._most_turns = most_turns
        self._most_bytes = most_bytes
        self._bytes = 0
        self._turns: OrderedDict[str, Remembered] = OrderedDict()

    def find(self, response_id: str | None) -> Remembered | None:
        """Give a turn, which is then the last to go."""
        if response_id is None or response_id not in self._turns:
            return None
        self._turns.move_to_end(response_id)
        return self._turns[response_id]

    def keep(self, turn: Remembered) -> None:
        """Remember a turn."""
        self._turns[turn.response_id] = turn
        self._bytes += turn.size
        while self._turns and self._is_full():
            _, dropped = self._turns.popitem(last=False)
            self._bytes -= dropped.size

    def forget(self, response_id: str | None) -> None:
        """Remember a turn no longer; one that is not known is no error."""
        dropped = self._turns.pop(response_id or "", None)
        self._bytes -= dropped.size if dropped is not None else 0

    def _is_full(self) -> bool:
        return len(self._turns) > self._most_turns or self._bytes > self._most_bytes


def remembered(request: Requested, response: JSON) -> Remembered:
    """Give what is remembered of a turn; `response` is the object in its terminal event."""
    items = [*request.input, *_kept(response)]
    return Remembered(
        response_id=request.response_id,
        items=items,
        instructions=response.get("instructions"),
        stored=request.previous_response_id,
        size=len(orjson.dumps(items)),
    )


def continued(request: Requested, previous: Remembered, *, inherit: bool) -> Requested:
    """Put the items of the previous turn in front of a request that continues it.

    `inherit`: instructions carry forward in this deployment. Raises `ApiError` (400) for the output
    of a call that is not there.
    """
    new = _without_repeats(request.input, previous.items)
    if previous.stored is None:
        _refuse_orphans(new, previous.items)
    instructions = previous.instructions if inherit else None
    return msgspec.structs.replace(
        request,
        input=[*previous.items, *new],
        instructions=instructions if request.instructions is None else request.instructions,
        previous_response_id=previous.stored,
        continues=request.previous_response_id,
    )


def _kept(response: JSON) -> list[Item]:
    """Leave out what was broken off and begun anew: only a cut-off response may end so."""
    output = objects(response.get("output"))
    last = len(output) - 1 if response.get("status") == "incomplete" else None
    return [
        item
        for index, item in enumerate(output)
        if item.get("status") != "incomplete" or index == last
    ]


def _without_repeats(new: list[Item], earlier: list[Item]) -> list[Item]:
    """Drop what a client sends again although it names the previous response."""
    ids = {item["id"] for item in earlier if item.get("id")}
    repeated = [index for index, item in enumerate(new) if item.get("id") in ids]
    last = repeated[-1] if repeated else 0
    return [
        item
        for index, item in enumerate(new)
        if item.get("id") not in ids and not (index < last and item in earlier)
    ]


def _refuse_orphans(new: list[Item], earlier: list[Item]) -> None:
    """Refuse the output of a call that is not there (OpenAI's own words)."""
    calls = {item.get("call_id") for item in (*earlier, *new) if item["type"].endswith("_call")}
    for item in new:
        if item["type"] == "function_call_output" and item["call_id"] not in calls:
            name = item["call_id"]
            raise invalid(
                f"No tool call found for function call output with call_id {name}.", "input"
            )
