"""Reads what an issuer publishes. It waits for the network: to be called in a thread."""

import http.client
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from turnwire_gateway.credentials.oidc.config import Oidc, is_safe_url
from turnwire_gateway.credentials.oidc.key_set import KeySet

_TIMEOUT_S: Final = 5.0
_LARGEST: Final = 1024 * 1024
_DISCOVERY: Final = "/.well-known/openid-configuration"


class NoKeysError(Exception):
    """The issuer's keys cannot be had; the text says why."""


def fetch_keys(oidc: Oidc) -> KeySet:
    """Give the issuer's keys as they are now. Raises `NoKeysError`."""
    url = oidc.jwks_url or _discover(oidc.issuer)
    keys = KeySet(_read(url))
    if not len(keys):
        raise NoKeysError(f"{url} has no key that can be used here")
    return keys


def _discover(issuer: str) -> str:
    url = issuer.rstrip("/") + _DISCOVERY
    said = _read(url)
    # OpenID Connect Discovery §4.3: it must be the issuer's own.
    if said.get("issuer") != issuer:
        raise NoKeysError(f"{url} is about another issuer: {said.get('issuer')!r}")
    found = said.get("jwks_uri")
    if not isinstance(found, str):
        raise NoKeysError(f"{url} names no jwks_uri")
    return found


def _read(url: str) -> dict[str, Any]:
    if not is_safe_url(url):
        raise NoKeysError(f"{url} is not https")
    try:
        return msgspec.json.decode(_get(url), type=dict[str, Any])
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoKeysError(f"{url}: {error or type(error).__name__}") from error


def _get(url: str) -> bytes:
    """Read a page; a redirection is a failure: it could lead to where nobody is who he says."""
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
        connection.request("GET", target, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise NoKeysError(f"{url} answers {answer.status}")
        return answer.read(_LARGEST)
    finally:
        connection.close()
