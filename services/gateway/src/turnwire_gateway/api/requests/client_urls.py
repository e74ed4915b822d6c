"""URLs that clients name, as far as they are judged before anything connects to them. No I/O."""

from typing import Any, Final
from urllib.parse import urlsplit

from turnwire_gateway.api.requests.shapes import wrong

_LONGEST: Final = 2048


def client_url(given: Any, place: str, way_out: str) -> str:
    """Read a URL; it is not quoted, because some hide a key in it.

    `way_out` says where credentials belong. Where it leads is checked by the tool-runner, which
    connects to it. Raises `ApiError` (400) naming the place.
    """
    if not isinstance(given, str) or len(given) > _LONGEST or not given.isprintable():
        raise wrong(place, f"must be a URL of at most {_LONGEST} characters")
    try:
        parts = urlsplit(given)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong(place, "must be a URL") from None
    if not fits or " " in given:
        raise wrong(place, "must be an https:// or http:// URL")
    if "@" in parts.netloc:
        raise wrong(place, f"must not contain a user or password: {way_out}")
    return given
