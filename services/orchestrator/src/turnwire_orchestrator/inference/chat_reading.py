"""Reads the stream of a chat completion, whoever made it, and tells the assembler what was said.

Nothing of its shape is trusted. Known ways: `reasoning_content` (llama.cpp, SGLang, DeepSeek) and
`reasoning` (vLLM, Ollama, OpenRouter); calls without an id (vLLM, older), whole in one chunk
(Ollama), all with the index 0 (Gemini); content as a list of parts (Mistral); usage in a chunk of
its own, in the last one or in all; `message` in place of `delta`; errors in mid-stream.
"""

from typing import Any, Final

import msgspec
import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator.inference.ending import Outcome, failed, read_usage, unfinished
from turnwire_orchestrator.inference.errors import is_error
from turnwire_orchestrator.prompting.tools.client_tools import AS_THEY_ARE, ClientTools

_LENGTH: Final = frozenset({"length", "model_length", "max_tokens"})
_FAILED: Final = frozenset({"error", "abort"})


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    logprobs: Any = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    type: Any = None
    object: str | None = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
    service_tier: str | None = None


class ChatReader:
    """Takes the chunks of one sample; `outcome` is set once the backend has said its end."""

    def __init__(self, assembler: Assembler, tools: ClientTools = AS_THEY_ARE) -> None:
        """Tell `assembler`; `tools` say what the client calls the functions of the model."""
        self.outcome: Outcome | None = None
        self._assembler = assembler
        self._chunk = msgspec.json.Decoder(_Chunk)
        self._finish: str | None = None
        self._usage: Any = None
        self._fields: JSON = {}
        self._calls = _Calls(assembler, tools)

    def take(self, data: bytes) -> None:
        """Take the data of one chunk.

        Raises `ValueError` when a backend's stream makes no sense.
        """
        if self.outcome is not None:
            return
        if data == b"[DONE]":
            self._close()
            return
        try:
            chunk = self._chunk.decode(data)
        except msgspec.DecodeError as error:
            raise ValueError(f"not a chunk: {data[:80]!r}") from error
        if chunk.error or chunk.type == "error" or not (chunk.choices or chunk.usage):
            said = mapping(orjson.loads(data))
            if is_error(said):
                self._end(failed(said))
                return
        self._tell(chunk)

    def end(self) -> Outcome:
        """Give the outcome once the stream is over; one without a reason to end is a failure."""
        self._close()
        return self.outcome or unfinished("no finish_reason")

    def _tell(self, chunk: _Chunk) -> None:
        for choice in (chunk.choices or ())[:1]:
            self._choice(choice)
        if chunk.usage:
            self._usage = chunk.usage
        if chunk.service_tier:
            self._fields = {"service_tier": chunk.service_tier}
        if self._finish is not None and chunk.usage:
            # Nothing follows the usage of a whole answer.
            self._close()

    def _choice(self, choice: _Choice) -> None:
        if choice.delta is not None:
            self._delta(choice.delta, choice.logprobs)
        elif choice.message is not None and self._is_silent:
            self._delta(choice.message, choice.logprobs)
        self._finish = choice.finish_reason or self._finish

    @property
    def _is_silent(self) -> bool:
        told = self._assembler.items or self._assembler.in_item or self._calls.open
        return not told

    def _delta(self, delta: _Delta, logprobs: Any) -> None:
        if thought := delta.reasoning_content or delta.reasoning:
            self._say("reasoning", "reasoning_text", thought)
        if isinstance(delta.content, str):
            if delta.content:
                self._say("message", "output_text", delta.content, _logprobs(logprobs))
        elif delta.content:
            self._parts(objects(delta.content))
        if delta.refusal:
            self._say("message", "refusal", delta.refusal)
        for call in delta.tool_calls or ():
            self._calls.take(call)

    def _parts(self, parts: list[JSON]) -> None:
        for part in parts:
            if isinstance(part.get("text"), str):
                self._say("message", "output_text", part["text"])
            for thought in objects(part.get("thinking")):
                self._say("reasoning", "reasoning_text", str(thought.get("text") or ""))

    def _say(self, item: str, part: str, text: str, logprobs: list[JSON] | None = None) -> None:
        if self._assembler.in_item != item:
            self._calls.end()
            self._assembler.add_item({"type": item})
        if self._assembler.in_part != part:
            self._assembler.add_part(part)
        self._assembler.delta(text, logprobs)

    def _close(self) -> None:
        if self.outcome is not None:
            return
        if self._finish is None:
            self._end(unfinished("no finish_reason"))
        elif self._finish in _FAILED:
            told = {"message": f"The inference backend ended the answer with '{self._finish}'."}
            self._end(failed(told))
        else:
            self._end(self._finished(self._finish))

    def _finished(self, finish: str) -> Outcome:
        usage, fields = read_usage(self._usage), self._fields
        if finish in _LENGTH:
            reason = "max_output_tokens"
        elif finish == "content_filter":
            reason = "content_filter"
        else:
            return Outcome(status="completed", usage=usage, fields=fields)
        return Outcome(status="incomplete", usage=usage, incomplete_reason=reason, fields=fields)

    def _end(self, outcome: Outcome) -> None:
        status = "completed" if outcome.status == "completed" else "incomplete"
        self._calls.end(status)
        self._assembler.end_item(None, status)
        self.outcome = outcome


