"""Reads the stream of a chat completion, of whatever server, and tells the assembler what was said.

Nothing of its shape is trusted. Known ways: `reasoning_content` (llama.cpp, SGLang, DeepSeek) and
`reasoning` (vLLM, Ollama, OpenRouter); calls as `chat_calls.py` has them; content as a list of
parts (Mistral); usage in a chunk of its own, in the last one or in all; `message` in place of
`delta`; `function_call` and `text`, as the older APIs have them; errors in mid-stream. A text ends
where something else begins; a call ends when it is whole and something else begins, or with the
answer.
"""

from typing import Any, Final, cast

import msgspec

from turnwire_contracts.json_repair import lenient_json, mended
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator.inference.chat_calls import Calls, ChatCallDelta, Function
from turnwire_orchestrator.inference.ending import failed, read_usage, unfinished
from turnwire_orchestrator.inference.errors import is_error, may_be_error, object_in
from turnwire_orchestrator.inference.open_items import OpenItem, OpenItems
from turnwire_orchestrator.ports import SampleOutcome
from turnwire_orchestrator.prompting.client_tools import AS_THEY_ARE, ClientTools

_LENGTH: Final = frozenset({"length", "model_length", "max_tokens", "max_output_tokens"})
_FILTERED: Final = frozenset(
    {"content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii"}
    | {"sensitive", "guardrail_intervened"}
)
_FAILED: Final = frozenset(
    {"error", "abort", "network_error", "insufficient_system_resource", "malformed_function_call"}
)
"""Why an answer ended, in small letters: OpenAI, Mistral, Gemini, Bedrock, DeepSeek, Z.ai."""


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[ChatCallDelta] | None = None
    function_call: Function | None = None
    error: Any = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    text: Any = None
    logprobs: Any = None
    finish_reason: Any = None
    error: Any = None


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
        self.outcome: SampleOutcome | None = None
        self._assembler = assembler
        self._items = OpenItems(assembler)
        self._calls = Calls(self._items, tools)
        self._text: OpenItem | None = None
        self._streaming = ""
        self._blank: dict[str, str] = {}
        self._chunk = msgspec.json.Decoder(_Chunk)
        self._finish = ""
        self._is_done = False
        self._last_words: JSON = {}
        self._usage: Any = None
        self._fields: JSON = {}

    def take(self, data: bytes) -> None:
        """Take the data of one chunk.

        Raises `ValueError` when a backend's stream makes no sense.
        """
        if self.outcome is not None:
            return
        if data == b"[DONE]":
            self._is_done = True
            self._close()
            return
        try:
            chunk = self._chunk.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            chunk = self._broken(data)
        if chunk.error or chunk.type == "error" or not (chunk.choices or chunk.usage):
            said = object_in(data)
            if is_error(said):
                self._end(failed(said))
                return
            if may_be_error(said):
                self._last_words = said
        self._tell(chunk)

    def _broken(self, data: bytes) -> _Chunk:
        """Read a chunk of which a text is not Unicode; half a character is kept for the next."""
        self._streaming = ""
        self._calls.streaming = None
        try:
            said = lenient_json(data)
            return msgspec.convert(object_in(data) if isinstance(said, list) else said, _Chunk)
        except ValueError as error:
            raise ValueError(f"not a chunk: {data[:80]!r}") from error

    def stop(self) -> None:
        """Tell what waits, of an answer that was given up."""
        if self.outcome is None:
            self._items.end("incomplete")

    def end(self) -> SampleOutcome:
        """Give the outcome once the stream is over; one without a reason to end is a failure."""
        self._close()
        if self.outcome is None:
            is_whole = self._is_done and self._items.are_whole
            self._end(unfinished("no finish_reason", self._last_words, is_whole=is_whole))
        return cast("SampleOutcome", self.outcome)

    def _tell(self, chunk: _Chunk) -> None:
        for choice in (chunk.choices or ())[:1]:
            self._choice(choice)
        if chunk.usage:
            self._usage = chunk.usage
        if chunk.service_tier:
            self._fields = {"service_tier": mended(chunk.service_tier)}
        if self._finish and chunk.usage:
            # Nothing follows the usage of a whole answer.
            self._close()

    def _choice(self, choice: _Choice) -> None:
        if choice.delta is not None:
            self._delta(choice.delta, choice.logprobs)
        elif choice.message is not None and not self._items.all:
            self._delta(choice.message, choice.logprobs)
        elif choice.message is not None:
            self._fill(choice.message)
        if isinstance(choice.text, str):
            self._older_text(choice.text, choice.delta or choice.message)
        if isinstance(choice.finish_reason, str):
            # Gateways pass on Gemini's: MAX_TOKENS, FinishReason.MAX_TOKENS.
            self._finish = choice.finish_reason.lower().rpartition(".")[2] or self._finish
        if choice.error:
            self._end(failed({"error": mended(choice.error)}))

    def _older_text(self, text: str, beside: _Delta | None) -> None:
        """Take what completions call `text`, unless it is only repeated there."""
        if beside is None or not beside.content:
            self._delta(_Delta(content=text), None)

    def _fill(self, message: _Delta) -> None:
        """Take from a whole message that follows its deltas what they did not say."""
        said = message.content
        if isinstance(said, str) and self._text is not None and self._text.kind == "message":
            self._text.texts.speaking("output_text", None).fill(said)
        if not self._calls.any:
            calls = _Delta(tool_calls=message.tool_calls, function_call=message.function_call)
            self._delta(calls, None)

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
        for call in delta.tool_calls or self._older_call(delta.function_call):
            if self._calls.take(call):
                self._end_text()
            self._streaming = ""
        if delta.error:
            self._end(failed({"error": mended(delta.error)}))

    def _older_call(self, function: Function | None) -> tuple[ChatCallDelta, ...]:
        """Give the call of the older API, unless it only repeats what `tool_calls` said."""
        if function is None or self._calls.have_ids:
            return ()
        return (ChatCallDelta(function=function),) if function.name or function.arguments else ()

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
        open_text = item.texts.speaking(part, None)
        open_text.say(text, mended(logprobs))
        if self._items.show(item) and open_text.streams:
            self._streaming = part

    def _behind_blanks(self, kind: str, text: str) -> str:
        """Keep white space between calls, which says nothing until words follow it."""
        shown, self._blank = self._blank.get(kind, "") + text, {}
        if shown.isspace():
            self._blank = {kind: shown}
            return ""
        return shown

    def _end_text(self) -> None:
        """End the text: something else begins."""
        if self._text is not None:
            text, self._text = self._text, None
            text.end()

    def _close(self) -> None:
        if self.outcome is not None or not self._finish:
            return
        if self._finish in _FAILED:
            error = {"message": f"The inference backend ended the answer with '{self._finish}'."}
            self._end(failed(error))
        else:
            self._end(self._finished(self._finish))

    def _finished(self, finish: str) -> SampleOutcome:
        usage, fields = read_usage(self._usage), self._fields
        if finish in _LENGTH:
            reason = "max_output_tokens"
        elif finish in _FILTERED:
            reason = "content_filter"
        else:
            return SampleOutcome(status="completed", usage=usage, fields=fields)
        return SampleOutcome(
            status="incomplete", usage=usage, incomplete_reason=reason, fields=fields
        )

    def _end(self, outcome: SampleOutcome) -> None:
        status = "completed" if outcome.status == "completed" else "incomplete"
        self._items.end(status)
        self.outcome = outcome


def _logprobs(logprobs: Any) -> list[JSON] | None:
    """Give log probabilities as the Responses API writes them."""
    tokens = objects(mapping(logprobs).get("content")) if logprobs else []
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
