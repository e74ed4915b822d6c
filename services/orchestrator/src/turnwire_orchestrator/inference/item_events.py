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
from turnwire_orchestrator.inference.item_names import ItemNames, as_name, name_of
from turnwire_orchestrator.inference.item_shapes import cleaned, text_of
from turnwire_orchestrator.inference.open_items import OpenItem, OpenItems
from turnwire_orchestrator.prompting.client_tools import ClientTools

_OWNERS = {
    "output_text": "message",
    "refusal": "message",
    "reasoning_text": "reasoning",
    "summary_text": "reasoning",
}
PartEnd = tuple[list[JSON], list[JSON] | None]
"""What the end of a part tells: its annotations and log probabilities."""

_HEAD_FIELDS = {"type", "name", "namespace", "phase", "call_id"}


class ItemEvents:
    """Takes the events that are about items, and brings what they say to the items."""

    def __init__(self, items: OpenItems, tools: ClientTools) -> None:
        """Tell `items`; `tools` say what the client calls the functions of the model."""
        self._items = items
        self._names = ItemNames(items)
        self._tools = tools

    def item_of(self, part: str, item_id: Any, index: Any) -> OpenItem:
        """Give the item that a text belongs in."""
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
        return item

    def _add(self, kind: str, head: Item | None, name: str, index: Any) -> OpenItem:
        item = self._names.add(kind, head, name, index)
        is_sealed_late = kind == "reasoning" and (head or {}).get("encrypted_content") != ""
        # Who gives no indices tells one item after another; what it ends all ends together.
        item.ends_with_next = not self._names.is_indexed(index) and (not name or not is_sealed_late)
        return item

    def item_added(self, event: JSON) -> None:
        """Take the beginning of an item."""
        item = cleaned(mapping(event.get("item")))
        kind = item.get("type")
        if not isinstance(kind, str) or not kind:
            return
        name, index = name_of(item), event.get("output_index")
        open_item = self._names.find_added(item, index)
        if open_item is not None and open_item.head is not None:
            return
        self._items.settle()
        if open_item is None:
            open_item = self._add(kind, item, name, index)
        self._begin(open_item, item)

    def _begin(self, open_item: OpenItem, item: Item) -> None:
        """Begin an item whose name is known now."""
        is_call = item["type"] in ARGUMENT_FIELDS
        open_item.is_custom = self._stands_for_custom(item)
        if item["type"] in STREAMED_ITEMS:
            head = {name: value for name, value in item.items() if name in _HEAD_FIELDS}
            open_item.head = self._tools.clients(head) if is_call else head
        else:
            open_item.head = _sendable(item)
        if is_call:
            open_item.head_arguments = item.get(ARGUMENT_FIELDS[item["type"]]) or ""
            self._items.show(open_item)
        elif self._items.current is None:
            self._items.show(open_item)

    def part_added(self, event: JSON) -> None:
        """Take the beginning of a part."""
        part = _part_kind(mapping(event.get("part")), event)
        kind = _OWNERS.get(part)
        if kind is None:
            return
        name, index = as_name(event.get("item_id")), event.get("output_index")
        item = self._names.find(name, index, kind)
        if item is not None and item.kind in _OWNERS.values() and not item.texts.said:
            # vLLM up to 0.15 announces output text in a reasoning item.
            item.texts.is_announced = True
            if item.kind != kind:
                return
        if item is None or item.kind != kind or item.is_told:
            item = self._add(kind, {"type": kind}, name, index)
        if item.said_end is not None:
            return
        item.texts.announce(part, _index_in(part, event))
        if self._items.current in (None, item):
            self._items.show(item)

    def annotated(self, event: JSON) -> None:
        """Take an annotation of an open text."""
        item = self._names.find(as_name(event.get("item_id")), event.get("output_index"), "message")
        annotation = event.get("annotation")
        if not annotation or item is None or item.kind != "message" or item.said_end is not None:
            return
        texts, index = item.texts, _index_in("output_text", event)
        text = texts.ending("output_text", index, "") or texts.ending("output_text", None, "")
        text = text or texts.speaking("output_text", index)
        text.annotations.append(_sendable(annotation))

    def text_done(self, part: str, event: JSON, end: PartEnd | None = None) -> None:
        """Take the end of a text: what its deltas did not say is said."""
        kind = _OWNERS.get(part, part)
        whole = text_of(event.get(TEXT_FIELDS.get(part) or ARGUMENT_FIELDS[part]))
        name, index = as_name(event.get("item_id")), event.get("output_index")
        item = self._names.find(name, index, kind, whole)
        if item is None and whole:
            item = self.item_of(part, name, index)
        if item is None or item.is_told or item.said_end is not None or item.kind != kind:
            return
        if item.head is None and isinstance(event.get("name"), str):
            named = {"type": kind, "name": event["name"], "call_id": event.get("call_id")}
            self._begin(item, named)
        text = item.texts.ending(part, _index_in(part, event), whole)
        if text is None and whole not in item.texts.said:
            text = item.texts.add(part, _index_in(part, event))
        if text is None:
            return
        text.fill(whole)
        text.note_end(*(end or (text.annotations, text.logprobs)))
        text.has_end = text.has_end or end is not None or not text.is_announced
        self._items.show(item)

    def part_done(self, event: JSON) -> None:
        """Take the end of a part."""
        part = mapping(event.get("part"))
        kind = _part_kind(part, event)
        if kind in TEXT_FIELDS:
            self.text_done(kind, {**part, **event}, _end_of(part))

    def item_done(self, event: JSON) -> None:
        """Take the end of an item."""
        item = cleaned(mapping(event.get("item")))
        kind = item.get("type")
        if not isinstance(kind, str) or not kind:
            return
        name, index = name_of(item), event.get("output_index")
        open_item = self._names.find_ended(item, index)
        if open_item is None:
            self._items.settle()
            open_item = self._add(kind, None, name, index)
        self._take_end(open_item, item)

    def _take_end(self, open_item: OpenItem, item: Item) -> None:
        """Take a finished item: what was not said of it is said, and it ends."""
        self._names.ended(open_item, item)
        if open_item.is_told or (
            open_item.said_end is not None and item["type"] in ARGUMENT_FIELDS
        ):
            return
        if open_item.head is None:
            self._begin(open_item, item)
        if item["type"] in ARGUMENT_FIELDS:
            open_item.arguments.fill(item.get(ARGUMENT_FIELDS[item["type"]]) or "")
        elif item["type"] in ("message", "reasoning"):
            _fill(open_item, item)
        else:
            open_item.whole = _sendable(item)
        status = "incomplete" if item.get("status") == "incomplete" else "completed"
        open_item.end(said_at_the_end(item), status)

    def whole(self, output: Iterable[JSON]) -> None:
        """Take the items of a whole answer: what was not told of them is told."""
        for item, open_item in self._names.matched([*output]):
            if open_item is not None:
                self._take_end(open_item, item)
            elif isinstance(item.get("type"), str) and item["type"]:
                self._items.settle()
                self._take_end(self._add(item["type"], None, name_of(item), None), item)

    def _stands_for_custom(self, item: Item) -> bool:
        return item.get("type") == "function_call" and self._tools.is_custom(item.get("name"))


