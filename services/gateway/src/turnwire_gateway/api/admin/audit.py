"""`/v1/admin/audit`: who did what only admins and operators may, in pages."""

from typing import Final

import msgspec
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_contracts.administration.admin_queries import (
    STORE_ACTS,
    AskForActs,
    AuditPage,
    AuditRecord,
)
from turnwire_contracts.audit.acts import AUDIT_KINDS
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.admin.tenants import tenants_seen
from turnwire_gateway.api.admin_acts import AdminActs
from turnwire_gateway.api.request_context import answered, caller
from turnwire_gateway.api.requests.paging import (
    DEFAULT_LIMIT,
    LARGEST_NUMBER,
    MOST,
    one_of,
    order,
    whole_number,
)
from turnwire_gateway.errors import ApiError, unavailable

_TIMEOUT_S: Final = 15.0
_HEAD: Final = frozenset({"v", "tenant", "at", "by"})
_LATEST: Final = 253_402_300_799
"""Unix seconds: the end of the year 9999."""


class AuditHandlers:
    """The route of the audit log."""

    def __init__(self, client: Client, acts: AdminActs) -> None:
        self._client = client
        self._acts = acts

    async def list_acts(self, request: Request) -> Response:
        """`GET /v1/admin/audit`; that it is read is noted in it."""
        tenant = tenants_seen(request, "read the audit log")
        question = _question(request, AskForActs(tenant))
        await self._acts.note(request, "see_audit", "audit", tenant or caller(request).tenant)
        try:
            page = await ask_patiently(self._client, STORE_ACTS, question, _TIMEOUT_S)
        except UnansweredQueryError as error:
            raise unavailable("store_unavailable") from error
        if not isinstance(page, AuditPage):
            raise ApiError(page.failure)
        last = page.records[-1].sequence if page.records else question.after or 0
        return answered(
            {
                "object": "list",
                "data": [_object(each) for each in page.records],
                "last_sequence": last if page.after is None else page.after,
                "has_more": page.after is not None,
            }
        )


def _question(request: Request, question: AskForActs) -> AskForActs:
    """Read the filters and the place of the page; raises `ApiError` (400)."""
    query = request.query_params
    kind = one_of(query, "type", tuple(AUDIT_KINDS))
    return msgspec.structs.replace(
        question,
        kinds=() if kind is None else (kind,),
        user=query.get("user"),
        since=1000 * whole_number(query, "since", 0, (0, _LATEST)),
        until=1000 * whole_number(query, "until", 0, (0, _LATEST)) or None,
        after=whole_number(query, "after", 0, (1, LARGEST_NUMBER)) or None,
        newest_first=order(query, newest_first=True),
        limit=whole_number(query, "limit", DEFAULT_LIMIT, (1, MOST)),
    )


def _object(record: AuditRecord) -> JSON:
    said: JSON = msgspec.json.decode(record.event)
    by: JSON = said["by"]
    return {
        "object": "admin.audit_event",
        "sequence": record.sequence,
        "type": record.kind,
        "created_at": said["at"] / 1000,
        "tenant": said["tenant"],
        "actor": {
            "user": by["user"],
            "key": by.get("key"),
            "request_id": by.get("request_id"),
        },
        "data": {name: value for name, value in said.items() if name not in _HEAD},
    }
