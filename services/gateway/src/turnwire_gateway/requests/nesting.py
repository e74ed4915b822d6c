"""How deep JSON is nested: what reads it later has limits of its own, and would fail on it."""

from typing import Any, Final, cast

MOST_LEVELS: Final = 100


def is_too_deep(body: bytes, value: Any, most: int = MOST_LEVELS) -> bool:
    """Tell whether `value`, read from `body`, has more than `most` levels."""
    if body.count(b"[") + body.count(b"{") <= most:
        return False
    level: list[Any] = [value]
    for _ in range(most):
        level = [member for outer in level for member in _members(outer)]
        if not level:
            return False
    return any(_members(outer) is not _NONE for outer in level)


_NONE: Final[list[Any]] = []


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else _NONE
