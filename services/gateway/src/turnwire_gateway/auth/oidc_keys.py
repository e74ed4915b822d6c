"""The keys that an issuer publishes (RFC 7517), as far as they are taken, and how they are read."""

from collections.abc import Mapping
from typing import Any, Final, cast

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from turnwire_gateway.auth.oidc_config import OidcConfig
from turnwire_gateway.auth.oidc_pages import IssuerPageError, discover, read_page

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    "EdDSA",
)
"""Never `none`, and never one whose key signs as well as it verifies."""


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
    try:
        url = oidc.jwks_url or _listed_at(oidc.issuer)
        keys = KeySet(read_page(url))
    except IssuerPageError as error:
        raise NoKeysError(str(error)) from error
    if not len(keys):
        raise NoKeysError(f"{url} has no key that can be used here")
    return keys


def _listed_at(issuer: str) -> str:
    return str(discover(issuer, "jwks_uri")["jwks_uri"])
