"""`GET /v1/responses`: which responses there are, by filters; summaries without content."""

import re
from collections.abc import Mapping
from typing import Final, TypeVar, get_args

from starlette.requests import Request
from starlette.responses import Response

from turnwire_contracts.events import Status
from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId, is_response_id
from turnwire_contracts.inspecting.response_list import (
    AskForResponses,
    GuardOutcome,
    ResponseFilters,
    Responses,
    ResponseSummary,
    Scan,
    UnknownAfter,
)
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.admin.tenants import PARAMETER, tenant_changed
from turnwire_gateway.api.admin_acts import AdminActs
from turnwire_gateway.api.request_context import answered, caller, subject_id
from turnwire_gateway.api.requests.paging import flag, listed, paging, unknown_after
from turnwire_gateway.auth.caller import Caller, require_admin
from turnwire_gateway.auth.content_access import REASON_HEADER, TENANT_HEADER
from turnwire_gateway.errors import invalid
from turnwire_gateway.store_client import StoreClient

STATUSES: Final = ("queued", "in_progress", *get_args(Status))
GUARD_OUTCOMES: Final[tuple[GuardOutcome, ...]] = get_args(GuardOutcome)
LONGEST_VALUE: Final = 256
LATEST_S: Final = 253_402_300_799
"""Unix seconds: the end of the year 9999."""
_SECONDS: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,32}))?")

ChoiceT = TypeVar("ChoiceT", bound=str)


class ResponseListHandlers:
    """The list of responses."""

    def __init__(self, store: StoreClient, acts: AdminActs) -> None:
        self._store = store
        self._acts = acts

    async def list_all(self, request: Request) -> Response:
        """`GET /v1/responses`; an admin sees all of the tenant's, an operator any tenant's."""
        who, query = caller(request), request.query_params
        page = paging(query)
        tenant = _tenant(request)
        owner = _owner(who, query, tenant)
        question = AskForResponses(
            tenant,
            owner,
            limit=page.limit,
            after=_after(page.after),
            newest_first=page.newest_first,
            filters=_filters(query),
            search=_text(query, "search"),
        )
        if tenant != who.tenant:
            await self._acts.note(request, "see_others", subject_id(request), tenant)
        elif owner != who.owner:
            await self._acts.allow(request, "see_others", subject_id(request))
        found = await self._store.responses(question)
        if isinstance(found, UnknownAfter):
            raise unknown_after(question.after or "")
        return answered(_page(found))


def summary_object(summary: ResponseSummary) -> JSON:
    """Write a summary; times are Unix seconds, with milliseconds."""
    closed_at = summary.closed_at
    return {
        "id": summary.response_id,
        "object": "response.summary",
        "created_at": summary.created_at / 1000,
        "completed_at": None if closed_at is None else closed_at / 1000,
        "status": summary.status,
        "model": summary.model,
        "owner": summary.owner,
        "application": summary.application,
        "conversation": summary.conversation,
        "previous_response_id": summary.parent,
        "background": summary.background,
        "tools": summary.tools,
        "guard": summary.guard,
        "error_code": summary.error_code,
        "incomplete_reason": summary.incomplete_reason,
        "duration_ms": None if closed_at is None else closed_at - summary.created_at,
        "usage": _usage(summary),
    }


def _page(found: Responses) -> JSON:
    written = listed([summary_object(each) for each in found.responses], has_more=found.has_more)
    return written if found.scan is None else {**written, "scan": _scan(found.scan)}


def _scan(scan: Scan) -> JSON:
    return {
        "scanned": scan.scanned,
        "complete": scan.complete,
        "last_scanned_id": scan.last_scanned,
    }


def _usage(summary: ResponseSummary) -> JSON | None:
    if summary.input_tokens is None or summary.output_tokens is None:
        return None
    return {
        "input_tokens": summary.input_tokens,
        "output_tokens": summary.output_tokens,
        "total_tokens": summary.input_tokens + summary.output_tokens,
    }


def _tenant(request: Request) -> TenantId:
    """Say whose tenant's responses are asked for.

    Operators may name another, for what holds no content. Raises `ApiError` (400, 403).
    """
    who, query = caller(request), request.query_params
    named = query.get(PARAMETER)
    tenant = (
        who.tenant if named is None else tenant_changed(request, named, "list what others made")
    )
    if tenant != who.tenant and query.get("search") is not None:
        raise invalid(
            "Invalid value for 'search': a search reads what was said. Name the tenant with the "
            f"headers '{TENANT_HEADER}' and '{REASON_HEADER}' instead of 'tenant'.",
            "search",
        )
    return tenant


def _owner(who: Caller, query: Mapping[str, str], tenant: TenantId) -> OwnerId | None:
    """Say whose responses are asked for; raises `ApiError` (403) if that is not for the caller."""
    given = _text(query, "owner")
    if tenant != who.tenant:
        return None if given is None else OwnerId(given)
    if given is None:
        return None if who.is_admin else who.owner
    if given != who.owner:
        require_admin(who, "list what others made")
    return OwnerId(given)


def _after(given: str | None) -> ResponseId | None:
    if given is not None and not is_response_id(given):
        raise unknown_after(given)
    return None if given is None else ResponseId(given)


def _filters(query: Mapping[str, str]) -> ResponseFilters:
    conversation = _text(query, "conversation")
    return ResponseFilters(
        status=_one_of(query, "status", STATUSES),
        model=_text(query, "model"),
        application=_text(query, "application"),
        conversation=None if conversation is None else ConversationId(conversation),
        tool=_text(query, "tool"),
        guard=_one_of(query, "guard", GUARD_OUTCOMES),
        error_code=_text(query, "error_code"),
        created_from=_milliseconds(query, "created_from", 0),
        created_to=_milliseconds(query, "created_to", 999),
        background=flag(query, "background") if query.get("background") else None,
    )


def _text(query: Mapping[str, str], name: str) -> str | None:
    given = query.get(name)
    if given is not None and not 1 <= len(given) <= LONGEST_VALUE:
        raise invalid(
            f"Invalid value for '{name}': must have 1 to {LONGEST_VALUE} characters "
            f"(got {len(given)}); leave it out to have all.",
            name,
        )
    return given


def _one_of(query: Mapping[str, str], name: str, choices: tuple[ChoiceT, ...]) -> ChoiceT | None:
    given = query.get(name)
    if given is None:
        return None
    for choice in choices:
        if given == choice:
            return choice
    listed_choices = ", ".join(f"'{choice}'" for choice in choices)
    raise invalid(
        f"Invalid value for '{name}': must be one of {listed_choices} (got {given[:32]!r}).", name
    )


def _milliseconds(query: Mapping[str, str], name: str, rest_ms: int) -> int | None:
    """Read Unix seconds; `rest_ms` is how much of a second is included that has no decimals."""
    given = query.get(name)
    if given is None:
        return None
    found = _SECONDS.fullmatch(given)
    if found is None or int(found[1]) > LATEST_S:
        raise invalid(
            f"Invalid value for '{name}': must be Unix seconds from 0 to {LATEST_S}, with decimals "
            f"or without (got {given[:32]!r}).",
            name,
        )
    whole_ms = 1000 * int(found[1])
    return whole_ms + (rest_ms if found[2] is None else int(found[2][:3].ljust(3, "0")))
