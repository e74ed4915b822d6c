"""How the backends of this world bend the grammar."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

import orjson

from scripted_backend.answers import (
    Completed,
    Dialect,
    Incomplete,
    Interrupted,
    Item,
    Reasoning,
    Reply,
)
from scripted_backend.grammar import Event, Exchange, Object, final_response, stream_events

_LLAMACPP_UNSAID = {
    "response.function_call_arguments.done",
    "response.reasoning_text.done",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.output_text.annotation.added",
}
_LLAMACPP_RESPONSE = {"id", "object", "created_at", "status", "model", "output", "usage"}
_LLAMACPP_STARTED = {"id", "object", "status"}
_INDICES = {"output_index", "content_index", "summary_index"}


def say(reply: Reply, exchange: Exchange, dialect: Dialect) -> list[Event]:
    """List the events of a reply as this kind of backend would stream them."""
    events = stream_events(_sayable(reply, dialect), exchange)
    match dialect:
        case "openai" | "ollama":
            return events
        case "llamacpp":
            return _llamacpp_order([_llamacpp(event) for event in events if _llamacpp_says(event)])
        case "vllm":
            return [_vllm(event) for event in events]
        case "sglang":
            return [_sglang(event) for event in events]
        case _:
            assert_never(dialect)


def say_at_once(reply: Reply, exchange: Exchange, dialect: Dialect) -> Object:
    """Make the response object of a plain request as this kind of backend would."""
    response = final_response(_sayable(reply, dialect), exchange)
    match dialect:
        case "openai" | "ollama":
            return response
        case "llamacpp":
            return _llamacpp_response(response)
        case "vllm":
            return _without(response, {"error"})
        case "sglang":
            return _sglang_response(response)
        case _:
            assert_never(dialect)


def encode(event: Mapping[str, Any]) -> bytes:
    """Make the bytes of one event; an event without a type has no `event:` line."""
    name = event.get("type")
    head = b"event: %b\n" % str(name).encode() if name else b""
    return b"%bdata: %b\n\n" % (head, orjson.dumps(event))


def numbered(events: Iterable[Event], dialect: Dialect, first: int = 0) -> Iterator[Event]:
    """Give each event its number, where the dialect has numbers; a bare error never has one."""
    for number, event in enumerate(events, first):
        silent = dialect == "llamacpp" or "type" not in event
        yield event if silent else {**event, "sequence_number": number}


def _sayable(reply: Reply, dialect: Dialect) -> Reply:
    if dialect in {"llamacpp", "ollama", "sglang"} and isinstance(reply.outcome, Incomplete):
        # None of them ever says that it truncated.
        reply = replace(reply, outcome=Completed())
    if dialect in {"llamacpp", "vllm", "sglang"} and isinstance(reply.outcome, Interrupted):
        reply = replace(reply, outcome=replace(reply.outcome, shape="bare"))
    if dialect == "ollama":
        reply = replace(reply, items=tuple(_summarised(item) for item in reply.items))
    return reply


def _summarised(item: Item) -> Item:
    if not isinstance(item, Reasoning):
        return item
    thinking = "".join(item.deltas + item.summary)
    return Reasoning(summary=item.deltas + item.summary, encrypted_content=thinking)


def _vllm(event: Event) -> Event:
    kind: str = event.get("type", "")
    if kind.startswith("response.content_part.") and event["part"]["type"] == "reasoning_text":
        return event | {"type": kind.replace("content_part", "reasoning_part")}
    if "response" not in event:
        return event
    told = event | {"response": _without(event["response"], {"error"})}
    # vLLM ends a truncated stream with this event too; only the status inside tells.
    return told | {"type": "response.completed"} if kind == "response.incomplete" else told


def _sglang(event: Event) -> Event:
    told = _vllm(event)
    if "response" not in told:
        return told
    return told | {"response": _sglang_response(told["response"])}


def _sglang_response(response: Object) -> Object:
    """Count as chat completions do."""
    usage: Object | None = response.get("usage")
    if usage is None:
        return response
    told = {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": usage["input_tokens_details"]["cached_tokens"]},
    }
    return response | {"usage": told}


def _llamacpp_says(event: Event) -> bool:
    part: Object = event.get("part", {})
    return event.get("type") not in _LLAMACPP_UNSAID and part.get("type") != "reasoning_text"


def _llamacpp_order(events: Sequence[Event]) -> list[Event]:
    """Move the `*.done` events behind all deltas; a stream that broke off has none of them."""
    done = [event for event in events if str(event.get("type")).endswith(".done")]
    rest = [event for event in events if not str(event.get("type")).endswith(".done")]
    return rest if "error" in rest[-1] else [*rest[:-1], *done, rest[-1]]


def _llamacpp(event: Event) -> Event:
    told = _without(event, _INDICES)
    if "item" in told:
        told["item"] = _llamacpp_item(told["item"])
    if told.get("type") in {"response.created", "response.in_progress"}:
        response: Object = told["response"]
        told["response"] = {key: response[key] for key in _LLAMACPP_STARTED}
    elif "response" in told:
        told["response"] = _llamacpp_response(told["response"])
    return told


def _llamacpp_response(response: Object) -> Object:
    told: Object = {key: response[key] for key in _LLAMACPP_RESPONSE}
    told["output"] = [_llamacpp_item(item) for item in response["output"]]
    told["completed_at"] = response["created_at"]
    if response["usage"] is not None:
        told["usage"] = _without(response["usage"], {"output_tokens_details"})
    return told


def _llamacpp_item(item: Object) -> Object:
    match item["type"]:
        case "function_call":
            # The id is gone, and the odd call id is what the deltas name as `item_id`.
            return _without(item, {"id"}) | {"call_id": item["id"]}
        case "reasoning":
            return item | {"summary": [], "encrypted_content": ""}
        case _:
            return item


def _without(told: Mapping[str, Any], unsaid: set[str]) -> Object:
    return {key: value for key, value in told.items() if key not in unsaid}
