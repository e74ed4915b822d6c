"""The keys that an issuer publishes (RFC 7517), as far as they are taken, and how they are read."""

import http.client
import ssl
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from turnwire_gateway.auth.oidc_config import OidcConfig, is_safe_url

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    "EdDSA",
)
"""Never `none`, and never one whose key signs as well as it verifies."""

_TIMEOUT_S: Final = 5.0
_LARGEST: Final = 1024 * 1024
_DISCOVERY: Final = "/.well-known/openid-configuration"


class KeySet:
    """The issuer's keys by their ids; each is good for one algorithm only, its own."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read a JWK set (RFC 7517) without keys of other uses and of unknown algorithms."""
        listed = document.get("keys")
        found = map(_key, cast("list[Any]", listed)) if isinstance(listed, list) else ()
        self._keys = [key for key in found if key is not None]
        self._by_id = {key.key_id: key for key in self._keys if key.key_id}

    def __len__(self) -> int:
        """Count the keys."""
        return len(self._keys)

    def find(self, key_id: str | None) -> PyJWK | None:
        """Give the key of that id; without an id, the only one there is."""
        if key_id is not None:
            return self._by_id.get(key_id)
        return self._keys[0] if len(self._keys) == 1 else None


def _key(listed: Any) -> PyJWK | None:
    if not isinstance(listed, dict):
        return None
    fields = cast("dict[str, Any]", listed)
    if fields.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK(fields)
    except PyJWTError:
        return None
    return key if key.algorithm_name in ALGORITHMS else None


class NoKeysError(Exception):
    """The issuer's keys cannot be had; the text says why."""


def fetch_keys(oidc: OidcConfig) -> KeySet:
    """Give the issuer's keys as they are now. Raises `NoKeysError`.

    It waits for the network: to be called in a thread.
    """
    url = oidc.jwks_url or _discover(oidc.issuer)
    keys = KeySet(_read(url))
    if not len(keys):
        raise NoKeysError(f"{url} has no key that can be used here")
    return keys


def _discover(issuer: str) -> str:
    url = issuer.rstrip("/") + _DISCOVERY
    discovered = _read(url)
    # OpenID Connect Discovery §4.3: it must be the issuer's own.
    if discovered.get("issuer") != issuer:
        raise NoKeysError(f"{url} is about another issuer: {discovered.get('issuer')!r}")
    found = discovered.get("jwks_uri")
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
        connection.request("GET", target, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise NoKeysError(f"{url} answers {answer.status}")
        return answer.read(_LARGEST)
    finally:
        connection.close()
