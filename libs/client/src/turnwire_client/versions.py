"""Which Turnwire has a route: what is said where a server does not know it."""

import re
from typing import Final

FIRST: Final = "0.1.0"
"""What a route has that is not named below."""

SINCE: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), version)
    for pattern, version in (
        (r"GET /responses", "0.2.0"),
        (r"GET /responses/[^/]+/(events|state|timeline|prompt|diff)", "0.2.0"),
        (r"POST /responses/[^/]+/(fork|rerun)", "0.2.0"),
        (r"(GET|POST) /approvals.*", "0.2.0"),
        (r"(GET|POST|PUT|PATCH|DELETE) /admin/.*", "0.2.0"),
    )
)
"""Routes by method and path below `/v1`, and the first version that has them."""


def needed(method: str, path: str) -> str:
    """Give the first version that has a route."""
    route = f"{method} {path}"
    return next((version for each, version in SINCE if each.fullmatch(route)), FIRST)
