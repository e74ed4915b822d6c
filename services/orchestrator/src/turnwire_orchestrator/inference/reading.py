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

from turnwire_contracts.json_repair import lenient_json
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.items import ARGUMENT_FIELDS
from turnwire_orchestrator.inference.ending import TERMINAL, failed, outcome_of, unfinished
from turnwire_orchestrator.inference.errors import is_error, may_be_error, object_in
from turnwire_orchestrator.inference.item_events import ItemEvents
from turnwire_orchestrator.inference.item_shapes import output_of, text_of
from turnwire_orchestrator.inference.open_items import OpenItems
from turnwire_orchestrator.ports import SampleOutcome
from turnwire_orchestrator.prompting.client_tools import AS_THEY_ARE, ClientTools


class _Glance(msgspec.Struct):
    """The little that must be known of every event; a delta needs no more."""

    type: str | None = None
    item_id: Any = None
    output_index: Any = None
    content_index: Any = None
    summary_index: Any = None
    delta: Any = None
    logprobs: Any = None


_TEXTS = {
    "response.output_text": "output_text",
    "response.text": "output_text",
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
_OUTPUTS = {"output", "output_text"}
_RUNNING = ("queued", "in_progress")


def _is_whole(body: JSON) -> bool:
    """Tell whether an object without a type is a whole answer."""
    is_answer = body.get("object") == "response" or not _OUTPUTS.isdisjoint(body)
    return is_answer and body.get("status") not in _RUNNING


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
        self.outcome: SampleOutcome | None = None
        self._assembler = assembler
        self._max_output_tokens = max_output_tokens
        self._items = OpenItems(assembler)
        self._events = ItemEvents(self._items, tools)
        self._glance = msgspec.json.Decoder(_Glance)
        self._streaming: tuple[Any, ...] | None = None
        self._is_done = False
        self._last_words: JSON = {}
        self._handlers: dict[str, Callable[[JSON], None]] = {
            "response.output_item.added": self._events.item_added,
            "response.content_part.added": self._events.part_added,
            "response.reasoning_summary_part.added": self._events.part_added,
            "response.output_text.annotation.added": self._events.annotated,
            "response.content_part.done": self._events.part_done,
            "response.reasoning_summary_part.done": self._events.part_done,
            "response.output_item.done": self._events.item_done,
            "error": self._error,
            "response.error": self._error,
        }

    def take(self, data: bytes) -> None:
        """Take the data of one event.

        Raises `ValueError` when a backend's stream makes no sense.
        """
        if self.outcome is not None:
            return
        if data == b"[DONE]":
            self._is_done = True
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
            body = object_in(data)
        self._take_body(event.type or "", body)

    def _take_broken(self, data: bytes) -> None:
        """Take an event of which a text is not Unicode; half a character is kept for the next."""
        self._streaming = None
        try:
            said = object_in(data)
            event = msgspec.convert(said, _Glance)
        except ValueError as error:
            raise ValueError(f"not an event: {data[:80]!r}") from error
        part = _DELTAS.get(event.type or "")
        if part is None:
            self._take_body(event.type or "", said)
            return
        event.delta = lenient_json(data)["delta"]
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
        elif not kind and _is_whole(body):
            # A whole answer where a stream was asked for.
            self._terminal("response.completed", body)
        elif not kind and mapping(body.get("response")):
            self._terminal("response.completed", mapping(body["response"]))
        elif not kind.startswith("response."):
            if is_error(body):
                self._error(body)
            elif may_be_error(body):
                self._last_words = body

    def _delta(self, part: str, event: _Glance) -> None:
        text = event.delta
        index = event.summary_index if part == "summary_text" else event.content_index
        place = (event.item_id, event.output_index, index, part)
        if self._streaming == place and isinstance(text, str):
            logprobs = objects(event.logprobs) if event.logprobs else None
            self._assembler.delta(text, logprobs)
            return
        self._streaming = None
        if part in ARGUMENT_FIELDS:
            text = text_of(text)
        if not isinstance(text, str) or not text:
            return
        item = self._events.item_of(part, event.item_id, event.output_index)
        if item.is_told and item.said_end is None and text.strip():
            raise ValueError(f"a delta for the item {event.item_id}, which had ended")
        if item.is_told or item.said_end is not None:
            return
        open_text = item.arguments if part in ARGUMENT_FIELDS else item.texts.speaking(part, index)
        open_text.say(text, objects(event.logprobs) if event.logprobs else None)
        if self._items.show(item) and open_text.streams:
            self._streaming = place

    def _terminal(self, kind: str, response: JSON) -> None:
        messages = [item for item in self._items.all if item.kind == "message" and item.texts.said]
        self._events.whole(output_of(response, takes_text=len(messages) <= 1))
        named = "response.completed" if kind == "response.done" else kind
        self._end(outcome_of(named, response, self._max_output_tokens))

    def _error(self, event: JSON) -> None:
        response = mapping(event.get("response"))
        self._end(failed(response if response.get("error") else event))

    def _end(self, outcome: SampleOutcome) -> None:
        self._items.end("completed" if outcome.status == "completed" else "incomplete")
        self.outcome = outcome

    def stop(self) -> None:
        """Tell what waits, of an answer that was given up."""
        if self.outcome is None:
            self._items.end("incomplete")

    def end(self) -> SampleOutcome:
        """Give the outcome once the stream is over; one without an end of its own is a failure."""
        if self.outcome is not None:
            return self.outcome
        is_whole = self._is_done and self._items.are_whole
        outcome = unfinished("no terminal event", self._last_words, is_whole=is_whole)
        self._end(outcome)
        return outcome
