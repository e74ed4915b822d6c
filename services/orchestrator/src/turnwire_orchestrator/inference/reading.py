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

from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.items import ARGUMENT_FIELDS
from turnwire_orchestrator.inference.arguments import text_of
from turnwire_orchestrator.inference.ending import TERMINAL, Outcome, failed, outcome_of, unfinished
from turnwire_orchestrator.inference.errors import is_error
from turnwire_orchestrator.inference.item_events import ItemEvents
from turnwire_orchestrator.inference.open_items import OpenItems
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
        self._items = OpenItems(assembler)
        self._events = ItemEvents(self._items, tools)
        self._glance = msgspec.json.Decoder(_Glance)
        self._streaming: tuple[Any, Any, str] | None = None
        self._handlers: dict[str, Callable[[JSON], None]] = {
            "response.output_item.added": self._events.item_added,
            "response.content_part.added": self._events.part_added,
            "response.reasoning_summary_part.added": self._events.part_added,
            "response.output_text.annotation.added": self._events.annotated,
            "response.content_part.done": self._events.part_done,
            "response.reasoning_summary_part.done": self._events.part_done,
            "response.output_item.done": self._events.item_done,
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
        self._streaming = None
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
            self._events.text_done(_DONES[kind], body)
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
        item = self._events.item_of(part, event.item_id, event.output_index)
        if item is None or item.said_end is not None or item.is_told:
            if item is not None and item.is_told and item.said_end is None and text.strip():
                raise ValueError(f"a delta for the item {event.item_id}, which had ended")
            return
        item.say(text, objects(event.logprobs) if event.logprobs else None)
        if self._items.show(item) and not item.has_half:
            self._streaming = event.item_id, event.output_index, part

    def _terminal(self, kind: str, response: JSON) -> None:
        self._events.whole(objects(response.get("output")))
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
