"""References to items that Turnwire keeps: the item itself takes the place of its reference."""

import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId, place_of_item
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.items import named_items
from turnwire_contracts.wire.refusals import item_not_found
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError, invalid, too_large
from turnwire_gateway.store_client import StoreClient

_MOST_RESPONSES = 1000
"""Each costs a question to the store."""


class References:
    """Resolves `item_reference`."""

    def __init__(self, store: StoreClient, most_bytes: int) -> None:
        """`most_bytes`: how large all items that a request refers to may be together."""
        self._store = store
        self._most_bytes = most_bytes

    async def resolved(self, caller: Caller, items: list[Item]) -> list[Item]:
        """Put items in the place of references to them; references to foreign ids stay.

        Raises `ApiError`: 404 for what is not there, 400 and 413 when it is too much.
        """
        responses = {
            item["id"]: place[0]
            for item in items
            if item["type"] == "item_reference" and (place := place_of_item(item["id"]))
        }
        if not responses:
            return items
        referenced = await self._found(caller, responses)
        self._check_size(items, referenced)
        return [
            referenced.get(item["id"], item) if item["type"] == "item_reference" else item
            for item in items
        ]

    async def all_resolved(self, caller: Caller, items: list[Item]) -> list[Item]:
        """Put items in the place of all references; raises `ApiError` as `resolved` does."""
        resolved = await self.resolved(caller, items)
        for item in resolved:
            if item["type"] == "item_reference":
                raise ApiError(item_not_found(item["id"]))
        return resolved

    async def _found(self, caller: Caller, responses: dict[str, ResponseId]) -> dict[str, Item]:
        """Give items by their id; `responses` has the response of each."""
        distinct = dict.fromkeys(responses.values())
        if len(distinct) > _MOST_RESPONSES:
            message = f"The input refers to items of more than {_MOST_RESPONSES} responses."
            raise invalid(message, "input")
        found: dict[str, Item] = {}
        for response_id in distinct:
            items = await self._items(caller, response_id)
            found |= {item["id"]: item for item in items if item["id"] in responses}
        for item_id in responses:
            if item_id not in found:
                raise ApiError(item_not_found(item_id))
        return found

    def _check_size(self, items: list[Item], referenced: dict[str, Item]) -> None:
        # A short reference is replaced by an item that may be long, and may be repeated.
        sizes = {item_id: len(orjson.dumps(item)) for item_id, item in referenced.items()}
        total = sum(sizes.get(item["id"], 0) for item in items if item["type"] == "item_reference")
        if total > self._most_bytes:
            raise too_large(self._most_bytes)

    async def _items(self, caller: Caller, response_id: ResponseId) -> list[Item]:
        turn = await self._store.turn(caller, response_id)
        if not isinstance(turn, ClosedTurn) or turn.deleted:
            return []
        items = [*named_items(turn.request), *turn.output]
        return [item for item in items if item["id"] not in turn.removed]
