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

from turnwire_contracts.assembly import Assembler, write_item
from turnwire_contracts.events import Failure, Item, Status, Usage
from turnwire_contracts.items import ARGUMENT_FIELDS, TEXT_FIELDS, parts_of, said_at_the_end
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_orchestrator.failures import backend_broke_off


class Outcome(msgspec.Struct, frozen=True):
    """How the backend ended its answer."""

    status: Status
    usage: Usage | None = None
    incomplete_reason: str | None = None
    failure: Failure | None = None
    fields: JSON = {}


class _Glance(msgspec.Struct):
    """The little that must be known of every event; a delta needs no more."""

    type: str = ""
    item_id: str = ""
    delta: Any = None


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

_TERMINAL = {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
_STREAMED_ITEMS = {"message", "reasoning", *ARGUMENT_FIELDS}
_HEAD_FIELDS = {"type", "name", "namespace", "phase", "call_id"}
_ECHOED = {"service_tier"}


class Reader:
    """Takes the events of one sample; `outcome` is set once the backend has said its end."""

    def __init__(self, assembler: Assembler, max_output_tokens: int | None) -> None:
        """Tell `assembler`; a backend that hides a cut is found out by `max_output_tokens`."""
        self.outcome: Outcome | None = None
        self._assembler = assembler
        self._max_output_tokens = max_output_tokens
        self._glance = msgspec.json.Decoder(_Glance)
        self._item_id = ""
        self._ended: set[str] = set()
        self._silent = True
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
        body = orjson.loads(data)
        if event.type in _TERMINAL:
            self._terminal(mapping(body.get("response")))
        elif not event.type and "error" in body:
            self._error(body)
        elif handler := self._handlers.get(event.type):
            handler(body)

    def _delta(self, kind: str, event: _Glance) -> None:
        if event.item_id in self._ended and event.item_id:
            raise ValueError(f"a delta for the item {event.item_id}, which had ended")
        if not isinstance(event.delta, str):
            return
        self._ensure(kind)
        self._silent = False
        self._assembler.delta(event.delta)

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
            self._assembler.add_part(kind)

    def _start(self, head: Item, item_id: str) -> None:
        if self._item_id:
            self._ended.add(self._item_id)
        self._item_id = item_id
        self._silent = True
        self._annotations = []
        self._assembler.add_item(head)

    def _item_added(self, event: JSON) -> None:
        item = mapping(event.get("item"))
        kind = item.get("type")
        if kind not in _STREAMED_ITEMS:
            # Told as a whole when it is done.
            return
        head = {name: value for name, value in item.items() if name in _HEAD_FIELDS}
        # llama.cpp gives calls no id; their deltas name the call_id instead.
        self._start(head, item.get("id") or item.get("call_id") or "")

    def _part_added(self, event: JSON) -> None:
        kind = str(mapping(event.get("part")).get("type"))
        if kind in TEXT_FIELDS and self._assembler.in_item is not None:
            self._assembler.add_part(kind)

    def _summary_added(self, _: JSON) -> None:
        self._ensure("summary_text")

    def _annotated(self, event: JSON) -> None:
        if annotation := event.get("annotation"):
            self._annotations.append(annotation)

    def _part_done(self, event: JSON) -> None:
        part = mapping(event.get("part"))
        kind = str(part.get("type"))
        if event.get("item_id", "") in self._ended or self._assembler.in_part != kind:
            return
        if self._silent:
            self._assembler.delta(part.get(TEXT_FIELDS[kind]) or "")
            self._silent = False
        annotations = part.get("annotations") or self._annotations
        self._assembler.end_part(annotations, part.get("logprobs"))
        self._annotations = []

    def _item_done(self, event: JSON) -> None:
        item = mapping(event.get("item"))
        item_id = item.get("id") or item.get("call_id") or ""
        if item_id in self._ended and item_id:
            return
        if self._assembler.in_item != item.get("type"):
            self._whole(item)
            return
        self._fill(item)
        if self._assembler.in_part == "output_text":
            last = mapping(next(reversed(parts_of(item)), None))
            self._assembler.end_part(last.get("annotations"), last.get("logprobs"))
        self._assembler.end_item(said_at_the_end(item), _item_status(item))
        self._ended.add(self._item_id)
        self._item_id = ""

    def _fill(self, item: Item) -> None:
        """Take from a finished item what its deltas did not say."""
        if not self._silent:
            return
        if item["type"] in ARGUMENT_FIELDS:
            self._assembler.delta(item.get(ARGUMENT_FIELDS[item["type"]]) or "")
            return
        for part in parts_of(item):
            if part.get("type") in TEXT_FIELDS:
                self._ensure(part["type"])
                self._assembler.delta(part.get(TEXT_FIELDS[part["type"]]) or "")
                self._assembler.end_part(part.get("annotations"), part.get("logprobs"))

    def _whole(self, item: Item) -> None:
        """Tell an item that came only when it was done."""
        if not item.get("type"):
            return
        if self._item_id:
            self._ended.add(self._item_id)
            self._item_id = ""
        write_item(self._assembler, item, [])

    def _terminal(self, response: JSON) -> None:
        # `response.status` beats the event's name: vLLM ends a cut answer with `completed`.
        status = response.get("status") or "completed"
        if status == "failed":
            self._error(response)
            return
        if not self._assembler.items and self._assembler.in_item is None:
            for item in objects(response.get("output")):
                self._whole(item)
        usage = read_usage(response.get("usage"))
        reason = mapping(response.get("incomplete_details")).get("reason")
        if status == "completed" and self._is_cut(usage):
            # llama.cpp and Ollama say "completed" when the limit ends the answer.
            status, reason = "incomplete", "max_output_tokens"
        incomplete = status == "incomplete"
        self._assembler.end_item(None, "incomplete" if incomplete else "completed")
        self.outcome = Outcome(
            status="incomplete" if incomplete else "completed",
            usage=usage,
            incomplete_reason=(reason or "max_output_tokens") if incomplete else None,
            fields={name: response[name] for name in _ECHOED if response.get(name)},
        )

    def _is_cut(self, usage: Usage | None) -> bool:
        limit = self._max_output_tokens
        return usage is not None and limit is not None and usage.output_tokens >= limit

    def _error(self, event: JSON) -> None:
        error = mapping(event.get("error")) or event
        self._assembler.end_item(None, "incomplete")
        self.outcome = Outcome(
            status="failed",
            usage=read_usage(event.get("usage")),
            failure=Failure(
                http_status=502,
                type="server_error",
                code=str(error.get("code") or "server_error"),
                message=str(error.get("message") or "The inference backend failed."),
            ),
        )

    def end(self) -> Outcome:
        """Give the outcome once the stream is over; one without a terminal event is a failure."""
        if self.outcome is None:
            self._assembler.end_item(None, "incomplete")
            failure = backend_broke_off("no terminal event")
            self.outcome = Outcome(status="failed", failure=failure)
        return self.outcome


def read_usage(usage: JSON | None) -> Usage | None:
    """Read token counts in the words of Responses or of chat completions."""
    if not usage:
        return None
    into = mapping(usage.get("input_tokens_details") or usage.get("prompt_tokens_details"))
    out = mapping(usage.get("output_tokens_details") or usage.get("completion_tokens_details"))
    return Usage(
        input_tokens=usage.get("input_tokens") or usage.get("prompt_tokens") or 0,
        output_tokens=usage.get("output_tokens") or usage.get("completion_tokens") or 0,
        cached_tokens=into.get("cached_tokens") or 0,
        cache_write_tokens=into.get("cache_write_tokens") or 0,
        reasoning_tokens=out.get("reasoning_tokens") or 0,
    )


def _item_status(item: Item) -> str:
    return "incomplete" if item.get("status") == "incomplete" else "completed"
