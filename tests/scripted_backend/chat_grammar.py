"""A reply as chat completions tell it, in the ways of the backends of this world."""

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import orjson

from scripted_backend.answers import (
    Completed,
    Dialect,
    FunctionCall,
    Incomplete,
    Interrupted,
    Item,
    Message,
    Reasoning,
    Refusal,
    Reply,
    Usage,
)
from scripted_backend.beats import Beat
from scripted_backend.grammar import Exchange, Object, logprobs_of

_DONE = b"data: [DONE]\n\n"
_THOUGHT_FIELD: Mapping[Dialect, str] = {"vllm": "reasoning", "ollama": "reasoning"}


def chat_beats(reply: Reply, exchange: Exchange, dialect: Dialect) -> Iterator[Beat]:
    """Stream a reply chunk by chunk, to `[DONE]` or to the error that breaks it."""
    told = _Chunks(exchange)
    yield Beat(told.chunk({"role": "assistant", "content": None if dialect == "llamacpp" else ""}))
    left = _deltas_before_the_error(reply)
    for delta in _deltas(reply, dialect):
        if left == 0:
            break
        yield Beat(told.chunk(delta), deltas=1)
        left -= 1
    if isinstance(reply.outcome, Interrupted):
        error = {"message": reply.outcome.message, "type": reply.outcome.code, "code": 500}
        yield Beat(b"data: %b\n\n" % orjson.dumps({"error": error}), terminal=True)
        return
    yield Beat(told.chunk({}, _finish_reason(reply)), terminal=True)
    if (exchange.body.get("stream_options") or {}).get("include_usage"):
        yield Beat(told.usage(usage_told(reply, exchange)))
    yield Beat(_DONE)


def chat_at_once(reply: Reply, exchange: Exchange) -> Object:
    """Make the whole completion of a plain request."""
    message: Object = {"role": "assistant", "content": None}
    for delta in _deltas(reply, "ollama"):
        for name, value in delta.items():
            whole: Any = message.get(name)
            message[name] = value if whole is None else whole + value
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    return {
        "id": exchange.mint("chatcmpl"),
        "object": "chat.completion",
        "created": exchange.created_at,
        "model": exchange.body.get("model"),
        "choices": [choice],
        "usage": usage_told(reply, exchange),
    }


def usage_told(reply: Reply, exchange: Exchange) -> Object:
    """Make the usage of a completion."""
    count = sum(1 for _ in _deltas(reply, "openai"))
    usage = reply.usage or Usage(max(1, exchange.size // 4), count)
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


class _Chunks:
    """Writes the chunks of one completion."""

    def __init__(self, exchange: Exchange) -> None:
        self._wants_logprobs = bool(exchange.body.get("logprobs"))
        self._head: Object = {
            "id": exchange.mint("chatcmpl"),
            "object": "chat.completion.chunk",
            "created": exchange.created_at,
            "model": exchange.body.get("model"),
        }

    def chunk(self, delta: Object, finish_reason: str | None = None) -> bytes:
        choice: Object = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        if self._wants_logprobs and delta.get("content"):
            choice["logprobs"] = {"content": logprobs_of(delta["content"])}
        return self._write({"choices": [choice]})

    def usage(self, usage: Object) -> bytes:
        return self._write({"choices": [], "usage": usage})

    def _write(self, told: Object) -> bytes:
        return b"data: %b\n\n" % orjson.dumps(self._head | told)


def _deltas(reply: Reply, dialect: Dialect) -> Iterator[Object]:
    calls = 0
    for item in reply.items:
        yield from _item_deltas(item, dialect, calls)
        calls += isinstance(item, FunctionCall)


def _item_deltas(item: Item, dialect: Dialect, calls: int) -> Iterator[Object]:
    match item:
        case Reasoning(deltas, summary):
            field = _THOUGHT_FIELD.get(dialect, "reasoning_content")
            yield from ({field: delta} for delta in deltas or summary)
        case Message(parts):
            for part in parts:
                field = "refusal" if isinstance(part, Refusal) else "content"
                yield from ({field: delta} for delta in part.deltas)
        case FunctionCall():
            yield from ({"tool_calls": [piece]} for piece in _call_pieces(item, dialect, calls))
        case _:
            assert_never(item)


def _call_pieces(call: FunctionCall, dialect: Dialect, index: int) -> Iterator[Object]:
    first, *rest = call.deltas or ("",)
    head: Object = {
        "index": index,
        "id": call.call_id or f"call_theirs_{index}",
        "type": "function",
        "function": {"name": call.name, "arguments": first},
    }
    match dialect:
        case "llamacpp":
            yield head
        case "ollama":
            # Whole calls, each of them the first.
            whole = {"name": call.name, "arguments": "".join(call.deltas)}
            yield head | {"index": 0, "function": whole}
            return
        case "openai" | "sglang":
            yield head | {"function": {"name": call.name, "arguments": ""}}
            rest = [first, *rest]
        case "vllm":
            # Older versions: no id at all.
            del head["id"]
            yield head | {"function": {"name": call.name}}
            rest = [first, *rest]
        case _:
            assert_never(dialect)
    yield from ({"index": index, "function": {"arguments": delta}} for delta in rest)


def _finish_reason(reply: Reply) -> str:
    match reply.outcome:
        case Incomplete(reason):
            return "length" if reason == "max_output_tokens" else reason
        case Completed() | Interrupted():
            called = any(isinstance(item, FunctionCall) for item in reply.items)
            return "tool_calls" if called else "stop"
        case _:
            assert_never(reply.outcome)


def _deltas_before_the_error(reply: Reply) -> int:
    after = reply.outcome.after if isinstance(reply.outcome, Interrupted) else None
    return -1 if after is None else after
