"""`/v1/admin/keys`: API keys are made, listed without their secrets, and revoked."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.administration.key_acts import (
    KeyActPorts,
    UnknownKeyError,
    create_key,
    in_order,
    refused_key,
    revoke_key,
)
from turnwire_chassis.api_keys.key_text import ID_BYTES, SECRET_BYTES, is_key_id, new_key
from turnwire_chassis.api_keys.record import SCOPES, KeyOwner, KeyRecord, KeyTerms, recorded
from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.tool_servers.secret_envelope import Sealer
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.admin.tenants import tenant_changed, tenants_seen
from turnwire_gateway.api.admin_acts import AdminActs, actor
from turnwire_gateway.api.request_context import answered, caller, fields
from turnwire_gateway.api.requests.admin_requests import KeyCreate
from turnwire_gateway.api.requests.paging import one_of, page_of, paging
from turnwire_gateway.api.requests.validation import read
from turnwire_gateway.auth.caller import require_operator
from turnwire_gateway.errors import ApiError, invalid, not_kept, unavailable

_STATES: Final = ("active", "expired", "revoked")
_CHANGES: Final = "make and revoke API keys"


class KeyPorts(Struct, frozen=True):
    """What the routes of API keys stand on."""

    acting: KeyActPorts
    acts: AdminActs
    pepper: bytes
    """What keys are hashed with; empty: none can be made."""
    take_up: Callable[[], Awaitable[None]]
    """Has this gateway know what has changed in the bucket of keys."""
    largest_body: int
    """In bytes."""
    sealer: Sealer | None
    """What seals URLs and secrets of webhooks; `None`: no key can have one."""
    now_ms: Callable[[], int]


class KeyHandlers:
    """The routes of API keys."""

    def __init__(self, ports: KeyPorts) -> None:
        self._ports = ports

    async def list_keys(self, request: Request) -> Response:
        """`GET /v1/admin/keys`: without secrets, the newest first, revoked ones too."""
        tenant = tenants_seen(request, "see who has API keys")
        page = paging(request.query_params)
        user = request.query_params.get("user")
        state = one_of(request.query_params, "status", _STATES)
        await self._ports.acts.note(request, "see_keys", "keys", tenant or caller(request).tenant)
        found = [
            each
            for each in map(self._object, await self._records())
            if tenant in (None, each["tenant"])
            and user in (None, each["user"])
            and state in (None, each["status"])
        ]
        return answered(page_of(found, page))

    async def create(self, request: Request) -> Response:
        """`POST /v1/admin/keys`: the answer alone has the secret."""
        tenant_changed(request, None, _CHANGES)
        ports = self._ports
        given = read(KeyCreate, await fields(request, ports.largest_body))
        tenant = tenant_changed(request, given.tenant, _CHANGES)
        if given.role == "operator":
            require_operator(caller(request), "make an operator's key")
        if not ports.pepper:
            raise ApiError(failure("key_pepper_missing"))
        owner = KeyOwner(tenant, OwnerId(given.user), given.role, given.label)
        scopes = SCOPES if given.scopes is None else in_order(given.scopes)
        terms = KeyTerms(scopes, None if given.expires_at is None else given.expires_at * 1000)
        if (refused := refused_key(owner, terms, ports.now_ms())) is not None:
            what = f"Invalid value for '{refused.field}': must be {refused.problem}."
            raise invalid(what, refused.field)
        key = new_key(secrets.token_bytes(ID_BYTES + SECRET_BYTES))
        record = recorded(key, owner, ports.pepper, ports.now_ms(), terms)
        try:
            await create_key(ports.acting, record, actor(request))
        except (AuditUnavailableError, LogUnavailableError) as error:
            refuse(error)
        await ports.take_up()
        return shown_once({**self._object(record), "key": key})

    async def revoke(self, request: Request) -> Response:
        """`DELETE /v1/admin/keys/{key_id}`: useless for good; again it is the same."""
        key_id, tenant = key_in_path(request, _CHANGES)
        try:
            record, _ = await revoke_key(
                self._ports.acting, key_id, actor(request), self._ports.now_ms(), tenant
            )
        except UnknownKeyError as error:
            raise no_such_key(key_id) from error
        except (AuditUnavailableError, LogUnavailableError) as error:
            refuse(error)
        await self._ports.take_up()
        return answered({**self._object(record), "deleted": True})

    async def _records(self) -> list[KeyRecord]:
        """Give all keys as they are now, the oldest first."""
        try:
            entries = await self._ports.acting.keys.read()
        except LogUnavailableError as error:
            refuse(error)
        newest = {entry.key_id: entry.record for entry in entries}
        records = [record for record in newest.values() if record is not None]
        return sorted(records, key=lambda record: (record.created_ms, record.id))

    def _object(self, record: KeyRecord) -> JSON:
        return key_object(record, self._ports.now_ms())


def key_object(record: KeyRecord, now_ms: int) -> JSON:
    """Write a key for those who administer it, without its secret."""
    owner = record.holder
    expired = "expired" if record.is_expired(now_ms) else "active"
    return {
        "id": record.id,
        "object": "admin.api_key",
        "tenant": owner.tenant,
        "user": owner.user,
        "role": owner.role,
        "label": owner.label,
        "scopes": [*record.scopes],
        "status": expired if record.revoked_ms is None else "revoked",
        "ending": record.ending,
        "created_at": record.created_ms // 1000,
        "expires_at": _seconds(record.expires_ms),
        "revoked_at": _seconds(record.revoked_ms),
    }


def _seconds(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms // 1000


def key_in_path(request: Request, what: str) -> tuple[str, TenantId | None]:
    """Give the key that a path names, and the tenant that it must be of (`None`: operators, any).

    `what` says what only admins may. Raises `ApiError` (403, 404).
    """
    own = tenant_changed(request, None, what)
    key_id: str = request.path_params["key_id"]
    if not is_key_id(key_id):
        raise no_such_key(key_id)
    return key_id, None if caller(request).is_operator else own


def shown_once(about: JSON) -> Response:
    """Answer with a secret that nothing tells again, and that nothing on its way may keep."""
    answer = answered(about)
    answer.headers["cache-control"] = "no-store"
    return answer


def no_such_key(key_id: str) -> ApiError:
    """Say that there is no such key, or not for who asks (HTTP 404)."""
    return ApiError(failure("api_key_not_found", key_id=key_id[:64]))


def refuse(error: AuditUnavailableError | LogUnavailableError) -> NoReturn:
    """Say that nothing was done (HTTP 503)."""
    if isinstance(error, AuditUnavailableError):
        raise not_kept(error, "audit_log_unavailable") from error
    raise unavailable("store_unavailable") from error
