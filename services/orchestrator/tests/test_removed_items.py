"""What a history has not: items that were taken out, and items that nobody knows."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.ids import ItemId, input_item_id, output_item_id
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.prompting.history import (
    HistoryTurn,
    encode_input,
    past_of,
    unknown_reference,
)
from turnwire_orchestrator.turn_runner.sampling import context_of
from turnwire_testing.examples import (
    CONVERSATION_ID,
    OTHER_ID,
    RESPONSE_ID,
    closed,
    item_removed,
    message,
    requested,
    user,
)
from turnwire_testing.orchestration import World

ITEMS = [user("0"), user("1"), {**user("2"), "id": "msg_mine"}]
SAID = [message("3", 0), message("4", 1)]
NAMES = [
    input_item_id(RESPONSE_ID, 0, "message"),
    input_item_id(RESPONSE_ID, 1, "message"),
    ItemId("msg_mine"),
    output_item_id(RESPONSE_ID, 0, "message"),
    output_item_id(RESPONSE_ID, 1, "message"),
]


def turn(removed: list[ItemId], **changes: Any) -> ClosedTurn:
    """A turn that has ended, from whose conversation some items were taken out."""
    gone = [item_removed(item_id=name) for name in removed]
    ended = fold([requested(input=ITEMS, **changes), closed(output=SAID), *gone])
    assert isinstance(ended, ClosedTurn)
    return ended


def texts(past: HistoryTurn) -> list[str]:
    """Give what a model would read."""
    items = orjson.loads(encode_input(past, b""))
    return [item["content"][0]["text"] for item in items]


def reference(item_id: str) -> Item:
    """Refer to an item."""
    return {"type": "item_reference", "id": item_id}


@given(st.lists(st.sampled_from(NAMES), max_size=8))
def test_a_model_reads_all_but_what_was_taken_out(removed: list[ItemId]) -> None:
    left = [str(index) for index, name in enumerate(NAMES) if name not in removed]
    assert texts(past_of(turn(removed), None)) == left


def test_what_was_taken_out_is_not_known_any_more() -> None:
    past = past_of(turn([NAMES[0]]), None)
    again = requested(response_id=OTHER_ID, input=[reference(NAMES[0])])
    assert unknown_reference(again, past) == NAMES[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_reference_into_the_history_is_known(name: str) -> None:
    asked = requested(response_id=OTHER_ID, input=[user("x"), reference(name)])
    assert unknown_reference(asked, past_of(turn([]), None)) is None
    assert unknown_reference(asked, None) == name


def test_the_first_reference_that_nobody_knows_is_named() -> None:
    asked = requested(input=[reference(NAMES[0]), reference("msg_x"), reference("msg_y")])
    assert unknown_reference(asked, past_of(turn([]), None)) == "msg_x"


def test_a_request_without_references_refers_to_nothing_unknown() -> None:
    assert unknown_reference(requested(input=[{**user("a"), "id": "msg_x"}]), None) is None


async def test_a_turn_that_refers_to_what_nobody_knows_is_refused() -> None:
    world = World()
    request = await world.request(input=[reference("msg_x")])
    await world.run(request)
    status, body = world.answer
    assert (status, body["error"]["code"]) == (404, "item_not_found")
    assert world.backend.bodies == []


@pytest.mark.parametrize("conversation", [None, CONVERSATION_ID])
async def test_only_in_a_conversation_does_a_turn_stand_on_what_others_said(
    conversation: str | None,
) -> None:
    world = World()
    ports = world.ports()
    ports.histories.remember(turn([], owner="bob"), None)
    asked = requested(
        response_id=OTHER_ID, previous_response_id=RESPONSE_ID, conversation=conversation
    )
    if conversation is None:
        with pytest.raises(TurnFailedError) as raised:
            await context_of(asked, ports)
        assert raised.value.failure.code == "previous_response_not_found"
    else:
        past = (await context_of(asked, ports)).history
        assert past is not None
        assert past.response_id == RESPONSE_ID
