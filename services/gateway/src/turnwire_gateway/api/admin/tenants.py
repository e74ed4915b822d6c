"""Which tenants a request to a route of administration is about, by who asks it."""

from typing import Final

from starlette.requests import Request

from turnwire_contracts.ids import TenantId, is_tenant_id
from turnwire_gateway.api.request_context import caller
from turnwire_gateway.auth.caller import require_admin, require_operator
from turnwire_gateway.errors import ApiError, invalid

PARAMETER: Final = "tenant"


def tenants_seen(request: Request, what: str) -> TenantId | None:
    """Give the tenant that is asked about; `None`: an operator asks about all.

    An admin asks about their own, named in `tenant` or not. `what` says what only admins may.
    Raises `ApiError`: 403 for other callers and for other tenants, whether they exist or not.
    """
    named = request.query_params.get(PARAMETER)
    who = caller(request)
    if named is None:
        if who.is_operator:
            return None
        require_admin(who, what)
        return who.tenant
    return tenant_changed(request, named, what)


def tenant_changed(request: Request, named: str | None, what: str) -> TenantId:
    """Give the tenant in which something is changed: the caller's own unless one is `named`.

    Raises `ApiError` as `tenants_seen` does, and 400 for a name that can be no tenant's.
    """
    who = caller(request)
    if named is not None and not is_tenant_id(named):
        raise _no_tenant()
    tenant = who.tenant if named is None else TenantId(named)
    if not who.is_operator:
        require_admin(who, what)
        if tenant != who.tenant:
            require_operator(who, f"{what} in another tenant")
    return tenant


def _no_tenant() -> ApiError:
    return invalid(
        f"Invalid value for '{PARAMETER}': must have 1 to 64 of the letters A-Z a-z 0-9 _ -.",
        PARAMETER,
    )
