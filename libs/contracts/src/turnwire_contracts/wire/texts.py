"""The text in items, for who judges it."""

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import objects


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
