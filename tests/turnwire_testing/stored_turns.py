"""Views of turns by their number, as the store keeps them."""

from typing import Any

import msgspec

from turnwire_contracts.ids import ResponseId
from turnwire_store.chain_position import ChainPosition
from turnwire_store.views import View
from turnwire_testing.examples import OWNER, TENANT


def turn_id(number: int) -> ResponseId:
    """Return the id of the turn of this number."""
    return ResponseId(f"resp_{number:032x}")


def view(number: int, **changes: Any) -> View:
    """Return the view of the turn at this place of one chain, with `changes` to its fields."""
    of_chain = View(
        response_id=turn_id(number),
        tenant=TENANT,
        owner=OWNER,
        sequence=number + 1,
        status="completed",
        model="m",
        created_at=1_700_000_000_123,
        closed_at=1_700_000_001_123,
        parent=turn_id(number - 1) if number else None,
        place=ChainPosition(turn_id(0), number),
        fork=None,
        turn='{"a":"ü"}',
    )
    return msgspec.structs.replace(of_chain, **changes)
