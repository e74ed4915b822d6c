"""The full grammar of a reply: its items as objects and as the events OpenAI would stream."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from scripted_backend.answers import (
    FunctionCall,
    Incomplete,
    Interrupted,
    Item,
    Message,
    Reasoning,
    Refusal,
    Reply,
    Text,
    Usage,
)

Event = dict[str, Any]
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what its answer needs to know: a number for ids, and a time."""

    body: Mapping[str, Any]
    size: int
    number: int
    created_at: int
    chat: bool = False
    """Whether chat completions were asked for, and not a response."""

    @property
    def wants_logprobs(self) -> bool:
        """Whether each delta is to say how probable it was."""
        return "message.output_text.logprobs" in (self.body.get("include") or ())

    def mint(self, prefix: str, index: int = 0) -> str:
        """Make an id that is unique within one backend."""
        return f"{prefix}_{self.number:024x}{index:04x}"

    def response(self, status: str, output: Sequence[Object], usage: Object | None) -> Object:
        """Make the response object, echoing the request as OpenAI does."""
        body = self.body
        return {
            "id": self.mint("resp"),
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "model": body.get("model"),
            "output": list(output),
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": body.get("store", True),
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": usage,
            "user": None,
            "metadata": body.get("metadata") or {},
        }


def is_delta(event: Mapping[str, Any]) -> bool:
    """Tell whether an event carries generated tokens."""
    return str(event.get("type", "")).endswith(".delta")


def logprobs_of(delta: str) -> list[Object]:
    """Make the log probabilities of a delta, as if it were one token."""
    token: Object = {"token": delta, "logprob": -0.5, "bytes": list(delta.encode())}
    return [token | {"top_logprobs": [token]}]


def usage_object(usage: Usage) -> Object:
    """Make the usage member of a response."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def final_response(reply: Reply, exchange: Exchange) -> Object:
    """Make the response object at the end of a reply, as a plain request gets it."""
    items = _finished_items(reply, exchange)
    count = sum(len(_deltas(item)) for item in reply.items)
    usage = usage_object(reply.usage or Usage(max(1, exchange.size // 4), count))
    match reply.outcome:
        case Incomplete(reason):
            response = exchange.response("incomplete", items, usage)
            return response | {"incomplete_details": {"reason": reason}}
        case Interrupted(code=code, message=message):
            response = exchange.response("failed", [], None)
            return response | {"error": {"code": code, "message": message}}
        case _:
            return exchange.response("completed", items, usage)


def stream_events(reply: Reply, exchange: Exchange) -> list[Event]:
    """List the events of a reply in OpenAI's order, without sequence numbers."""
    started = exchange.response("in_progress", [], None)
    events: list[Event] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
    ]
    for index, (item, final) in enumerate(
        zip(reply.items, _finished_items(reply, exchange), strict=True)
    ):
        place = {"item_id": final["id"], "output_index": index}
        opened = final | _unfinished(item)
        events.append({"type": "response.output_item.added", "output_index": index, "item": opened})
        events += ({**event, **place} for event in _content_events(item, final, exchange))
        events.append({"type": "response.output_item.done", "output_index": index, "item": final})
    response = final_response(reply, exchange)
    if isinstance(reply.outcome, Interrupted):
        return [*_until(events, reply.outcome.after), _error_event(reply.outcome, response)]
    return [*events, {"type": f"response.{response['status']}", "response": response}]


def _until(events: Sequence[Event], after: int | None) -> Iterator[Event]:
    seen = 0
    for event in events:
        if is_delta(event):
            if seen == after:
                return
            seen += 1
        elif after is not None and seen == after and seen > 0:
            return
        yield event


def _error_event(broken: Interrupted, response: Object) -> Event:
    match broken.shape:
        case "response.failed":
            return {"type": "response.failed", "response": response}
        case "error":
            told = {"code": broken.code, "message": broken.message, "param": None}
            return {"type": "error", **told}
        case "bare":
            told = {"code": 500, "message": broken.message, "type": broken.code}
            return {"error": told}
        case _:
            assert_never(broken.shape)


def _finished_items(reply: Reply, exchange: Exchange) -> list[Object]:
    status = ["completed"] * len(reply.items)
    if isinstance(reply.outcome, Incomplete) and status:
        status[-1] = "incomplete"
    return [
        _finished(item, exchange, index, status[index]) for index, item in enumerate(reply.items)
    ]


