"""Reads a backend's Responses stream, in whatever dialect, and tells the assembler what was said.

Nothing of the backend's shape is trusted: its ids, indices and numbers are dropped, what it leaves
out is inferred. Known dialects: vLLM (reasoning parts without content parts; a cut answer ends with
the event `response.completed`), llama.cpp (no indices, no `function_call_arguments.done`, all
`*.done` events of all items together at the end), Ollama (reasoning as summary), SGLang (usage in
the shape of chat completions).
"""

from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.assembly import Assembler, write_item
from turnwire_contracts.wire.items import ARGUMENT_FIELDS, TEXT_FIELDS, parts_of, said_at_the_end
from turnwire_orchestrator.inference.ending import TERMINAL, Outcome, failed, outcome_of, unfinished
from turnwire_orchestrator.inference.errors import is_error
from turnwire_orchestrator.prompting.tools.client_tools import AS_THEY_ARE, ClientTools


class _Glance(msgspec.Struct):
    """The little that must be known of every event; a delta needs no more."""

    type: str = ""
    item_id: str = ""
    delta: Any = None
    logprobs: Any = None


_DELTAS = {
    "response.output_text.delta": "output_text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning_text",
    "response.reasoning.delta": "reasoning_text",
    "response.reasoning_summary_text.delta": "summary_text",
    "response.function_call_arguments.delta": "function_call",
    "response.custom_tool_call_input.delta": "custom_tool_call",
}
"""Deltas, and the kind of part or of item that each belongs in."""

