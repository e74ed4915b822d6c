"""Who is calling: the one place that turns a request's credentials into a tenant and an owner."""

from msgspec import Struct

from turnwire_contracts.ids import OwnerId, TenantId


class Caller(Struct, frozen=True):
    """On whose behalf a request is made."""

    tenant: TenantId
    owner: OwnerId


LOCAL = Caller(TenantId("local"), OwnerId("local"))


def caller_of(authorization: str | None) -> Caller:
    """Give the caller; without configured keys there is one local user, whatever token it sends."""
    del authorization
    return LOCAL
