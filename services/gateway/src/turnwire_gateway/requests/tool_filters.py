"""Which tools of an MCP server are meant, and which need approval. No I/O.

OpenAI: `McpToolFilter`, `McpAllowedTools`, `McpRequireApproval`.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

from turnwire_contracts.json_values import JSON, mapping
from turnwire_gateway.answers.errors import ApiError, invalid

ALWAYS: Final = "always"
_WORDS = (ALWAYS, "never")

Allowed = list[str] | JSON
"""Names, or a filter: `{"tool_names": […]?, "read_only": bool?}`."""
Approval = str | JSON
"""`always`, `never`, or `{"always": filter?, "never": filter?}`."""


def allowed_of(given: Any, place: str) -> Allowed | None:
    """Read `allowed_tools`; `None` allows all. Raises `ApiError` (400)."""
    if isinstance(given, list):
        return _names(cast("list[Any]", given), place)
    if given is None or isinstance(given, dict):
        return _filter(mapping(given), place) or None
    raise wrong(place, "must be a list of names or a filter")


def approval_of(given: Any, place: str) -> Approval | None:
    """Read `require_approval`; `None` says nothing. Raises `ApiError` (400).

    A filter that says nothing frees nothing: it falls away.
    """
    if given is None or given in _WORDS:
        return given
    if not isinstance(given, dict):
        raise wrong(place, "must be 'always', 'never' or filters of both")
    said = mapping(cast("object", given))
    filters: JSON = {}
    for word in _WORDS:
        each = said.get(word)
        if each is not None and not isinstance(each, dict):
            raise wrong(f"{place}.{word}", "must be a filter")
        if read := _filter(mapping(each), f"{place}.{word}"):
            filters[word] = read
    return filters or None


def narrowed(allowed: Allowed | None, most: Sequence[str] | None) -> Allowed | None:
    """Give those allowed tools that the operator allows too; `None` on both sides allows all."""
    if most is None:
        return allowed
    if allowed is None:
        return [*most]
    if isinstance(allowed, list):
        return [name for name in allowed if name in most]
    names = allowed.get("tool_names")
    return {**allowed, "tool_names": [name for name in most if names is None or name in names]}


def wrong(place: str, message: str) -> ApiError:
    """Say what is wrong with a value without quoting it: it may be a secret (HTTP 400)."""
    return invalid(f"Invalid value for '{place}': {message}.", place)


def _filter(given: JSON, place: str) -> JSON:
    said: JSON = {}
    names, read_only = given.get("tool_names"), given.get("read_only")
    if names is not None:
        if not isinstance(names, list):
            raise wrong(f"{place}.tool_names", "must be a list of names")
        said["tool_names"] = _names(cast("list[Any]", names), f"{place}.tool_names")
    if read_only is not None:
        if not isinstance(read_only, bool):
            raise wrong(f"{place}.read_only", "must be a boolean")
        said["read_only"] = read_only
    return said


def _names(given: list[Any], place: str) -> list[str]:
    for index, name in enumerate(given):
        if not isinstance(name, str) or not name:
            raise wrong(f"{place}[{index}]", "must be the name of a tool")
    return given
