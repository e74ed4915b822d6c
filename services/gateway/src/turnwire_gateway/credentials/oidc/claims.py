"""From the claims of a token to the caller that they name. Pure."""

from collections.abc import Mapping
from typing import Any, Final, cast

from turnwire_contracts.ids import OwnerId, TenantId, is_tenant_id
from turnwire_gateway.credentials.oidc.config import Oidc
from turnwire_gateway.identity import ADMIN, USER, Caller

_LONGEST_USER: Final = 256


def caller_named(claims: Mapping[str, Any], oidc: Oidc) -> Caller | None:
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
