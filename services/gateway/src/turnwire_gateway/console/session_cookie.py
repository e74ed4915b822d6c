"""The cookie of a session, and from where its requests may come. Pure."""

from collections.abc import Iterator
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from turnwire_gateway.api.web_access import not_allowed, source_of, was_sent_by_own_page
from turnwire_gateway.errors import ApiError

OWN_HEADER: Final = "x-turnwire-console"
"""What the console sends with every request: a page elsewhere cannot without being asked first."""

_PLAIN: Final = "turnwire_session"
_SECURE: Final = "__Host-turnwire_session"
"""The browser takes it over https only, from this very host (RFC 6265bis §4.1.3)."""


def cookie_of(headers: Headers) -> str | None:
    """Give the value of the session's cookie."""
    return next(cookies_of(headers), None)


def cookies_of(headers: Headers) -> Iterator[str]:
    """Give the values of all cookies of sessions: one who came by http, too, may have two."""
    # As browsers write them: what else of this host sets cookies, oddly, must sign no user out.
    found = cookie_parser(headers.get("cookie", ""))
    return (value for name in (_SECURE, _PLAIN) if (value := found.get(name)))


def set_cookie(answer: Response, headers: Headers, value: str, lasting_s: int) -> None:
    """Give the browser the cookie; `headers` are the request's."""
    put_session(answer, value, lasting_s, secure=_is_secure(headers))


def remove_cookies(answer: Response) -> None:
    """Have the browser forget the cookies of sessions."""
    for secure in (True, False):
        put_session(answer, "", 0, secure=secure)


def put_session(answer: Response, value: str, lasting_s: int, *, secure: bool) -> None:
    """Give the browser the cookie; `secure`: its page came by https."""
    answer.set_cookie(
        _SECURE if secure else _PLAIN,
        value,
        max_age=lasting_s,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def check_sender(headers: Headers, method: str) -> None:
    """Return if the console's own page can have sent the request.

    Raises `ApiError` (403).
    """
    if OWN_HEADER not in headers:
        raise _not_ours(f"the header {OWN_HEADER} is missing")
    changes = method not in ("GET", "HEAD")
    if not was_sent_by_own_page(source_of(headers.raw), must_say=changes):
        raise _not_ours("a page of another origin has sent it")


def _is_secure(headers: Headers) -> bool:
    """Tell by what the browser itself says of its page: a proxy may have ended TLS."""
    return headers.get("origin", "").startswith("https://")


def _not_ours(why: str) -> ApiError:
    return not_allowed(
        "origin_not_allowed",
        f"A session of the console is for the console alone, and {why}. Programs send an API key "
        "instead: Authorization: Bearer …",
    )
