"""Query parameters, and the pages that lists are given in (OpenAI: `limit`, `order`, `after`)."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_gateway.errors import invalid

DEFAULT_LIMIT = 20
MOST = 100
"""The most members of a list that one page has."""
FURTHEST = 100_000
"""How many members may be left out before a page."""
LARGEST_NUMBER = 2**53
"""The largest whole number that every JSON reader reads exactly."""

_MOST_DIGITS = 18
_TRUTHS = {"true": True, "1": True, "false": False, "0": False, "": False}


class Paging(Struct, frozen=True):
    """Which part of a list a request asks for."""

    limit: int
    newest_first: bool
    after: str | None


def paging(query: Mapping[str, str], *, newest_first: bool = True) -> Paging:
    """Read `limit` (1 to 100), `order` (`asc` or `desc`) and `after`; raises `ApiError` (400)."""
    return Paging(
        whole_number(query, "limit", DEFAULT_LIMIT, (1, MOST)),
        order(query, newest_first=newest_first),
        query.get("after") or None,
    )


def order(query: Mapping[str, str], *, newest_first: bool) -> bool:
    """Tell whether the newest come first; raises `ApiError` (400)."""
    given = query.get("order")
    if given not in (None, "asc", "desc"):
        raise invalid(
            f"Invalid value for 'order': must be 'asc' or 'desc' (got {given[:32]!r}).", "order"
        )
    return newest_first if given is None else given == "desc"


def whole_number(query: Mapping[str, str], name: str, default: int, bounds: tuple[int, int]) -> int:
    """Read a whole number within `bounds`; raises `ApiError` (400)."""
    given = query.get(name)
    if given is None:
        return default
    least, most = bounds
    plain = given.isascii() and given.isdecimal() and len(given) <= _MOST_DIGITS
    if not (plain and least <= int(given) <= most):
        raise invalid(
            f"Invalid value for '{name}': must be a whole number from {least} to {most} "
            f"(got {given[:32]!r}).",
            name,
        )
    return int(given)


def one_of(query: Mapping[str, str], name: str, values: Sequence[str]) -> str | None:
    """Read one of some words; raises `ApiError` (400)."""
    given = query.get(name)
    if given is None or given in values:
        return given
    raise invalid(
        f"Invalid value for '{name}': must be one of {', '.join(values)} (got {given[:32]!r}).",
        name,
    )


def flag(query: Mapping[str, str], name: str) -> bool:
    """Read a boolean, false by default; raises `ApiError` (400)."""
    given = query.get(name, "").lower()
    if given not in _TRUTHS:
        raise invalid(
            f"Invalid value for '{name}': must be true or false (got {given[:32]!r}).", name
        )
    return _TRUTHS[given]


def page_of(items: Sequence[Item], page: Paging) -> JSON:
    """Give the part of a whole list that `page` names, which is given oldest first.

    Raises `ApiError` (400) when there is no item `after`.
    """
    ordered = list(reversed(items)) if page.newest_first else list(items)
    if page.after is not None:
        ids = [item["id"] for item in ordered]
        if page.after not in ids:
            raise unknown_after(page.after)
        ordered = ordered[ids.index(page.after) + 1 :]
    return listed(ordered[: page.limit], has_more=len(ordered) > page.limit)


def unknown_after(item_id: str) -> Exception:
    """Say that the list has no such item to go on after."""
    return invalid(f"Invalid value for 'after': there is no item '{item_id}' here.", "after")


def listed(data: list[JSON], *, has_more: bool) -> JSON:
    """Write a list as OpenAI does."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }
