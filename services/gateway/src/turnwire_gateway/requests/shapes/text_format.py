"""How an answer is written: `text.format` (OpenAI: `ResponseFormatTextConfig`).

Chat completions call it `response_format`, and nest what is said of a schema.
"""

from typing import Any, Final

from turnwire_contracts.json_values import JSON, mapping
from turnwire_gateway.requests.shapes.nested import check_kinds, flattened
from turnwire_gateway.requests.tool_filters import wrong

_TYPES: Final = ("text", "json_object", "json_schema")
_LONGEST_NAME: Final = 64
_KINDS: Final = (("strict", bool, "a boolean"), ("description", str, "a text"))


def flat_format(given: Any, place: str) -> JSON:
    """Read a format that stands at `place`. Raises `ApiError` (400) naming the place."""
    if not isinstance(given, dict):
        raise wrong(place, "must be an object with a `type`")
    told = mapping(given)
    kind = told.get("type")
    if kind not in _TYPES:
        raise wrong(f"{place}.type", f"must be one of {', '.join(_TYPES)}")
    if kind != "json_schema":
        return told
    flat, members = flattened(told, "json_schema", place)
    name = flat.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise wrong(f"{members}.name", f"must be a text of 1 to {_LONGEST_NAME} characters")
    if not isinstance(flat.get("schema"), dict):
        raise wrong(f"{members}.schema", "must be an object, a JSON Schema")
    check_kinds(flat, _KINDS, members)
    return flat


def flat_text(given: JSON) -> JSON:
    """Read `text`. Raises `ApiError` (400) naming the place."""
    told = {name: value for name, value in given.items() if value is not None}
    check_kinds(told, (("verbosity", str, "a text"),), "text")
    return (
        {**told, "format": flat_format(told["format"], "text.format")} if "format" in told else told
    )
