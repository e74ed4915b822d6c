"""One token: what it says of itself, and whether it is what it says. Pure but for the clock."""

from typing import Any, Final

import jwt
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from turnwire_gateway.credentials.oidc.config import Oidc
from turnwire_gateway.credentials.oidc.key_set import ALGORITHMS

LEEWAY_S: Final = 30
"""Clocks differ."""

_JWT = jwt.PyJWT(options={"enforce_minimum_key_length": True})
_PARTS: Final = 3


def key_id_said(token: str) -> tuple[bool, str | None]:
    """Tell whether it may be a token at all, and which key it says it was signed with."""
    if token.count(".") != _PARTS - 1:
        return False, None
    try:
        header = jwt.get_unverified_header(token)
    except PyJWTError:
        return False, None
    key_id = header.get("kid")
    return header.get("alg") in ALGORITHMS and (key_id is None or isinstance(key_id, str)), key_id


def verified(token: str, key: PyJWK, oidc: Oidc) -> dict[str, Any] | None:
    """Give the claims; `None` if anything about the token is not as it must be."""
    try:
        return _JWT.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            audience=oidc.audience,
            issuer=oidc.issuer,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud"]},
        )
    except (PyJWTError, ValueError):
        return None
