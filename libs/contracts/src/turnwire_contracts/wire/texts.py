"""The text in items, and who says it, for who judges it."""

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import objects
from turnwire_contracts.queries import Said

_NOT_OF_A_MODEL = ("_output", "_response")


def texts(items: list[Item]) -> list[str]:
    """Give all text of a turn's input, whoever is said to have written it."""
    found: list[str] = []
    for item in items:
        for field in ("content", "output", "arguments"):
            content = item.get(field)
            if isinstance(content, str):
                found.append(content)
            found += [
                part["text"] for part in objects(content) if isinstance(part.get("text"), str)
            ]
    return found


def spoken(items: list[Item]) -> list[Said]:
    """Give what each item says, in their order; items without text are left out.

    What is neither a model's word nor its call counts as the user's: whoever sends a request
    may write its system messages and tool outputs, too.
    """
    said = ((item, "\n".join(texts([item]))) for item in items)
    return [
        Said(role="assistant" if _is_of_a_model(item) else "user", text=text)
        for item, text in said
        if text
    ]


def _is_of_a_model(item: Item) -> bool:
    if "role" in item:
        return item["role"] == "assistant"
    return not str(item.get("type", "")).endswith(_NOT_OF_A_MODEL)
