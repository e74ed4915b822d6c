"""What answers are read as: OpenAI's objects stay the JSON that they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

JSON: TypeAlias = dict[str, Any]
"""An object as the server wrote it: docs/openapi of the server has its shape.

`openai.types.responses.Response.model_validate(found)` makes one of OpenAI's of it.
"""

ENDED = frozenset({"completed", "incomplete", "failed", "cancelled"})
"""OpenAI: the values of `status` of a response that has ended."""

LAST_EVENTS = frozenset(f"response.{status}" for status in ENDED)
"""The types of the events after which a stream of a response has no other."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list; iterating gives its objects."""

    data: list[JSON]
    has_more: bool
    answer: JSON
    """The page as the server wrote it."""

    @classmethod
    def of(cls, answer: JSON) -> "ListPage":
        """Read a page of OpenAI's shape: `{object: "list", data, has_more, …}`."""
        return cls(answer.get("data", []), bool(answer.get("has_more")), answer)

    def __iter__(self) -> Iterator[JSON]:
        """Give the objects of this page."""
        return iter(self.data)


def present(**params: object) -> dict[str, str]:
    """Give query parameters that were said; `None` and empty texts were not."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in params.items()
        if value is not None and value != ""
    }


def text_of(response: JSON) -> str:
    """Give all text that a response says, as `output_text` of OpenAI's SDK."""
    output: list[JSON] = response.get("output") or []
    messages = [item["content"] for item in output if item.get("type") == "message"]
    parts: list[JSON] = [part for content in messages for part in content]
    return "".join(part["text"] for part in parts if part.get("type") == "output_text")
