"""Shapes of members: what chat completions nest is written flat, and wrong values are refused."""

from collections.abc import Iterable
from typing import Any

from turnwire_contracts.json_values import JSON, mapping
from turnwire_gateway.errors import ApiError, invalid


def flattened(given: JSON, word: str, place: str) -> tuple[JSON, str]:
    """Lift the members of the field `word` of `given`, an object at `place`.

    Chat completions nest: `{"type": "function", "function": {…}}`. Gives the flat object without
    nulls, and the place where its members are. Raises `ApiError` (400).
    """
    flat = {name: value for name, value in given.items() if value is not None and name != word}
    inner = given.get(word)
    if isinstance(inner, dict):
        members = {name: value for name, value in mapping(inner).items() if value is not None}
        return {**members, **flat}, f"{place}.{word}"
    if inner is not None and "name" not in given:
        raise wrong(f"{place}.{word}", "must be an object")
    return flat, place


def check_kinds(given: JSON, kinds: Iterable[tuple[str, type[Any], str]], place: str) -> None:
    """Check members, where they are there: name, kind, and what it is called.

    Raises `ApiError`.
    """
    for name, kind, called in kinds:
        if name in given and not isinstance(given[name], kind):
            raise wrong(f"{place}.{name}", f"must be {called}")


def wrong(place: str, message: str) -> ApiError:
    """Say what is wrong with a value without quoting it: it may be a secret (HTTP 400)."""
    return invalid(f"Invalid value for '{place}': {message}.", place)
