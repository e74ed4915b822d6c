"""Reads a backend's Responses stream, in whatever dialect, and tells the assembler what was said.

Nothing of the backend's shape is trusted: its ids, indices and numbers only tell its items apart,
what it leaves out is inferred. Known dialects: vLLM (reasoning parts without content parts; a cut
answer ends with the event `response.completed`), llama.cpp (no indices, no
`function_call_arguments.done`, all `*.done` events of all items together at the end), Ollama
(reasoning as summary), SGLang (usage in the shape of chat completions), GitHub Copilot (another
item id in every event).
"""

from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.items import (
    ARGUMENT_FIELDS,
    STREAMED_ITEMS,
    TEXT_FIELDS,
    parts_of,
    said_at_the_end,
)
from turnwire_orchestrator.inference.ending import TERMINAL, Outcome, failed, outcome_of, unfinished
from turnwire_orchestrator.inference.errors import is_error
from turnwire_orchestrator.inference.item_names import ItemNames, as_name, name_of
from turnwire_orchestrator.inference.open_items import OpenItem, OpenItems, text_of
from turnwire_orchestrator.inference.surrogates import lenient_json, mended
from turnwire_orchestrator.prompting.tools.client_tools import AS_THEY_ARE, ClientTools


class _Glance(msgspec.Struct):
    """The little that must be known of every event; a delta needs no more."""

    type: str | None = None
    item_id: Any = None
    output_index: Any = None
    delta: Any = None
    logprobs: Any = None


_TEXTS = {
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_text": "reasoning_text",
    "response.reasoning": "reasoning_text",
    "response.reasoning_summary_text": "summary_text",
    "response.function_call_arguments": "function_call",
    "response.custom_tool_call_input": "custom_tool_call",
}
"""The beginnings of the names of `.delta` and `.done` events, and the kind of part or of item that
each text belongs in."""

_DELTAS = {f"{name}.delta": kind for name, kind in _TEXTS.items()}
_DONES = {f"{name}.done": kind for name, kind in _TEXTS.items()}
_TERMINAL = {**TERMINAL, "response.done": "completed"}
_RUNNING = ("queued", "in_progress")
_OWNERS = {
    "output_text": "message",
    "refusal": "message",
    "reasoning_text": "reasoning",
    "summary_text": "reasoning",
}
_HEAD_FIELDS = {"type", "name", "namespace", "phase", "call_id"}


