"""The model of a turn: what a prompt makes the backend say, and which tool it makes it call. Pure.

A prompt is a line such as `word=9f3a tokens=4 tool=note delay_ms=10`. The scripted backend answers
by it and the oracle expects by it, so both have one source.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

JSON = dict[str, Any]

Tool = Literal["", "note", "echo"]

UNSAFE: Tool = "note"
"""Writes: it must never be called twice for one turn."""
SAFE: Tool = "echo"
"""Reads: it may be called again when its first call was lost."""

_PROMPT = re.compile(
    r"word=(?P<word>\w+) tokens=(?P<tokens>\d+) tool=(?P<tool>\w*) delay_ms=(?P<delay_ms>\d+)"
)


class Prompt(Struct, frozen=True):
    """What a client asks; `word` is its own in the whole run."""

    word: str
    tokens: int = 4
    tool: Tool = ""
    """What the model is to call before it answers."""
    delay_ms: int = 0
    """Between two deltas."""

    def __str__(self) -> str:
        """The text that the client sends."""
        return f"word={self.word} tokens={self.tokens} tool={self.tool} delay_ms={self.delay_ms}"

    @property
    def deltas(self) -> list[str]:
        """What the model says, delta by delta; no two turns share one."""
        return [f"{self.word}.{number} " for number in range(self.tokens)]

    @property
    def answer(self) -> str:
        """What the model says in all."""
        return "".join(self.deltas)

    @property
    def tool_output(self) -> str:
        """What the tool answers."""
        return f"Noted: {self.word}" if self.tool == UNSAFE else self.word


def parsed(text: str) -> Prompt | None:
    """Read a prompt back; `None` for another text."""
    found = _PROMPT.fullmatch(text)
    if found is None:
        return None
    tool = found["tool"]
    known: Tool = "note" if tool == "note" else "echo" if tool == "echo" else ""
    return Prompt(found["word"], int(found["tokens"]), known, int(found["delay_ms"]))


def text_of(item: Mapping[str, Any]) -> str:
    """All text of a message item, whichever way it is written."""
    content: str | Sequence[JSON] = item.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content)


def is_from(item: Mapping[str, Any], role: str) -> bool:
    """Whether an item is a message of this role."""
    return item.get("type", "message") == "message" and item.get("role") == role


def newest(items: Sequence[Mapping[str, Any]]) -> Prompt | None:
    """The prompt of the last message of a user among these items."""
    texts = [text_of(item) for item in items if is_from(item, "user")]
    return parsed(texts[-1]) if texts else None


def has_called(items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a tool was called, and ended, since the last message of a user."""
    since: list[Any] = []
    for item in items:
        since = [] if is_from(item, "user") else [*since, item.get("type")]
    return "function_call_output" in since
