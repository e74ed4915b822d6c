"""`/v1/admin/erasures`: what would be erased, erasing it, and what became of that.

What is begun is noted in the audit log, and finished by the store that projects, whatever dies in
between; so this route has no state of its own.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec
from msgspec import Struct
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.administration.key_acts import KeyRecords
from turnwire_chassis.auditing.audit_log import AuditLog, AuditUnavailableError
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_contracts.administration.admin_queries import (
    STORE_ACTS,
    STORE_ERASURE_PREVIEW,
    AskForActs,
    AskForErasurePreview,
    AuditPage,
    AuditRecord,
    ErasurePreview,
)
from turnwire_contracts.audit.acts import ErasureBegun, ErasureFinished
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.admin.tenants import tenant_changed, tenants_seen
from turnwire_gateway.api.admin_acts import AdminActs, actor
from turnwire_gateway.api.request_context import answered, caller, fields
from turnwire_gateway.api.requests.admin_requests import ErasureCreate
from turnwire_gateway.api.requests.paging import page_of, paging
from turnwire_gateway.api.requests.validation import read
from turnwire_gateway.errors import ApiError, not_kept, unavailable

_TIMEOUT_S: Final = 15.0
_PREVIEW_WITHIN_S: Final = 20.0
_MOST: Final = 1000
"""Acts of erasing that a list looks at: the newest."""

_KINDS: Final = ("erasure_begun", "erasure_finished")
_ERASE: Final = "erase what was said"

Of = Literal["turns", "conversations"]


class ErasurePorts(Struct, frozen=True):
    """What the routes of erasures stand on."""

    client: Client
    audit: AuditLog
    acts: AdminActs
    keys: KeyRecords
    largest_body: int
    """In bytes."""
    now_ms: Callable[[], int]


class ErasureRoutes:
    """The routes of erasures."""

    def __init__(self, ports: ErasurePorts) -> None:
        self._ports = ports

    async def create(self, request: Request) -> Response:
        """`POST /v1/admin/erasures`: with `dry_run` it only says what there is."""
        tenant_changed(request, None, _ERASE)
        given = read(ErasureCreate, await fields(request, self._ports.largest_body))
        tenant = tenant_changed(request, given.tenant, _ERASE)
        owner = None if given.user is None else OwnerId(given.user)
        if given.dry_run:
            return answered(await self._preview(tenant, owner))
        begun = ErasureBegun(
            tenant=tenant,
            at=self._ports.now_ms(),
            by=actor(request),
            user=owner,
            erasure_id=f"erasure_{secrets.token_hex(16)}",
        )
        try:
            await self._ports.audit.note(begun)
        except AuditUnavailableError as error:
            raise not_kept(error, "audit_log_unavailable") from error
        return answered(_object(begun.erasure_id or "", begun, None), 202)

    async def list_all(self, request: Request) -> Response:
        """`GET /v1/admin/erasures`: the newest first, those by command too."""
        tenant = tenants_seen(request, "see erasures")
        page = paging(request.query_params)
        await self._note_reading(request, tenant)
        return answered(page_of(await self._erasures(tenant), page))

    async def retrieve(self, request: Request) -> Response:
        """`GET /v1/admin/erasures/{erasure_id}`."""
        tenant = tenants_seen(request, "see erasures")
        erasure_id: str = request.path_params["erasure_id"]
        await self._note_reading(request, tenant)
        for each in await self._erasures(tenant):
            if each["id"] == erasure_id:
                return answered(each)
        raise ApiError(failure("erasure_not_found", erasure_id=erasure_id[:64]))

    async def _note_reading(self, request: Request, tenant: TenantId | None) -> None:
        where = tenant or caller(request).tenant
        await self._ports.acts.note(request, "see_erasures", "erasures", where)

    async def _preview(self, tenant: TenantId, owner: OwnerId | None) -> JSON:
        until = asyncio.get_running_loop().time() + _PREVIEW_WITHIN_S
        turns, all_turns = await self._count(AskForErasurePreview(tenant, owner, "turns"), until)
        question = AskForErasurePreview(tenant, owner, "conversations")
        conversations, all_conversations = await self._count(question, until)
        return {
            "object": "admin.erasure.preview",
            "tenant": tenant,
            "user": owner,
            "turns": turns,
            "conversations": conversations,
            "active_keys": await self._active_keys(tenant, owner),
            "complete": all_turns and all_conversations,
        }

    async def _count(self, question: AskForErasurePreview, until: float) -> tuple[int, bool]:
        """Count along the log; tells also whether that came to its end in time."""
        found = 0
        while asyncio.get_running_loop().time() < until:
            try:
                counted = await ask_patiently(
                    self._ports.client, STORE_ERASURE_PREVIEW, question, _TIMEOUT_S
                )
            except UnansweredQueryError as error:
                raise unavailable("store_unavailable") from error
            if not isinstance(counted, ErasurePreview):
                raise ApiError(counted.failure)
            found += counted.found
            if counted.after is None:
                return found, True
            question = msgspec.structs.replace(question, after=counted.after)
        return found, False

    async def _active_keys(self, tenant: TenantId, owner: OwnerId | None) -> int:
        try:
            entries = await self._ports.keys.read()
        except LogUnavailableError as error:
            raise unavailable("store_unavailable") from error
        newest = {entry.key_id: entry.record for entry in entries}
        now_ms = self._ports.now_ms()
        return sum(
            record.holder.tenant == tenant
            and owner in (None, record.holder.user)
            and record.revoked_ms is None
            and not record.is_expired(now_ms)
            for record in newest.values()
            if record is not None
        )

    async def _erasures(self, tenant: TenantId | None) -> list[JSON]:
        """Give the erasures that the newest acts tell of, the oldest first."""
        question = AskForActs(tenant, _KINDS, limit=_MOST)
        try:
            page = await ask_patiently(self._ports.client, STORE_ACTS, question, _TIMEOUT_S)
        except UnansweredQueryError as error:
            raise unavailable("store_unavailable") from error
        if not isinstance(page, AuditPage):
            raise ApiError(page.failure)
        return told_erasures(reversed(page.records))


def told_erasures(records: Iterable[AuditRecord]) -> list[JSON]:
    """Pair what was begun with what was finished; `records` are given oldest first. Pure.

    A command gives its erasures no id: its end belongs to the last one of that tenant and user.
    """
    found: dict[str, JSON] = {}
    by_command: dict[tuple[str, str | None], str] = {}
    begun: dict[str, ErasureBegun] = {}
    for record in records:
        if record.kind == _KINDS[0]:
            event = msgspec.json.decode(record.event, type=ErasureBegun)
            erasure_id = event.erasure_id or f"erasure_{record.sequence}"
            if event.erasure_id is None:
                by_command[event.tenant, event.user] = erasure_id
            begun[erasure_id] = event
            found[erasure_id] = _object(erasure_id, event, None)
        else:
            end = msgspec.json.decode(record.event, type=ErasureFinished)
            erasure_id = end.erasure_id or by_command.get((end.tenant, end.user), "")
            if erasure_id in begun and found[erasure_id]["finished_at"] is None:
                found[erasure_id] = _object(erasure_id, begun[erasure_id], end)
    return [*found.values()]


def _object(erasure_id: str, begun: ErasureBegun, end: ErasureFinished | None) -> JSON:
    by_command = begun.erasure_id is None
    unfinished = "unfinished" if by_command else "running"
    return {
        "id": erasure_id,
        "object": "admin.erasure",
        "tenant": begun.tenant,
        "user": begun.user,
        "status": unfinished if end is None else "finished",
        "requested_by": begun.by.user,
        "begun_at": begun.at // 1000,
        "finished_at": None if end is None else end.at // 1000,
        "turns": None if end is None else end.turns,
        "conversations": None if end is None else end.conversations,
    }
