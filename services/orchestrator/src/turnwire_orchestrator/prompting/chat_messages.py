"""Items of the Responses API as the messages of chat completions.

What was said to steer the model (instructions, system and developer messages) stands in one system
message at the beginning: many chat templates take no other. A model's words and the calls that it
made with them are one message. Tool messages hold text only, so what else a tool gave comes after
them as a message of the user.
"""

from typing import Final

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, objects
from turnwire_orchestrator.prompting.chat_content import attachments_of, text_of, user_content
from turnwire_orchestrator.prompting.dialect import Dialect

_THOUGHT_FIELDS: Final = {
    Dialect.LLAMA_CPP: ("reasoning_content",),
    Dialect.SGLANG: ("reasoning_content",),
    # Its older versions know one of them, its newer ones the other.
    Dialect.VLLM: ("reasoning_content", "reasoning"),
    Dialect.OLLAMA: ("reasoning",),
}
"""How backends are told what the model thought; others are not told, some refuse it."""


def chat_messages(items: list[Item], instructions: str | None, dialect: Dialect) -> list[JSON]:
    """Write cleaned items, whose calls are functions' calls, oldest first, as messages.

    Raises `UnsayableError`. Items that only a Responses API knows are left out.
    """
    talk = _Talk(instructions, _THOUGHT_FIELDS.get(dialect, ()))
    for item in items:
        talk.tell(item)
    return talk.messages()


class _Talk:
    """Messages as they come together."""

    def __init__(self, instructions: str | None, thought_fields: tuple[str, ...]) -> None:
        self._rules = [instructions] if instructions else []
        self._thought_fields = thought_fields
        self._thought = ""
        self._said: list[JSON] = []
        self._attached: list[JSON] = []

    def messages(self) -> list[JSON]:
        """Give what has come together."""
        self._show_attached()
        rules = [{"role": "system", "content": "\n\n".join(self._rules)}] if self._rules else []
        return [*rules, *self._said]

    def tell(self, item: Item) -> None:
        """Add the next item."""
        match item.get("type"):
            case "message":
                self._message(item)
            case "reasoning":
                # Chat completions have no word for a summary of what was thought.
                self._thought += _thought_in(item)
            case "function_call":
                self._call(item)
            case "function_call_output":
                self._output(item)
            case _:
                pass

    def _message(self, item: Item) -> None:
        content = item.get("content")
        match item["role"]:
            case "assistant":
                message = self._assistant()
                text_so_far = message["content"]
                message["content"] = "\n".join(
                    text for text in (text_so_far, text_of(content)) if text
                )
            case "user":
                self._show_attached()
                self._thought = ""
                self._said.append({"role": "user", "content": user_content(content)})
            case _:
                if text := text_of(content):
                    self._rules.append(text)

    def _call(self, item: Item) -> None:
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        self._assistant().setdefault("tool_calls", []).append(call)

    def _output(self, item: Item) -> None:
        call_id, output = item.get("call_id"), item.get("output")
        self._said.append({"role": "tool", "tool_call_id": call_id, "content": text_of(output)})
        if attached := attachments_of(output):
            label: JSON = {"type": "text", "text": f"What the call {call_id} gave besides text:"}
            self._attached += [label, *attached]

    def _assistant(self) -> JSON:
        """Give the message that the model is in the middle of."""
        self._show_attached()
        if not self._said or self._said[-1]["role"] != "assistant":
            self._said.append({"role": "assistant", "content": None})
        message = self._said[-1]
        if self._thought:
            for field in self._thought_fields:
                message[field] = message.get(field, "") + self._thought
            self._thought = ""
        return message

    def _show_attached(self) -> None:
        if self._attached:
            self._said.append({"role": "user", "content": self._attached})
            self._attached = []


def _thought_in(item: Item) -> str:
    """Give what the model thought, where its own words are known."""
    return "".join(str(part.get("text") or "") for part in objects(item.get("content")))
