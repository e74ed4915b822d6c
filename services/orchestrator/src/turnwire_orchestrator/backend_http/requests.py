"""Requests as bytes, and where they go. Pure."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from turnwire_orchestrator.backend_http.connections import ServerOrigin

_USER_AGENT: Final = "turnwire"
_IN_PATHS: Final = "/%:@!$&'()*+,;=~?[]"
_PORTS: Final = {"http": 80, "https": 443}
_KEEP_METHOD: Final = (307, 308)
_REDIRECTS: Final = (301, 302, 303, *_KEEP_METHOD)


def origin_of(url: str) -> ServerOrigin:
    """Give where a URL leads. Raises `ValueError` for what is no URL of HTTP."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"not a URL of HTTP: {url}")
    return ServerOrigin(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "https")


def head_of(method: str, url: str, headers: Mapping[str, str], api_key: str | None) -> bytes:
    """Write the head of a request, without the blank line that ends it.

    Credentials are the key, else those in the URL. Raises `ValueError` for a header with a line
    break in it.
    """
    parts = urlsplit(url)
    target = quote(parts.path or "/", safe=_IN_PATHS)
    if parts.query:
        target += "?" + quote(parts.query, safe=_IN_PATHS)
    fields = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": _USER_AGENT, **headers}
    if api_key:
        fields["Authorization"] = f"Bearer {api_key}"
    elif parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        fields["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header has a line break in it")
    return "".join(f"{line}\r\n" for line in lines).encode()


def whole(head: bytes, body: bytes | None, more: Mapping[str, str]) -> bytes:
    """Complete a request: further headers, the length of a body, and the body."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in more.items()).encode()
    if body is None:
        return b"%b%b\r\n" % (head, fields)
    return b"%b%bContent-Length: %d\r\n\r\n%b" % (head, fields, len(body), body)


def redirected(method: str, url: str, status: int, location: str | None) -> str | None:
    """Give where a request is to be sent again (RFC 9110 §15.4); `None`: nowhere.

    What is posted goes only where it may go unchanged.
    """
    allowed = _REDIRECTS if method == "GET" else _KEEP_METHOD
    return urljoin(url, location) if location and status in allowed else None
