"""The shape and the size of what is kept."""

import bson
import msgspec
from inline_snapshot import snapshot

from turnwire_contracts.events import TurnUsage
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_store.mongo.documents import to_document
from turnwire_store.projecting.log_excerpt import EndedTurn
from turnwire_store.projecting.view_builder import ViewBuilder
from turnwire_testing.examples import AT, RESPONSE_ID, closed, message, requested, user

TURN = ClosedTurn(
    requested(input=[user("x" * 100)], stream=True),
    closed(
        at=AT + 900,
        output=[message("y" * 80)],
        cuts=[["E" * 20]],
        usage=TurnUsage(input_tokens=40, output_tokens=20),
    ),
)


def test_a_document_says_what_it_is_without_being_taken_apart() -> None:
    (view,) = ViewBuilder(0).views([EndedTurn(7, TURN)])

    document = to_document(view)
    turn = document.pop("turn")

    assert msgspec.json.decode(turn, type=ClosedTurn) == TURN
    assert int(document["closed_at"]) - int(document["created_at"]) == 900
    created_at = bson.decode(bson.encode({"is": document.pop("created_at")}))["is"]
    assert str(created_at) == "2023-11-14 22:13:20.123000"
    document.pop("closed_at")
    assert document == snapshot(
        {
            "_id": "resp_019a0000000000000000000000000001",
            "tenant": "acme",
            "owner": "ada",
            "seq": 7,
            "schema": 4,
            "status": "completed",
            "model": "m",
            "parent": None,
            "chain": "resp_019a0000000000000000000000000001",
            "depth": 0,
            "fork": None,
            "began": 0,
            "keys": ["*:", "3:ada:", "*:model:m", "3:ada:model:m"],
            "summary": {"input_tokens": 40, "output_tokens": 20},
        }
    )


def test_a_short_turn_takes_less_than_1400_bytes() -> None:
    parent = requested(previous_response_id=RESPONSE_ID, input=[user("x" * 100)], stream=True)
    (view,) = ViewBuilder(0).views([EndedTurn(7, ClosedTurn(parent, TURN.closed))])

    assert len(bson.encode(to_document(view))) < 1400


def test_a_turn_that_no_document_can_hold_has_no_view() -> None:
    huge = ClosedTurn(
        requested(input=[user("x" * 15_000_000)]), closed(output=[message("y" * 10**6)])
    )

    assert ViewBuilder(0).views([EndedTurn(7, huge)]) == []
