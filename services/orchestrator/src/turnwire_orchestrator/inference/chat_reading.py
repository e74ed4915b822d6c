"""Reads the stream of a chat completion, whoever made it, and tells the assembler what was said.

Nothing of its shape is trusted. Known ways: `reasoning_content` (llama.cpp, SGLang, DeepSeek) and
`reasoning` (vLLM, Ollama, OpenRouter); calls as `chat_calls.py` has them; content as a list of
parts (Mistral); usage in a chunk of its own, in the last one or in all; `message` in place of
`delta`; errors in mid-stream. A text ends where something else begins; a call ends when it is
whole and something else begins, or with the answer.
"""

from typing import Any, Final

import msgspec

from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator.inference.chat_calls import Call, Calls
from turnwire_orchestrator.inference.ending import Outcome, failed, read_usage, unfinished
from turnwire_orchestrator.inference.errors import is_error
from turnwire_orchestrator.inference.open_items import OpenItem, OpenItems
from turnwire_orchestrator.inference.surrogates import lenient_json, mended
from turnwire_orchestrator.prompting.tools.client_tools import AS_THEY_ARE, ClientTools

_LENGTH: Final = frozenset({"length", "model_length", "max_tokens"})
_FAILED: Final = frozenset({"error", "abort"})


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[Call] | None = None


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
        self._items = OpenItems(assembler)
        self._calls = Calls(self._items, tools)
        self._text: OpenItem | None = None
        self._streaming = ""
        self._blank: dict[str, str] = {}
        self._chunk = msgspec.json.Decoder(_Chunk)
        self._finish: str | None = None
        self._usage: Any = None
        self._fields: JSON = {}

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
        except (msgspec.DecodeError, UnicodeDecodeError):
            chunk = self._broken(data)
        if chunk.error or chunk.type == "error" or not (chunk.choices or chunk.usage):
            said = mapping(mended(lenient_json(data)))
            if is_error(said):
                self._end(failed(said))
                return
        self._tell(chunk)

    def _broken(self, data: bytes) -> _Chunk:
        """Read a chunk of which a text is not Unicode; half a character is kept for the next."""
        self._streaming = ""
        self._calls.streaming = None
        try:
            return msgspec.convert(lenient_json(data), _Chunk)
        except ValueError as error:
            raise ValueError(f"not a chunk: {data[:80]!r}") from error

    def stop(self) -> None:
        """Tell what waits, of an answer that nobody waits for any more."""
        if self.outcome is None:
            self._items.end("incomplete")

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
            self._fields = {"service_tier": mended(chunk.service_tier)}
        if self._finish is not None and chunk.usage:
            # Nothing follows the usage of a whole answer.
            self._close()

    def _choice(self, choice: _Choice) -> None:
        if choice.delta is not None:
            self._delta(choice.delta, choice.logprobs)
        elif choice.message is not None and not self._items.all:
            self._delta(choice.message, choice.logprobs)
        elif choice.message is not None:
            self._fill(choice.message)
        self._finish = choice.finish_reason or self._finish

    def _fill(self, message: _Delta) -> None:
        """Take from a whole message that follows its deltas what they did not say."""
        said = message.content
        if isinstance(said, str) and self._text is not None and self._text.kind == "message":
            self._text.fill(said)
        if not self._calls.any:
            self._delta(_Delta(tool_calls=message.tool_calls), None)

    def _delta(self, delta: _Delta, logprobs: Any) -> None:
        thought = delta.reasoning_content or delta.reasoning
        if thought and isinstance(thought, str):
            self._say("reasoning", "reasoning_text", thought)
        if isinstance(delta.content, str):
            if delta.content:
                self._say("message", "output_text", delta.content, _logprobs(logprobs))
        elif delta.content:
            self._parts(objects(delta.content))
        if delta.refusal and isinstance(delta.refusal, str):
            self._say("message", "refusal", delta.refusal)
        for call in delta.tool_calls or ():
            if self._calls.take(call):
                self._end_text()
            self._streaming = ""

    def _parts(self, parts: list[JSON]) -> None:
        for part in parts:
            if isinstance(part.get("text"), str):
                self._say("message", "output_text", part["text"])
            for thought in objects(part.get("thinking")):
                self._say("reasoning", "reasoning_text", str(thought.get("text") or ""))

    def _say(self, kind: str, part: str, text: str, logprobs: list[JSON] | None = None) -> None:
        if self._streaming == part:
            self._assembler.delta(text, logprobs)
            return
        self._calls.streaming = None
        item = self._text
        if item is None or item.kind != kind:
            if self._calls.any:
                text = self._behind_blanks(kind, text)
            if not text:
                return
            self._end_text()
            item = self._text = self._items.add(kind, {"type": kind})
            item.ends_with_next = True
        if item.part != part:
            item.add_part(part)
        item.say(text, mended(logprobs))
        if self._items.show(item) and not item.has_half:
            self._streaming = part

    def _behind_blanks(self, kind: str, text: str) -> str:
        """Keep white space between calls, which says nothing until words follow it."""
        told, self._blank = self._blank.get(kind, "") + text, {}
        if told.isspace():
            self._blank = {kind: told}
            return ""
        return told

    def _end_text(self) -> None:
        """End the text: something else begins."""
        if self._text is not None:
            text, self._text = self._text, None
            text.end()

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
        self._items.end(status)
        self.outcome = outcome


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
