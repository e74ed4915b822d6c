"""What a Responses stream tells of items: their beginnings, their parts, and their ends."""

from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.items import (
    ARGUMENT_FIELDS,
    STREAMED_ITEMS,
    TEXT_FIELDS,
    parts_of,
    said_at_the_end,
)
from turnwire_orchestrator.inference.arguments import text_of
from turnwire_orchestrator.inference.item_names import ItemNames, as_name, name_of
from turnwire_orchestrator.inference.open_items import OpenItem, OpenItems
from turnwire_orchestrator.prompting.tools.client_tools import ClientTools

_OWNERS = {
    "output_text": "message",
    "refusal": "message",
    "reasoning_text": "reasoning",
    "summary_text": "reasoning",
}
_HEAD_FIELDS = {"type", "name", "namespace", "phase", "call_id"}


class ItemEvents:
    """Takes the events that are about items, and brings what they say to the items."""

    def __init__(self, items: OpenItems, tools: ClientTools) -> None:
        """Tell `items`; `tools` say what the client calls the functions of the model."""
        self._items = items
        self._names = ItemNames(items)
        self._tools = tools

    def item_of(self, part: str, item_id: Any, index: Any) -> OpenItem | None:
        """Give the item that a text belongs in, with its part open."""
        kind = _OWNERS.get(part, part)
        item = self._names.find(as_name(item_id), index, kind)
        if part in ARGUMENT_FIELDS:
            if item is not None and item.kind not in ARGUMENT_FIELDS:
                raise ValueError(f"arguments without a {part}")
            return item or self._add(kind, None, as_name(item_id), index)
        if item is None or item.kind != kind or (item.is_told and item.said_end is None):
            if item is not None:
                # Its id names another item now, so its own end cannot come.
                item.ends_with_next = True
            item = self._add(kind, {"type": kind}, as_name(item_id), index)
        if item.said_end is None and item.part != part:
            item.add_part(part)
        return item

    def _add(self, kind: str, head: Item | None, name: str, index: Any) -> OpenItem:
        item = self._names.add(kind, head, name, index)
        is_sealed_late = kind == "reasoning" and (head or {}).get("encrypted_content") != ""
        # Who gives no indices tells one item after another; what it ends all ends together.
        item.ends_with_next = not self._names.is_indexed(index) and (not name or not is_sealed_late)
        return item

    def item_added(self, event: JSON) -> None:
        """Take the beginning of an item."""
        item = _cleaned(mapping(event.get("item")))
        kind = item.get("type")
        if not isinstance(kind, str) or not kind:
            return
        name, index = name_of(item), event.get("output_index")
        known = self._names.find_added(name, index, kind)
        if known is not None and known.head is not None:
            return
        self._items.settle()
        if known is None:
            known = self._add(kind, item, name, index)
        self._begin(known, item)

    def _begin(self, known: OpenItem, item: Item) -> None:
        """Begin an item whose name is known now."""
        is_streamed = item["type"] in STREAMED_ITEMS
        known.is_custom = self._stands_for_custom(item)
        if is_streamed:
            head = {name: value for name, value in item.items() if name in _HEAD_FIELDS}
            known.head = self._tools.clients(head)
        else:
            known.head = _sendable(item)
        if item["type"] in ARGUMENT_FIELDS:
            known.known = item.get(ARGUMENT_FIELDS[item["type"]]) or ""
            self._items.show(known)
        elif self._items.current is None:
            self._items.show(known)

    def part_added(self, event: JSON) -> None:
        """Take the beginning of a part."""
        part = str(mapping(event.get("part")).get("type") or _summary_in(event))
        kind = _OWNERS.get(part)
        if kind is None:
            return
        item = self._names.find(as_name(event.get("item_id")), event.get("output_index"), kind)
        if item is None or item.kind != kind or item.is_told:
            item = self._add(
                kind, {"type": kind}, as_name(event.get("item_id")), event.get("output_index")
            )
        if item.said_end is not None or (item.part == part and not item.text):
            return
        item.add_part(part)
        if self._items.current is None:
            self._items.show(item)

    def annotated(self, event: JSON) -> None:
        """Take an annotation of the open text."""
        item = self._names.find(as_name(event.get("item_id")), event.get("output_index"), "message")
        if (annotation := event.get("annotation")) and item is not None:
            item.annotations.append(_sendable(annotation))

    def text_done(self, part: str, event: JSON) -> None:
        """Take the end of a text: what its deltas did not say is said."""
        kind = _OWNERS.get(part, part)
        field = TEXT_FIELDS.get(part) or ARGUMENT_FIELDS[part]
        text = text_of(event.get(field))
        item = self._names.find(as_name(event.get("item_id")), event.get("output_index"), kind)
        if item is None and text:
            item = self.item_of(part, event.get("item_id"), event.get("output_index"))
        if item is None or item.is_told or item.said_end is not None or item.kind != kind:
            return
        if item.head is None and isinstance(event.get("name"), str):
            named = {"type": kind, "name": event["name"], "call_id": event.get("call_id")}
            self._begin(item, named)
        if part in TEXT_FIELDS and item.part is None and not item.parts and text:
            item.add_part(part)
        if part in ARGUMENT_FIELDS or item.part == part:
            item.fill(text)
            self._items.show(item)

    def part_done(self, event: JSON) -> None:
        """Take the end of a part."""
        part = mapping(event.get("part"))
        kind = str(part.get("type") or _summary_in(event))
        if kind not in TEXT_FIELDS:
            return
        self.text_done(kind, {**part, **_place(event)})
        item = self._names.find(
            as_name(event.get("item_id")), event.get("output_index"), _OWNERS[kind]
        )
        if item is not None and item.said_end is None and item.part == kind:
            item.note_part_end(*_end_of(part))

    def item_done(self, event: JSON) -> None:
        """Take the end of an item."""
        item = _cleaned(mapping(event.get("item")))
        kind = item.get("type")
        if not isinstance(kind, str) or not kind:
            return
        name, index = name_of(item), event.get("output_index")
        known = self._names.find(name, index, kind)
        if known is None or known.kind != kind:
            if self._names.is_repeated(item, name):
                return
            self._items.settle()
            known = self._add(kind, None, name, index)
        self._take_end(known, item)

    def _take_end(self, known: OpenItem, item: Item) -> None:
        """Take a finished item: what was not said of it is said, and it ends."""
        if known.is_told or (known.said_end is not None and item["type"] in ARGUMENT_FIELDS):
            return
        if known.head is None:
            self._begin(known, item)
        if item["type"] in ARGUMENT_FIELDS:
            known.fill(item.get(ARGUMENT_FIELDS[item["type"]]) or "")
        elif item["type"] in ("message", "reasoning"):
            _fill(known, item)
        else:
            known.whole = _sendable(item)
        status = "incomplete" if item.get("status") == "incomplete" else "completed"
        self._names.ended(known, item)
        known.end(said_at_the_end(item), status)

    def whole(self, output: Iterable[JSON]) -> None:
        """Take the items of a whole answer: what was not told of them is told."""
        for item, known in self._names.matched([_cleaned(item) for item in output]):
            if known is not None:
                self._take_end(known, item)
            elif isinstance(item.get("type"), str) and item["type"]:
                self._items.settle()
                self._take_end(self._add(item["type"], None, name_of(item), None), item)

    def _stands_for_custom(self, item: Item) -> bool:
        return item.get("type") == "function_call" and self._tools.is_custom(item.get("name"))


