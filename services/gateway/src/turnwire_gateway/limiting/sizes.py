"""How large a request may be: its body, and what is in it."""

from collections.abc import Iterable
from typing import Any, cast

from msgspec import Struct
from starlette.requests import Request

from turnwire_contracts.json_values import JSON, mapping
from turnwire_gateway.answers.errors import ApiError, invalid, too_large
from turnwire_gateway.answers.plain import read_body
from turnwire_gateway.limiting.allowances import Account, Allowance
from turnwire_gateway.requests.nesting import MOST_LEVELS
from turnwire_gateway.requests.validation import read_object

_ITEMS = ("input", "items")
"""Where requests carry items."""

_TOOLS = ("tools", "functions")
"""Where they carry tools."""

_INNER = {"max_items": "tool_calls", "max_tools": "tools"}
"""What an element may hold several of: a message of chat completions, a namespace."""


class Sizes(Struct, frozen=True):
    """The smallest of what the caller's accounts allow."""

    body_bytes: int | None = None
    items: int | None = None
    tools: int | None = None
    depth: int | None = None

    async def body_of(self, request: Request, limit: int) -> bytes:
        """Read a body of at most `limit`, and no more than the caller's own limit.

        Raises `ApiError` (413).
        """
        if self.body_bytes is None or self.body_bytes >= limit:
            return await read_body(request, limit)
        return await read_body(request, self.body_bytes, _over_own_limit)

    def object_of(self, body: bytes) -> JSON:
        """Read a JSON object that keeps within all of them; raises `ApiError` (400, 413)."""
        if self.body_bytes is not None and len(body) > self.body_bytes:
            raise _over_own_limit(self.body_bytes)
        depth = MOST_LEVELS if self.depth is None else min(self.depth, MOST_LEVELS)
        fields = read_object(body, depth)
        for name in _ITEMS:
            _check(fields.get(name), name, self.items, "max_items")
        for name in _TOOLS:
            _check(fields.get(name), name, self.tools, "max_tools")
        return fields


def sizes_of(accounts: Iterable[Account]) -> Sizes:
    """Give what all of these accounts allow."""
    allowances = [account.allowance for account in accounts]
    return Sizes(
        _least(allowances, "max_body_bytes"),
        _least(allowances, "max_items"),
        _least(allowances, "max_tools"),
        _least(allowances, "max_depth"),
    )


def _least(allowances: list[Allowance], name: str) -> int | None:
    said: list[int | None] = [getattr(each, name) for each in allowances]
    return min((most for most in said if most is not None), default=None)


def _over_own_limit(limit: int) -> ApiError:
    return too_large(limit, "`max_body_bytes` in TURNWIRE_LIMITS")


def _check(value: object, name: str, most: int | None, setting: str) -> None:
    if most is None or not isinstance(value, list):
        return
    inner = [mapping(each).get(_INNER[setting]) for each in cast("list[Any]", value)]
    count = sum(
        max(1, len(cast("list[Any]", each))) if isinstance(each, list) else 1 for each in inner
    )
    if count > most:
        raise invalid(
            f"`{name}` has {count} elements, and at most {most} are taken. Send fewer, or have the "
            f"operator raise `{setting}` in TURNWIRE_LIMITS.",
            name,
        )
