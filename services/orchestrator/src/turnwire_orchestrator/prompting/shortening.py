"""`truncation: auto`: the oldest items of a prompt are left out until the model can read it.

OpenAI: "dropping items from the beginning of the conversation". What steers the model stays, and so
does the newest that it was told. A call and its output go together, and so does a thought with what
came of it: backends refuse one without the other.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from turnwire_contracts.events import Item
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.weighing import fixed_weight, weight

_MARGIN: Final = 0.9
"""Bytes are no tokens, and the answer needs room too."""

_STEERING: Final = ("system", "developer")


def shortened(prompt: Prompt, tokens: int | None, limit: int | None) -> Prompt | None:
    """Give a prompt without its oldest items; `None` when nothing more can go.

    `tokens` and `limit` are what the backend counted and what it takes, where it says so: as much
    goes as is too much, else half. At least one item goes.
    """
    items = prompt.items
    weights = [weight(item) + 1 for item in items]
    whole = fixed_weight(prompt) + sum(weights)
    share = limit / tokens * _MARGIN if tokens and limit and limit < tokens else 0.5
    left, dropped = whole, set[int]()
    for unit in _units(items):
        # An answer without its question is no beginning: many chat templates refuse it.
        answer = items[min(unit)].get("role") == "assistant"
        if dropped and left <= whole * share and not answer:
            break
        dropped |= unit
        left -= sum(weights[index] for index in unit)
    if not dropped:
        return None
    kept = [item for index, item in enumerate(items) if index not in dropped]
    return replace(prompt, past=None, new=kept)


def _units(items: list[Item]) -> Iterator[set[int]]:
    """Give what can go, oldest first, as indices of items that go together."""
    keys = _keys(items)
    together: dict[str, set[int]] = {}
    for index, key in enumerate(keys):
        together.setdefault(key, set()).add(index)
    stay = {keys[index] for index in _newest(items)}
    stay |= {key for key, item in zip(keys, items, strict=True) if item.get("role") in _STEERING}
    yield from (unit for key, unit in together.items() if key not in stay)


def _keys(items: list[Item]) -> list[str]:
    """Give each item a key; items of the same key go together."""
    keys: list[str] = []
    came_of_it: str | None = None
    for index, item in reversed([*enumerate(items)]):
        key = f"call {item['call_id']}" if item.get("call_id") else f"item {index}"
        if item.get("type") == "reasoning":
            key = came_of_it or key
        came_of_it = key if _is_models(item) else None
        keys.append(key)
    return keys[::-1]


def _newest(items: list[Item]) -> set[int]:
    """Give what the model was told last: the end of the prompt, and the user's last message."""
    newest: set[int] = set()
    for index in reversed(range(len(items))):
        if _is_models(items[index]):
            break
        newest.add(index)
    user_messages = [index for index, item in enumerate(items) if item.get("role") == "user"]
    return newest | set(user_messages[-1:])


def _is_models(item: Item) -> bool:
    """Tell whether the model said it."""
    kind = str(item.get("type"))
    return item.get("role") == "assistant" or kind == "reasoning" or kind.endswith("_call")
