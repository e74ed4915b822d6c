"""What clients read when a request refers to something that is not there: what, and the way out."""

import pytest

from turnwire_contracts.events import Failure
from turnwire_contracts.wire.refusals import call_not_found, item_not_found, previous_not_found


@pytest.mark.parametrize(
    ("refusal", "problem", "way_out"),
    [
        (
            item_not_found("msg_1"),
            "Item with id 'msg_1' not found. ",
            "Items of responses created with `store: false` are not kept: send the item itself.",
        ),
        (
            previous_not_found("resp_1"),
            "Previous response with id 'resp_1' not found. ",
            "It may have been deleted, created with `store: false`, or belong to another user.",
        ),
        (
            call_not_found("call_1"),
            "No tool call found for function call output with call_id call_1.",
            "",
        ),
    ],
    ids=["item", "previous response", "call"],
)
def test_a_refusal_names_what_is_missing_and_the_way_out(
    refusal: Failure, problem: str, way_out: str
) -> None:
    assert refusal.message == problem + way_out
