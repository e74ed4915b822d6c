"""Pages of an OIDC issuer: read over https, or on this machine, and never by a redirection."""

import http.client
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from turnwire_gateway.auth.oidc_config import is_safe_url

_TIMEOUT_S: Final = 5.0
_LARGEST: Final = 1024 * 1024
_DISCOVERY: Final = "/.well-known/openid-configuration"
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class IssuerPageError(Exception):
    """The issuer did not give what it was asked for; the text says why."""


def discover(issuer: str, *needed: str) -> dict[str, Any]:
    """Give the issuer's discovery document, in which `needed` are URLs. Raises `IssuerPageError`.

    Like all here it waits for the network: to be called in a thread.
    """
    url = issuer.rstrip("/") + _DISCOVERY
    discovered = read_page(url)
    # OpenID Connect Discovery §4.3: it must be the issuer's own.
    if discovered.get("issuer") != issuer:
        raise IssuerPageError(f"{url} is about another issuer: {discovered.get('issuer')!r}")
    for name in needed:
        if not isinstance(discovered.get(name), str):
            raise IssuerPageError(f"{url} names no {name}")
    return discovered


def read_page(
    url: str, form: str | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Give the JSON object that a page is, or answers to a form. Raises `IssuerPageError`."""
    if not is_safe_url(url):
        raise IssuerPageError(f"{url} is not https")
    try:
        return msgspec.json.decode(_exchange(url, form, headers or {}), type=dict[str, Any])
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise IssuerPageError(f"{url}: {error or type(error).__name__}") from error


def _exchange(url: str, form: str | None, headers: Mapping[str, str]) -> bytes:
    """Read a page; a redirection is a failure: it could lead to an address without https."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path or "/"
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=_TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)
    try:
        target = f"{path}?{parts.query}" if parts.query else path
        fields = {"Accept": "application/json", **({} if form is None else _FORM), **headers}
        connection.request("GET" if form is None else "POST", target, form, fields)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise IssuerPageError(f"{url} answers {answer.status}")
        return answer.read(_LARGEST)
    finally:
        connection.close()