def _fill(known: OpenItem, item: Item) -> None:
    """Say those parts of a finished item, and their ends, that were not told."""
    for number, part in enumerate(parts_of(item), start=1):
        kind = part["type"]
        if number < known.parts or (number == known.parts and known.part != kind):
            continue
        if number > known.parts:
            known.add_part(kind)
        known.fill(text_of(part.get(TEXT_FIELDS[kind])))
        known.note_part_end(*_end_of(part))


def _cleaned(item: Item) -> Item:
    """Give an item whose arguments are a text."""
    field = ARGUMENT_FIELDS.get(str(item.get("type")))
    return item if field is None else item | {field: text_of(item.get(field))}


def _end_of(part: JSON) -> tuple[list[JSON], list[JSON]]:
    """Give what only the end of a part tells: its annotations and log probabilities."""
    return (
        [_sendable(each) for each in objects(part.get("annotations"))],
        [_sendable(each) for each in objects(part.get("logprobs"))],
    )


def _sendable(value: JSON) -> JSON:
    """Give a value without whole numbers of more than 64 bits, which frames cannot hold."""
    return orjson.loads(msgspec.json.encode(value))


def _summary_in(event: JSON) -> str:
    return "summary_text" if "summary" in str(event.get("type")) else ""


def _place(event: JSON) -> JSON:
    return {name: event.get(name) for name in ("item_id", "output_index")}
