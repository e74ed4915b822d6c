"""Who is calling: the tenant and the user on whose behalf a request is made."""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from turnwire_chassis.api_keys.record import SCOPES, KeyWebhook, Scope
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_gateway.errors import ApiError, insufficient_scope

USER = "user"
ADMIN = "admin"
OPERATOR = "operator"

ADMIN_SCOPE: Final[Scope] = "admin"


class Caller(Struct, frozen=True):
    """On whose behalf a request is made."""

    tenant: TenantId
    owner: OwnerId
    roles: frozenset[str] = frozenset()
    key: str | None = None
    """The id of the API key that was shown; `None` for a JWT and for the one local user."""
    scopes: tuple[Scope, ...] = SCOPES
    """What the API key may be used for."""
    webhook: KeyWebhook | None = None
    """Where the API key has the ends of its responses told."""

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see deleted things, all users' things, and delete for ever."""
        return ADMIN in self.roles and ADMIN_SCOPE in self.scopes

    @property
    def is_operator(self) -> bool:
        """Whether the caller runs the deployment: all tenants, without what was said in them."""
        return OPERATOR in self.roles and ADMIN_SCOPE in self.scopes

    def may_see(self, owner: OwnerId) -> bool:
        """Tell whether what `owner` made is there for this caller at all."""
        return owner == self.owner or self.is_admin


Identify = Callable[[str | None], Awaitable[Caller]]
"""Tells from a request's `Authorization` who is calling; raises `ApiError`."""

LOCAL = Caller(TenantId("local"), OwnerId("local"), frozenset({USER, ADMIN, OPERATOR}))


async def caller_of(authorization: str | None) -> Caller:
    """Give the caller; without configured keys there is one local user, whatever token it sends."""
    del authorization
    return LOCAL


def require_admin(caller: Caller, what: str) -> None:
    """Raise `ApiError` (403) unless the caller is an admin; `what` names what only admins may."""
    if not caller.is_admin:
        if ADMIN in caller.roles:
            raise insufficient_scope(ADMIN_SCOPE, caller.scopes)
        raise ApiError(failure("admin_required", what=what))


def require_operator(caller: Caller, what: str) -> None:
    """Raise `ApiError` (403) unless the caller is an operator; `what`: what only operators may."""
    if not caller.is_operator:
        raise ApiError(failure("operator_required", what=what))