_STREAMED_ITEMS = {"message", "reasoning", *ARGUMENT_FIELDS}
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

        `tools` say what the client calls the functions that the model may call.
        """
        self.outcome: Outcome | None = None
        self._assembler = assembler
        self._max_output_tokens = max_output_tokens
        self._tools = tools
        self._held: str | None = None
        self._glance = msgspec.json.Decoder(_Glance)
        self._item_id = ""
        self._ended: set[str] = set()
        self._item_silent = True
        self._part_silent = True
        self._annotations: list[JSON] = []
        self._handlers: dict[str, Callable[[JSON], None]] = {
            "response.output_item.added": self._item_added,
            "response.content_part.added": self._part_added,
            "response.reasoning_summary_part.added": self._summary_added,
            "response.output_text.annotation.added": self._annotated,
            "response.content_part.done": self._part_done,
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
        except msgspec.DecodeError as error:
            raise ValueError(f"not an event: {data[:80]!r}") from error
        part = _DELTAS.get(event.type)
        if part is not None:
            self._delta(part, event)
            return
        body = mapping(orjson.loads(data))
        try:
            self._tell(event.type, body)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{event.type} makes no sense") from error

    def _tell(self, kind: str, body: JSON) -> None:
        if kind in TERMINAL:
            self._terminal(kind, mapping(body.get("response")))
        elif handler := self._handlers.get(kind):
            handler(body)
        elif not kind.startswith("response.") and is_error(body):
            self._error(body)

    def _delta(self, kind: str, event: _Glance) -> None:
        if event.item_id in self._ended and event.item_id:
            raise ValueError(f"a delta for the item {event.item_id}, which had ended")
        if not isinstance(event.delta, str) or event.item_id == self._held:
            return
        self._ensure(kind)
        self._say(event.delta, objects(event.logprobs) if event.logprobs else None)

    def _say(self, text: str, logprobs: list[JSON] | None = None) -> None:
        self._item_silent = self._part_silent = False
        self._assembler.delta(text, logprobs)

    def _ensure(self, kind: str) -> None:
        """Open what a delta needs, where the backend did not say so itself."""
        if kind in ARGUMENT_FIELDS:
            if self._assembler.in_item != kind:
                raise ValueError(f"arguments without a {kind}")
            return
        owner = "reasoning" if kind in ("reasoning_text", "summary_text") else "message"
        if self._assembler.in_item != owner:
            self._start({"type": owner}, "")
        if self._assembler.in_part != kind:
            self._add_part(kind)

    def _add_part(self, kind: str) -> None:
        self._end_part_with_annotations()
        self._part_silent = True
        self._assembler.add_part(kind)

    def _end_part_with_annotations(self) -> None:
        """End a part whose own end was not told, with what was told of it."""
        if self._annotations:
            self._assembler.end_part(self._annotations)
            self._annotations = []

    def _start(self, head: Item, item_id: str) -> None:
        if self._item_id:
            self._ended.add(self._item_id)
        self._item_id = item_id
        self._held = None
        self._item_silent = True
        self._end_part_with_annotations()
        self._assembler.add_item(head)

    def _item_added(self, event: JSON) -> None:
        item = mapping(event.get("item"))
        kind = item.get("type")
        if kind not in _STREAMED_ITEMS:
            # Told as a whole when it is done.
            return
        if self._stands_for_custom(item):
            # Its text stands inside the arguments: told when it is done, too.
            self._held = str(item.get("id") or item.get("call_id") or "")
            return
        head = {name: value for name, value in item.items() if name in _HEAD_FIELDS}
        # llama.cpp gives calls no id; their deltas name the call_id instead.
        self._start(self._tools.clients(head), item.get("id") or item.get("call_id") or "")

    def _part_added(self, event: JSON) -> None:
        kind = str(mapping(event.get("part")).get("type"))
        if kind in TEXT_FIELDS and self._assembler.in_item is not None:
            self._add_part(kind)

    def _summary_added(self, _: JSON) -> None:
        if self._assembler.in_item != "reasoning":
            self._start({"type": "reasoning"}, "")
        self._add_part("summary_text")

    def _annotated(self, event: JSON) -> None:
        if annotation := event.get("annotation"):
            self._annotations.append(annotation)

    def _part_done(self, event: JSON) -> None:
        part = mapping(event.get("part"))
        kind = str(part.get("type"))
        if event.get("item_id", "") in self._ended or self._assembler.in_part != kind:
            return
        if self._part_silent:
            self._say(_text(part, TEXT_FIELDS[kind]))
        annotations = part.get("annotations") or self._annotations
        self._assembler.end_part(annotations, part.get("logprobs"))
        self._annotations = []

    def _item_done(self, event: JSON) -> None:
        item = mapping(event.get("item"))
        item_id = item.get("id") or item.get("call_id") or ""
        if item_id in self._ended and item_id:
            return
        if self._stands_for_custom(item) or self._assembler.in_item != item.get("type"):
            self._whole(item)
            return
        self._fill(item)
        if self._assembler.in_part == "output_text":
            last = mapping(next(reversed(parts_of(item)), None))
            annotations = last.get("annotations") or self._annotations
            self._assembler.end_part(annotations, last.get("logprobs"))
            self._annotations = []
        self._assembler.end_item(said_at_the_end(item), _item_status(item))
        self._ended.add(self._item_id)
        self._item_id = ""

    def _fill(self, item: Item) -> None:
        """Take from a finished item what its deltas did not say."""
        if not self._item_silent:
            return
        if item["type"] in ARGUMENT_FIELDS:
            self._say(_text(item, ARGUMENT_FIELDS[item["type"]]))
            return
        for part in parts_of(item):
            self._ensure(part["type"])
            self._say(_text(part, TEXT_FIELDS[part["type"]]))
            self._assembler.end_part(part.get("annotations"), part.get("logprobs"))

    def _whole(self, item: Item) -> None:
        """Tell an item that came only when it was done."""
        if not item.get("type"):
            return
        if self._item_id:
            self._ended.add(self._item_id)
            self._item_id = ""
        self._end_part_with_annotations()
        write_item(self._assembler, self._tools.clients(item), [])

    def _stands_for_custom(self, item: Item) -> bool:
        return item.get("type") == "function_call" and self._tools.is_custom(item.get("name"))

    def _terminal(self, kind: str, response: JSON) -> None:
        if not self._assembler.items and self._assembler.in_item is None:
            for item in objects(response.get("output")):
                self._whole(item)
        self._end(outcome_of(kind, response, self._max_output_tokens))

    def _error(self, event: JSON) -> None:
        self._end(failed(event))

    def _end(self, outcome: Outcome) -> None:
        self._end_part_with_annotations()
        self._assembler.end_item(
            None, "completed" if outcome.status == "completed" else "incomplete"
        )
        self.outcome = outcome

    def end(self) -> Outcome:
        """Give the outcome once the stream is over; one without a terminal event is a failure."""
        if self.outcome is None:
            self._end(unfinished("no terminal event"))
        return self.outcome or unfinished("no terminal event")


def _item_status(item: Item) -> str:
    return "incomplete" if item.get("status") == "incomplete" else "completed"


def _text(part: JSON, field: str) -> str:
    text = part.get(field)
    return text if isinstance(text, str) else ""