class Reader:
    """Takes the events of one sample; `outcome` is set once the backend has said its end."""

    def __init__(
        self,
        assembler: Assembler,
        max_output_tokens: int | None,
        tools: ClientTools = AS_THEY_ARE,
    ) -> None:
        """Tell `assembler`; a backend that hides a cut is found out by `max_output_tokens`.

        `tools` say what the client calls the functions of the model.
        """
        self.outcome: Outcome | None = None
        self._assembler = assembler
        self._max_output_tokens = max_output_tokens
        self._tools = tools
        self._items = OpenItems(assembler)
        self._names = ItemNames(self._items)
        self._glance = msgspec.json.Decoder(_Glance)
        self._streaming: tuple[Any, Any, str] | None = None
        self._handlers: dict[str, Callable[[JSON], None]] = {
            "response.output_item.added": self._item_added,
            "response.content_part.added": self._part_added,
            "response.reasoning_summary_part.added": self._part_added,
            "response.output_text.annotation.added": self._annotated,
            "response.content_part.done": self._part_done,
            "response.reasoning_summary_part.done": self._part_done,
            "response.output_item.done": self._item_done,
            "error": self._error,
        }

    def take(self, data: bytes) -> None:
        """Take the data of one event.

        Raises `ValueError` when a backend's stream makes no sense.
        """
        if self.outcome is not None or data == b"[DONE]":
            return
        try:
            event = self._glance.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._take_broken(data)
            return
        part = _DELTAS.get(event.type or "")
        if part is not None:
            self._delta(part, event)
            return
        try:
            body = mapping(msgspec.json.decode(data))
        except UnicodeDecodeError:
            body = mapping(mended(lenient_json(data)))
        self._take_body(event.type or "", body)

    def _take_broken(self, data: bytes) -> None:
        """Take an event of which a text is not Unicode; half a character is kept for the next."""
        try:
            said = lenient_json(data)
            event = msgspec.convert(said, _Glance)
        except ValueError as error:
            raise ValueError(f"not an event: {data[:80]!r}") from error
        part = _DELTAS.get(event.type or "")
        if part is None:
            self._take_body(event.type or "", mapping(mended(said)))
            return
        event.logprobs, event.item_id = mended(event.logprobs), mended(event.item_id)
        self._delta(part, event)

    def _take_body(self, kind: str, body: JSON) -> None:
        self._streaming = None
        try:
            self._tell(kind, body)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{kind} makes no sense") from error

    def _tell(self, kind: str, body: JSON) -> None:
        if kind in _TERMINAL:
            self._terminal(kind, mapping(body.get("response")) or body)
        elif kind in _DONES:
            self._text_done(_DONES[kind], body)
        elif handler := self._handlers.get(kind):
            handler(body)
        elif not kind and body.get("object") == "response" and body.get("status") not in _RUNNING:
            # A whole answer where a stream was asked for.
            self._terminal("response.completed", body)
        elif not kind and mapping(body.get("response")):
            self._terminal("response.completed", mapping(body["response"]))
        elif not kind.startswith("response.") and is_error(body):
            self._error(body)

    def _delta(self, part: str, event: _Glance) -> None:
        text = event.delta
        if self._streaming == (event.item_id, event.output_index, part) and isinstance(text, str):
            logprobs = objects(event.logprobs) if event.logprobs else None
            self._assembler.delta(text, logprobs)
            return
        self._streaming = None
        if part in ARGUMENT_FIELDS:
            text = text_of(text)
        if not isinstance(text, str) or not text:
            return
        item = self._item_of(part, event.item_id, event.output_index)
        if item is None or item.said_end is not None or item.is_told:
            if item is not None and item.is_told and item.said_end is None and text.strip():
                raise ValueError(f"a delta for the item {event.item_id}, which had ended")
            return
        item.say(text, objects(event.logprobs) if event.logprobs else None)
        if self._items.show(item) and not item.has_half:
            self._streaming = event.item_id, event.output_index, part

    def _item_of(self, part: str, item_id: Any, index: Any) -> OpenItem | None:
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

    def _item_added(self, event: JSON) -> None:
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

    def _part_added(self, event: JSON) -> None:
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

    def _annotated(self, event: JSON) -> None:
        item = self._names.find(as_name(event.get("item_id")), event.get("output_index"), "message")
        if (annotation := event.get("annotation")) and item is not None:
            item.annotations.append(_sendable(annotation))

    def _text_done(self, part: str, event: JSON) -> None:
        """Take the end of a text: what its deltas did not say is said."""
        kind = _OWNERS.get(part, part)
        field = TEXT_FIELDS.get(part) or ARGUMENT_FIELDS[part]
        text = text_of(event.get(field))
        item = self._names.find(as_name(event.get("item_id")), event.get("output_index"), kind)
        if item is None and text:
            item = self._item_of(part, event.get("item_id"), event.get("output_index"))
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

    def _part_done(self, event: JSON) -> None:
        part = mapping(event.get("part"))
        kind = str(part.get("type") or _summary_in(event))
        if kind not in TEXT_FIELDS:
            return
        self._text_done(kind, {**part, **_place(event)})
        item = self._names.find(
            as_name(event.get("item_id")), event.get("output_index"), _OWNERS[kind]
        )
        if item is not None and item.said_end is None and item.part == kind:
            item.note_part_end(*_end_of(part))

    def _item_done(self, event: JSON) -> None:
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

    def _stands_for_custom(self, item: Item) -> bool:
        return item.get("type") == "function_call" and self._tools.is_custom(item.get("name"))

    def _terminal(self, kind: str, response: JSON) -> None:
        output = [_cleaned(item) for item in objects(response.get("output"))]
        for item, known in self._names.matched(output):
            if known is not None:
                self._take_end(known, item)
            elif isinstance(item.get("type"), str) and item["type"]:
                self._items.settle()
                self._take_end(self._add(item["type"], None, name_of(item), None), item)
        named = "response.completed" if kind == "response.done" else kind
        self._end(outcome_of(named, response, self._max_output_tokens))

    def _error(self, event: JSON) -> None:
        self._end(failed(event))

    def _end(self, outcome: Outcome) -> None:
        self._items.end("completed" if outcome.status == "completed" else "incomplete")
        self.outcome = outcome

    def stop(self) -> None:
        """Tell what waits, of an answer that nobody waits for any more."""
        if self.outcome is None:
            self._items.end("incomplete")

    def end(self) -> Outcome:
        """Give the outcome once the stream is over; one without a terminal event is a failure."""
        if self.outcome is None:
            self._end(unfinished("no terminal event"))
        return self.outcome or unfinished("no terminal event")


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
