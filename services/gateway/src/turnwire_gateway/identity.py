"""Who is calling: the one place that turns a request's credentials into a tenant and an owner."""

from collections.abc import Callable

from msgspec import Struct

from turnwire_contracts.events import Failure
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_gateway.answers.errors import ApiError

ADMIN = "admin"


class Caller(Struct, frozen=True):
    """On whose behalf a request is made."""

    tenant: TenantId
    owner: OwnerId
    roles: frozenset[str] = frozenset()

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see deleted things, all users' things, and delete for ever."""
        return ADMIN in self.roles

    def may_see(self, owner: OwnerId) -> bool:
        """Tell whether what `owner` made is there for this caller at all."""
        return owner == self.owner or self.is_admin


Identify = Callable[[str | None], Caller]
"""Tells from a request's `Authorization` who is calling; raises `ApiError`."""

LOCAL = Caller(TenantId("local"), OwnerId("local"), frozenset({"user", ADMIN}))


def caller_of(authorization: str | None) -> Caller:
    """Give the caller; without configured keys there is one local user, whatever token it sends."""
    del authorization
    return LOCAL


def require_admin(caller: Caller, what: str) -> None:
    """Raise `ApiError` (403) unless the caller is an admin; `what` names what only admins may."""
    if not caller.is_admin:
        raise ApiError(
            Failure(
                http_status=403,
                type="permission_error",
                code="admin_required",
                message=f"Only an admin may {what}.",
            )
        )
