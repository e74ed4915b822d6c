"""How an operator reads what was said in a tenant: named, with a reason, and noted beforehand.

An operator sees across tenants what holds no content. With the headers `X-Turnwire-Tenant` and
`X-Turnwire-Reason` a request that only reads is answered as for an admin of that tenant.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace
from starlette.datastructures import Headers
from starlette.types import Scope

from turnwire_chassis.auditing.audit_log import AuditLog, AuditUnavailableError
from turnwire_contracts.audit.acts import Actor, ContentOpened
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.ids import (
    TenantId,
    is_conversation_id,
    is_response_id,
    is_tenant_id,
)
from turnwire_gateway.auth.caller import ADMIN, USER, Caller, require_operator
from turnwire_gateway.errors import ApiError, invalid, not_kept

TENANT_HEADER: Final = "x-turnwire-tenant"
REASON_HEADER: Final = "x-turnwire-reason"

_OF_ADMINISTRATION: Final = "/v1/admin/"
_SHORTEST, _LONGEST = 3, 256
_OF_A_COLLECTION: Final = 2
"""Words of `/v1/responses`."""


class ContentAccess:
    """Lets operators read in the tenant that they name, once that is noted in its audit log."""

    def __init__(self, audit: AuditLog, now_ms: Callable[[], int]) -> None:
        self._audit = audit
        self._now_ms = now_ms

    async def admit(self, scope: Scope, caller: Caller, tenant: str) -> Caller:
        """Note it, and give the caller as an admin of `tenant`; raises `ApiError`.

        For their own tenant, and for routes of administration, the caller stays who they are.
        """
        if tenant == caller.tenant or scope["path"].startswith(_OF_ADMINISTRATION):
            return caller
        require_operator(caller, "read what was said in another tenant")
        if not is_tenant_id(tenant):
            raise invalid(
                f"Invalid value for '{TENANT_HEADER}': must have 1 to 64 of the letters A-Z a-z "
                "0-9 _ -.",
                TENANT_HEADER,
            )
        if scope.get("method") not in ("GET", "HEAD"):
            raise ApiError(failure("tenant_read_only"))
        event = ContentOpened(
            tenant=TenantId(tenant),
            at=self._now_ms(),
            by=Actor(caller.owner, caller.key, scope["state"].get("request_id")),
            about=_about(scope["path"]),
            reason=_reason(Headers(scope=scope)),
        )
        try:
            await self._audit.note(event)
        except AuditUnavailableError as error:
            raise not_kept(error, "audit_log_unavailable") from error
        return replace(caller, tenant=event.tenant, roles=frozenset({USER, ADMIN}))


def _reason(headers: Headers) -> str:
    reason = headers.get(REASON_HEADER, "").strip()
    if not reason:
        raise invalid(
            f"Missing required parameter: '{REASON_HEADER}'. An operator opens what was said in a "
            "tenant only with a reason, which stands in its audit log.",
            REASON_HEADER,
            "missing_required_parameter",
        )
    if not _SHORTEST <= len(reason) <= _LONGEST or not reason.isprintable():
        raise invalid(
            f"Invalid value for '{REASON_HEADER}': must have {_SHORTEST} to {_LONGEST} printable "
            "characters.",
            REASON_HEADER,
        )
    return reason


def _about(path: str) -> str:
    """Name what a path is about: the id in it, or its collection. Other words may be anything."""
    words = path.strip("/").split("/")
    ids = [word for word in words if is_response_id(word) or is_conversation_id(word)]
    return ids[0] if ids else words[1] if len(words) == _OF_A_COLLECTION else "unknown"
