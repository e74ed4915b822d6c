"""Which backend serves which model, and all their models as one list. Pure."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from msgspec import Struct

from turnwire_contracts.json_values import JSON

_WILD: Final = frozenset("*?[")


class Served(Struct, frozen=True):
    """What one backend serves."""

    entries: tuple[JSON, ...]
    """Its models, as a list of models shows them."""
    names: frozenset[str]
    globs: tuple[str, ...]
    """Patterns of names that it serves too."""


def served(models: Sequence[str], listed: Sequence[JSON]) -> Served:
    """Combine what the operator says and what the backend lists.

    `models` are names and globs: the backend serves these and no others. Without any it serves
    whatever it lists.
    """
    globs = tuple(name for name in models if _WILD & set(name))
    entries = tuple(_entries(models, listed))
    return Served(entries, frozenset(str(entry.get("id")) for entry in entries), globs)


def serving(model: str, backends: Sequence[Served]) -> list[int]:
    """Give the indices of the backends that serve a model, in their order.

    A name beats a pattern; a backend that is alone gets everything.
    """
    if len(backends) == 1:
        return [0]
    named = [index for index, each in enumerate(backends) if model in each.names]
    return named or [index for index, each in enumerate(backends) if _matches(model, each.globs)]


def merged(backends: Sequence[Served]) -> list[JSON]:
    """Give all models, each once: the first backend that has it says what it is."""
    entries: dict[str, JSON] = {}
    for each in backends:
        for entry in each.entries:
            entries.setdefault(str(entry.get("id")), entry)
    return [*entries.values()]


def _entries(models: Sequence[str], listed: Sequence[JSON]) -> Iterator[JSON]:
    names: set[str] = set()
    for entry in listed:
        name = str(entry.get("id"))
        if not models or _matches(name, models):
            names.add(name)
            yield entry
    for name in models:
        if name not in names and not _WILD & set(name):
            # The operator knows better than a backend that lists nothing.
            yield {"id": name, "object": "model", "created": 0, "owned_by": "unknown"}


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
