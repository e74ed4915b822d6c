"""What only admins may do: refused to others, and noted before it is done."""

from collections.abc import Callable

from starlette.requests import Request

from turnwire_chassis.auditing.audit_log import AuditLog, AuditUnavailableError
from turnwire_contracts.audit.acts import Act, Actor, AdminActed
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_gateway.api.request_context import caller, request_id, subject_id
from turnwire_gateway.auth.caller import require_admin
from turnwire_gateway.errors import not_kept

_DESCRIPTIONS: dict[Act, str] = {
    "see_deleted": "see what was deleted",
    "see_others": "see what others made",
    "change_others": "change what others made",
    "restore": "restore what was deleted",
    "purge": "delete for ever",
    "see_keys": "see who has API keys",
    "see_audit": "read the audit log",
    "see_erasures": "see erasures",
    "test_guard": "try the guard's policy",
}


def actor(request: Request) -> Actor:
    """Say who asks, for the audit log."""
    who = caller(request)
    return Actor(who.owner, who.key, request_id(request))


class AdminActs:
    """Allows acts that only admins may do, and notes each in the audit log before it is done."""

    def __init__(self, audit: AuditLog, now_ms: Callable[[], int]) -> None:
        self._audit = audit
        self._now_ms = now_ms

    async def allow(self, request: Request, act: Act, about: str) -> None:
        """Return if the caller is an admin and the act is noted.

        Raises `ApiError`: 403 for other callers, 503 when the act cannot be noted.
        """
        who = caller(request)
        require_admin(who, _DESCRIPTIONS[act])
        await self.note(request, act, about, who.tenant)

    async def note(self, request: Request, act: Act, about: str, tenant: TenantId) -> None:
        """Note what a caller is about to do in a tenant who was found to be allowed to.

        Raises `ApiError` (503) when it cannot be noted.
        """
        event = AdminActed(
            tenant=tenant, at=self._now_ms(), by=actor(request), act=act, about=about
        )
        try:
            await self._audit.note(event)
        except AuditUnavailableError as error:
            raise not_kept(error, "audit_log_unavailable") from error

    async def note_if_others(self, request: Request, owner: OwnerId) -> None:
        """Note that an admin reads or changes another user's object; raises as `allow` does."""
        if owner != caller(request).owner:
            reads = request.method in ("GET", "HEAD")
            await self.allow(
                request, "see_others" if reads else "change_others", subject_id(request)
            )