class _Calls:
    """The calls of one sample: one after the other, each in pieces."""

    def __init__(self, assembler: Assembler, tools: ClientTools) -> None:
        self._assembler = assembler
        self._tools = tools
        self._ended: set[int] = set()
        self._forget()

    def _forget(self) -> None:
        self.open = False
        self._index: int | None = None
        self._id = ""
        self._name = ""
        self._held = ""
        self._silent = True

    def take(self, call: _Call) -> None:
        """Take a piece of a call. Raises `ValueError` when its call has ended."""
        function = call.function or _Function()
        if not self.open or self._is_another(call, function):
            self._start(call, function)
        self._id = call.id or self._id
        if function.name and not self._name:
            self._name = function.name
            if not self._is_custom:
                self._assembler.add_item(self._client_call())
        self._argue(_text(function.arguments))

    def end(self, status: str = "completed") -> None:
        """End the call that is open, if one is. Raises `ValueError` for one without a name."""
        if not self.open:
            return
        if self._is_custom:
            call = self._client_call(arguments=self._held)
            text = call.pop("input")
            self._assembler.add_item(call)
            self._assembler.delta(text)
        elif not self._name and status == "completed":
            raise ValueError("a call without a name")
        elif self._silent and status == "completed":
            # Clients read arguments as JSON.
            self._assembler.delta("{}")
        self._assembler.end_item(None, status)
        if self._index is not None:
            self._ended.add(self._index)
        self._forget()

    @property
    def _is_custom(self) -> bool:
        return self._tools.is_custom(self._name)

    def _client_call(self, **said: str) -> Item:
        return self._tools.clients({"type": "function_call", "name": self._name, **said})

    def _is_another(self, call: _Call, function: _Function) -> bool:
        if call.id and self._id:
            return call.id != self._id
        if call.index is not None:
            return call.index != self._index
        return bool(function.name and self._name)

    def _start(self, call: _Call, function: _Function) -> None:
        if call.index in self._ended and not call.id and not function.name:
            raise ValueError(f"a piece of call {call.index}, which had ended")
        self.end()
        self._assembler.end_item()
        self.open, self._index = True, call.index

    def _argue(self, text: str) -> None:
        self._held += text
        if self._name and not self._is_custom and self._held:
            self._silent = False
            self._assembler.delta(self._held)
            self._held = ""


def _text(arguments: Any) -> str:
    """Give arguments as a text, also those of a server that sends them as an object."""
    if isinstance(arguments, dict):
        # Numbers may be larger than orjson writes.
        return msgspec.json.encode(arguments).decode()
    return arguments if isinstance(arguments, str) else ""


def _logprobs(told: Any) -> list[JSON] | None:
    """Give log probabilities as the Responses API writes them."""
    tokens = objects(mapping(told).get("content")) if told else []
    return [
        {**_probable(token), "top_logprobs": [*map(_probable, objects(token.get("top_logprobs")))]}
        for token in tokens
    ] or None


def _probable(token: JSON) -> JSON:
    return {
        "token": token.get("token") or "",
        "logprob": token.get("logprob") or 0.0,
        "bytes": token.get("bytes") or [],
    }
