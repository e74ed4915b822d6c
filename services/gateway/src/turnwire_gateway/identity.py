"""Who is calling: the one place that turns a request's credentials into a tenant and an owner."""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from turnwire_contracts.events import Failure
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_gateway.answers.errors import ApiError
from turnwire_gateway.answers.plain import refuse

USER = "user"
ADMIN = "admin"


class Caller(Struct, frozen=True):
    """On whose behalf a request is made."""

    tenant: TenantId
    owner: OwnerId
    roles: frozenset[str] = frozenset()
    key: str | None = None
    """The id of the API key that was shown; `None` for a JWT and for the one local user."""

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see deleted things, all users' things, and delete for ever."""
        return ADMIN in self.roles

    def may_see(self, owner: OwnerId) -> bool:
        """Tell whether what `owner` made is there for this caller at all."""
        return owner == self.owner or self.is_admin


Identify = Callable[[str | None], Awaitable[Caller]]
"""Tells from a request's `Authorization` who is calling; raises `ApiError`."""

OPEN_PATHS: Final = frozenset({"/", "/health", "/docs", "/openapi.json"})
"""What anybody may ask: whether it runs, and how to talk to it. Everything else needs a caller."""

LOCAL = Caller(TenantId("local"), OwnerId("local"), frozenset({USER, ADMIN}))


async def caller_of(authorization: str | None) -> Caller:
    """Give the caller; without configured keys there is one local user, whatever token it sends."""
    del authorization
    return LOCAL


class IdentityMiddleware:
    """Lets nobody in of whom `identify` does not say who it is; handlers find that in the state."""

    def __init__(self, app: ASGIApp, identify: Identify) -> None:
        """Stand in front of `app`."""
        self._app = app
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._identify(_authorization(scope))
        except ApiError as error:
            await refuse(error, scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


def _authorization(scope: Scope) -> str | None:
    shown = Headers(scope=scope).getlist("authorization")
    # Of two it is not clear which one is meant, so it is as if there were none.
    return shown[0] if len(shown) == 1 else None


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