def _fill(open_item: OpenItem, item: Item) -> None:
    """Say those parts of a finished item, and their ends, that were not told.

    Where the item is cut into other parts than were told, what is missing of its text is said.
    """
    texts, remaining = open_item.texts, [*open_item.texts.all]
    parts = [(part, text_of(part.get(TEXT_FIELDS[part["type"]]))) for part in parts_of(item)]
    is_cut_alike = len(remaining) <= len(parts) and all(
        text.kind == part["type"] and whole.startswith(text.said)
        for text, (part, whole) in zip(remaining, parts, strict=False)
    )
    everything = "".join(whole for _, whole in parts)
    if remaining and not is_cut_alike and everything.startswith(texts.said):
        remaining[-1].fill(remaining[-1].said + everything[len(texts.said) :])
        return
    for text, (part, whole) in zip(remaining, parts, strict=False):
        if text.kind == part["type"]:
            text.fill(whole)
            text.note_end(*_end_of(part))
    for part, whole in parts[len(remaining) :]:
        if is_cut_alike or whole not in texts.said:
            text = texts.add(part["type"], None)
            text.fill(whole)
            text.note_end(*_end_of(part))


def _end_of(part: JSON) -> PartEnd:
    """Give what only the end of a part tells: its annotations and log probabilities."""
    return (
        [_sendable(each) for each in objects(part.get("annotations"))],
        [_sendable(each) for each in objects(part.get("logprobs"))],
    )


def _sendable(value: JSON) -> JSON:
    """Give a value without whole numbers of more than 64 bits, which frames cannot hold."""
    return orjson.loads(msgspec.json.encode(value))


def _part_kind(part: JSON, event: JSON) -> str:
    is_summary = "summary" in str(event.get("type"))
    kind = str(part.get("type") or ("summary_text" if is_summary else ""))
    return "output_text" if kind == "text" else kind


def _index_in(part: str, event: JSON) -> Any:
    return event.get("summary_index" if part == "summary_text" else "content_index")