def _finished(item: Item, exchange: Exchange, index: int, status: str) -> Object:
    match item:
        case Message(parts):
            told: Object = {"id": exchange.mint("msg", index), "type": "message"}
            content = [_part(part, logprobs=exchange.wants_logprobs) for part in parts]
            return {**told, "role": "assistant", "status": status, "content": content}
        case FunctionCall(name, deltas, call_id):
            told = {"id": exchange.mint("fc", index), "type": "function_call", "status": status}
            call_id = call_id or exchange.mint("call", index)
            return {**told, "call_id": call_id, "name": name, "arguments": "".join(deltas)}
        case Reasoning(deltas, summary, encrypted):
            told = {"id": exchange.mint("rs", index), "type": "reasoning", "status": status}
            told["summary"] = [{"type": "summary_text", "text": "".join(summary)}] * bool(summary)
            told["content"] = [{"type": "reasoning_text", "text": "".join(deltas)}] * bool(deltas)
            return {**told, "encrypted_content": encrypted}
        case _:
            assert_never(item)


def _unfinished(item: Item) -> Object:
    match item:
        case Message():
            return {"status": "in_progress", "content": []}
        case FunctionCall():
            return {"status": "in_progress", "arguments": ""}
        case Reasoning():
            empty: Object = {"summary": [], "content": [], "encrypted_content": None}
            return {"status": "in_progress", **empty}
        case _:
            assert_never(item)


def _part(part: Text | Refusal, *, logprobs: bool) -> Object:
    text = "".join(part.deltas)
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": text}
    annotations = [dict(annotation) for annotation in part.annotations]
    told = [each for delta in part.deltas for each in logprobs_of(delta)] if logprobs else []
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": told}


def _deltas(item: Item) -> tuple[str, ...]:
    match item:
        case Message(parts):
            return tuple(delta for part in parts for delta in part.deltas)
        case FunctionCall(deltas=deltas):
            return deltas
        case Reasoning(deltas, summary):
            return summary + deltas
        case _:
            assert_never(item)


def _content_events(item: Item, final: Object, exchange: Exchange) -> Iterator[Event]:
    match item:
        case Message(parts):
            for index, part in enumerate(parts):
                events = _part_events(part, logprobs=exchange.wants_logprobs)
                yield from _with(events, content_index=index)
        case FunctionCall(name, deltas):
            prefix = "response.function_call_arguments"
            yield from ({"type": f"{prefix}.delta", "delta": delta} for delta in deltas)
            yield {"type": f"{prefix}.done", "name": name, "arguments": final["arguments"]}
        case Reasoning(deltas, summary):
            if summary:
                yield from _with(_summary_events(summary), summary_index=0)
            if deltas:
                yield from _with(_raw_reasoning_events(deltas), content_index=0)
        case _:
            assert_never(item)


def _with(events: Iterable[Event], **place: int) -> Iterator[Event]:
    return ({**event, **place} for event in events)


def _part_events(part: Text | Refusal, *, logprobs: bool) -> Iterator[Event]:
    full = _part(part, logprobs=logprobs)
    if isinstance(part, Refusal):
        yield {"type": "response.content_part.added", "part": full | {"refusal": ""}}
        for delta in part.deltas:
            yield {"type": "response.refusal.delta", "delta": delta}
        yield {"type": "response.refusal.done", "refusal": full["refusal"]}
    else:
        empty: Object = full | {"text": "", "annotations": [], "logprobs": []}
        yield {"type": "response.content_part.added", "part": empty}
        for delta in part.deltas:
            told = logprobs_of(delta) if logprobs else []
            yield {"type": "response.output_text.delta", "delta": delta, "logprobs": told}
        for index, annotation in enumerate(full["annotations"]):
            told = {"annotation_index": index, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **told}
        done = {"text": full["text"], "logprobs": full["logprobs"]}
        yield {"type": "response.output_text.done", **done}
    yield {"type": "response.content_part.done", "part": full}


def _summary_events(deltas: Sequence[str]) -> Iterator[Event]:
    text = "".join(deltas)
    empty = {"type": "summary_text", "text": ""}
    yield {"type": "response.reasoning_summary_part.added", "part": empty}
    for delta in deltas:
        yield {"type": "response.reasoning_summary_text.delta", "delta": delta}
    yield {"type": "response.reasoning_summary_text.done", "text": text}
    yield {"type": "response.reasoning_summary_part.done", "part": empty | {"text": text}}


def _raw_reasoning_events(deltas: Sequence[str]) -> Iterator[Event]:
    text = "".join(deltas)
    empty = {"type": "reasoning_text", "text": ""}
    yield {"type": "response.content_part.added", "part": empty}
    for delta in deltas:
        yield {"type": "response.reasoning_text.delta", "delta": delta}
    yield {"type": "response.reasoning_text.done", "text": text}
    yield {"type": "response.content_part.done", "part": empty | {"text": text}}
