"""Which `Host` names and which origins of web pages are served without API keys. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

from msgspec import Struct

from turnwire_chassis.settings import SettingsError
from turnwire_contracts.errors.catalogue import failure
from turnwire_gateway.errors import ApiError, invalid

ANY_ORIGIN: Final = "*"

_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*))(?::(?P<port>\d*))?",
    re.ASCII,
)
_ORIGIN: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[a-z0-9_.:\[\]-]+)")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_OWN_SITE: Final = "same-origin"
_OWN_SITES: Final = {_OWN_SITE, "none"}
"""Fetch Metadata: a page of this origin, or no page. `same-site` may be another port."""

_MOST_SHOWN: Final = 100
_KEYS_OR: Final = "make an API key (turnwire keys create)"


class WebAccess(Struct, frozen=True):
    """What the operator has allowed."""

    hosts: frozenset[str] = frozenset()
    """Names beside those of the loopback interface, in lower case."""
    origins: frozenset[str] = frozenset()
    """Origins of pages as browsers write them, or `*`."""


def read_web_access(host: str, hosts: str, origins: str) -> WebAccess:
    """Read `TURNWIRE_HOST`, `TURNWIRE_ALLOWED_HOSTS` and `TURNWIRE_CORS_ORIGINS`.

    Raises `SettingsError`.
    """
    try:
        names = frozenset(map(_host_name, _words(hosts)))
    except ValueError as error:
        raise SettingsError(f"TURNWIRE_ALLOWED_HOSTS: {error}") from error
    try:
        pages = frozenset(each if each == ANY_ORIGIN else _origin(each) for each in _words(origins))
    except ValueError as error:
        raise SettingsError(f"TURNWIRE_CORS_ORIGINS: {error}") from error
    return WebAccess(names | {host.lower()}, pages)


def is_loopback_name(name: str) -> bool:
    """Tell whether a name can only mean this machine, whatever DNS says (RFC 6761 §6.3)."""
    try:
        address = ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


class RequestSource(Struct, frozen=True):
    """The headers that say by which name a request came, and from which page."""

    hosts: list[str]
    origins: list[str]
    sites: list[str]


def source_of(headers: Iterable[tuple[bytes, bytes]]) -> RequestSource:
    """Read `Host`, `Origin` and `Sec-Fetch-Site` (ASGI: names are in lower case)."""
    found: dict[bytes, list[str]] = {b"host": [], b"origin": [], b"sec-fetch-site": []}
    for name, value in headers:
        if name in found:
            found[name].append(value.decode("latin-1"))
    return RequestSource(*found.values())


def check_request(access: WebAccess, source: RequestSource, http_version: str) -> None:
    """Return if no web page of another origin can have sent the request; used without API keys.

    A page can make a browser send anything to this machine. By DNS rebinding it can also read the
    answer, but then `Host` is a name of its own. Raises `ApiError` (403; 400 without one `Host`).
    """
    hosts = source.hosts
    # RFC 9112 §3.2; HTTP/1.0 knew no Host, and no browser speaks it.
    if len(hosts) > 1 or (not hosts and http_version != "1.0"):
        raise invalid("A request must have exactly one Host header.", "host")
    host = hosts[0] if hosts else None
    if host is not None and not _is_ours(host, access.hosts):
        raise _host_not_allowed(host)
    _check_origin(access, source, host)


def was_sent_by_own_page(source: RequestSource, *, must_say: bool) -> bool:
    """Tell whether a page of this very origin has sent a request.

    `must_say`: also one without `Origin` was not, which browsers send with all but plain reads.
    Behind a proxy that changes `Host`, the browser's own word (Fetch Metadata) tells.
    """
    sites = [site.strip().lower() for site in source.sites]
    if any(site != _OWN_SITE for site in sites) or len(source.origins) > 1:
        return False
    if not source.origins:
        return not must_say
    host = source.hosts[0] if len(source.hosts) == 1 else None
    return bool(sites) or _is_origin_of(source.origins[0], host)


def _check_origin(access: WebAccess, source: RequestSource, host: str | None) -> None:
    origins = source.origins
    if len(origins) == 1 and origins[0] in access.origins - {ANY_ORIGIN}:
        return
    if origins and (len(origins) > 1 or not _is_origin_of(origins[0], host)):
        raise _origin_not_allowed(f"a page of '{_shown(origins[0])}' (its Origin header)")
    elsewhere = [site for site in source.sites if site.strip().lower() not in _OWN_SITES]
    if elsewhere:
        raise _origin_not_allowed(f"a page elsewhere (Sec-Fetch-Site: {_shown(elsewhere[0])})")


@lru_cache(maxsize=64)
def _is_ours(host: str, allowed: frozenset[str]) -> bool:
    found = _AUTHORITY.fullmatch(host)
    if found is None:
        return False
    name = _name_in(found)
    return is_loopback_name(name) or name in allowed


def _is_origin_of(origin: str, host: str | None) -> bool:
    page = _ORIGIN.fullmatch(origin)
    if page is None or host is None or page["scheme"] not in _DEFAULT_PORTS:
        return False
    port = _DEFAULT_PORTS[page["scheme"]]
    sides = [_AUTHORITY.fullmatch(each) for each in (page["authority"], host)]
    first, second = [each and (_name_in(each), each["port"] or port) for each in sides]
    return first is not None and first == second


def _name_in(found: re.Match[str]) -> str:
    name = (found["literal"] or found["name"]).lower()
    return name.removesuffix(".")


def _host_name(text: str) -> str:
    found = _AUTHORITY.fullmatch(text)
    if found is None or found["port"] is not None:
        raise ValueError(f"{text!r} is no host name; write it like turnwire.example, without port")
    return _name_in(found)


def _origin(text: str) -> str:
    lower = text.lower().removesuffix("/")
    found = _ORIGIN.fullmatch(lower)
    if found is None:
        reason = (
            "any page can have that origin"
            if lower == "null"
            else "write it like https://app.example:3000, without path"
        )
        raise ValueError(f"{text!r} is no origin that can be listed: {reason}")
    # Browsers leave the scheme's own port out.
    return lower.removesuffix(f":{_DEFAULT_PORTS.get(found['scheme'], '')}")


def _words(text: str) -> Iterable[str]:
    return (word for part in text.split(",") if (word := part.strip()))


def _shown(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _host_not_allowed(host: str) -> ApiError:
    return not_allowed(
        "host_not_allowed",
        f"Without API keys only names of this machine are served, and '{_shown(host)}' (the "
        "request's Host header) is none. Ask 127.0.0.1 or localhost, or have the operator of "
        f"this Turnwire add the name to TURNWIRE_ALLOWED_HOSTS, or {_KEYS_OR}.",
    )


def _origin_not_allowed(whose: str) -> ApiError:
    return not_allowed(
        "origin_not_allowed",
        f"Without API keys web pages of other origins are not served, and this request comes from "
        f"{whose}. Have the operator of this Turnwire name the page's origin in "
        f"TURNWIRE_CORS_ORIGINS (`*` names none), or {_KEYS_OR}.",
    )


def not_allowed(code: str, message: str) -> ApiError:
    """Refuse a request for where it comes from (403)."""
    return ApiError(failure(code, message))
