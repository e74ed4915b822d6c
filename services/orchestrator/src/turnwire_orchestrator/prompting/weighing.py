"""How much a prompt weighs, where its tokens were not counted."""

from typing import Any, Final, cast

import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import objects
from turnwire_orchestrator.prompting.prompt import Prompt

_BYTES_A_TOKEN: Final = 4
_TOKENS_AN_ITEM: Final = 4
"""What a chat template writes around an item."""

_BYTES_OF_DATA: Final = 4096
"""An image or a file, however long its encoding: about a thousand tokens."""

_UNREAD: Final = frozenset({"type", "id", "status", "role", "call_id", "detail"})
"""Members of an item that the model does not read, or that `_TOKENS_AN_ITEM` counts."""


def weight(value: Any) -> int:
    """Give the UTF-8 bytes of all that a model reads of an item."""
    if isinstance(value, str):
        return _BYTES_OF_DATA if value.startswith("data:") else len(value.encode())
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return sum(_weight_of(name, each) for name, each in members.items() if name not in _UNREAD)
    if isinstance(value, list):
        return sum(map(weight, cast("list[Any]", value)))
    return 0


def fixed_weight(prompt: Prompt) -> int:
    """Give the bytes of what stands in front of every item: instructions and tools."""
    tools = objects(prompt.request.params.get("tools"))
    return len((prompt.instructions or "").encode()) + sum(
        len(orjson.dumps(each)) for each in tools
    )


def estimated_tokens(prompt: Prompt, items: list[Item]) -> int:
    """Guess how many tokens a prompt has: a quarter of its bytes, and four for each item."""
    read = fixed_weight(prompt) + sum(map(weight, items))
    return -(-read // _BYTES_A_TOKEN) + _TOKENS_AN_ITEM * len(items)


def _weight_of(name: str, value: Any) -> int:
    return _BYTES_OF_DATA if name == "file_data" else weight(value)
