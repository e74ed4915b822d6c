"""A token of the issuer: whether it is valid, and whom it names. Pure but for the clock."""

from collections.abc import Mapping
from typing import Any, Final, cast

import jwt
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from turnwire_contracts.ids import OwnerId, TenantId, is_tenant_id
from turnwire_gateway.auth.caller import ADMIN, USER, Caller
from turnwire_gateway.auth.oidc_config import OidcConfig
from turnwire_gateway.auth.oidc_keys import ALGORITHMS

LEEWAY_S: Final = 30
"""Clocks differ."""

_JWT = jwt.PyJWT(options={"enforce_minimum_key_length": True})
_PARTS: Final = 3
_LONGEST_USER: Final = 256


def key_id_of(token: str) -> tuple[bool, str | None]:
    """Tell whether it may be a token at all, and which key id it names; unverified."""
    if token.count(".") != _PARTS - 1:
        return False, None
    try:
        header = jwt.get_unverified_header(token)
    except PyJWTError:
        return False, None
    key_id = header.get("kid")
    return header.get("alg") in ALGORITHMS and (key_id is None or isinstance(key_id, str)), key_id


def verified(token: str, key: PyJWK, oidc: OidcConfig) -> dict[str, Any] | None:
    """Give the claims; `None` if the signature, `exp`, `iss` or `aud` is not as it must be."""
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


def caller_named(claims: Mapping[str, Any], oidc: OidcConfig) -> Caller | None:
    """Give the caller; `None` if the token names no tenant or no user that can be."""
    tenant = oidc.tenant if oidc.tenant is not None else _claim(claims, oidc.tenant_claim)
    user = _claim(claims, oidc.user_claim)
    if not isinstance(tenant, str) or not is_tenant_id(tenant):
        return None
    if not isinstance(user, str) or not 0 < len(user) <= _LONGEST_USER:
        return None
    admin = {ADMIN} & _words(_claim(claims, oidc.roles_claim))
    return Caller(TenantId(tenant), OwnerId(user), frozenset({USER}) | admin)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Find a claim by its whole name, or by its path: Keycloak has `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for step in name.split("."):
        if not isinstance(found, dict):
            return None
        found = cast("dict[str, Any]", found).get(step)
    return found


def _words(value: Any) -> set[str]:
    match value:
        case str():
            return set(value.split())
        case list():
            return {each for each in cast("list[Any]", value) if isinstance(each, str)}
        case _:
            return set()
