"""JSON as Python values, and safe ways into JSON of unknown shape."""

from typing import Any, cast

JSON = dict[str, Any]
"""A JSON object."""


def mapping(value: Any) -> JSON:
    """Give an object, or an empty one for anything else (null, a missing field, a wrong type)."""
    return cast("JSON", value) if isinstance(value, dict) else {}


def objects(value: Any) -> list[JSON]:
    """Give the objects in a list, or none for anything else."""
    if not isinstance(value, list):
        return []
    members = cast("list[Any]", value)
    return [cast("JSON", member) for member in members if isinstance(member, dict)]
