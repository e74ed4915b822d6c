"""`Idempotency-Key`: the same key and body give the same turn, another body is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from turnwire_chassis.retention import KEEPS_ALL
from turnwire_contracts.events import Failure, Requested
from turnwire_contracts.ids import OwnerId, TenantId, is_response_id
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_gateway.admission.admission import Admission, Origin
from turnwire_gateway.admission.conversation_repository import ConversationRepository
from turnwire_gateway.admission.idempotency import Idempotency, check_same, keyed
from turnwire_gateway.admission.references import References
from turnwire_gateway.api.error_responses import error_response
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError
from turnwire_testing.away_logs import AwayLog
from turnwire_testing.examples import (
    AT,
    CONVERSATION_ID,
    OTHER_ID,
    OWNER,
    TENANT,
    closed,
    conversation_created,
    deleted,
    purged,
    requested,
)
from turnwire_testing.stores import ReadableLog, StoreInMemory

owners = st.text(max_size=9)
keys = st.text(st.characters(min_codepoint=1, max_codepoint=255), min_size=1, max_size=9)


def with_key(request: Requested, key: str, body: bytes) -> Requested:
    """Give a request as it is with that `Idempotency-Key`."""
    origin = Origin(request.tenant, request.owner, request.cause, request.response_id, request.at)
    named = keyed(origin, key, body)
    return replace(request, response_id=named.response_id, fingerprint=named.fingerprint)


def idempotency(log: ReadableLog) -> Idempotency:
    """Look keys up in `log`, which keeps everything."""
    return Idempotency(log, KEEPS_ALL)


async def happened(log: ReadableLog, *events: Any) -> None:
    """Put events into the log."""
    for event in events:
        await log.append(event, None)


async def failure_of(settling: Any) -> tuple[int, str, str | None]:
    """Settle something that is refused."""
    with pytest.raises(ApiError) as raised:
        await settling
    failure = raised.value.failure
    return failure.http_status, failure.code, failure.param


@given(owners, owners, keys)
def test_a_key_names_one_turn_of_one_user(first: str, second: str, key: str) -> None:
    names = {
        (tenant, owner, each): with_key(
            requested(tenant=TenantId(tenant), owner=OwnerId(owner)), each, b"{}"
        )
        for tenant in ("acme", "other")
        for owner in (first, second)
        for each in (key, f"{key}.")
    }
    assert len({request.response_id for request in names.values()}) == len(names)
    for (tenant, owner, each), request in names.items():
        again = requested(tenant=TenantId(tenant), owner=OwnerId(owner), response_id=OTHER_ID)
        assert with_key(again, each, b"other").response_id == request.response_id
        assert is_response_id(request.response_id)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_fingerprint_tells_bodies_apart(first: bytes, second: bytes) -> None:
    prints = {with_key(requested(), "k", body).fingerprint for body in (first, second)}
    assert len(prints) == len({first, second})


async def test_a_request_without_a_key_never_came_before() -> None:
    log = ReadableLog()
    await happened(log, requested())
    assert await idempotency(log).existing(requested()) is None


@pytest.mark.parametrize("over", [False, True], ids=["running", "over"])
async def test_a_request_that_comes_again_is_the_one_that_came_before(*, over: bool) -> None:
    log = ReadableLog()
    first = with_key(requested(), "k", b"{}")
    await happened(log, first)
    if over:
        await happened(log, closed(response_id=first.response_id))
    again = with_key(requested(at=AT + 60_000, cause="req_2"), "k", b"{}")
    assert await idempotency(log).existing(again) == first


async def test_a_key_with_another_body_is_refused() -> None:
    log = ReadableLog()
    await happened(log, with_key(requested(), "k", b"{}"))
    other = with_key(requested(), "k", b"{ }")
    refused = await failure_of(idempotency(log).existing(other))
    assert refused == (409, "idempotency_key_reused", None)


@pytest.mark.parametrize(
    "end", [[closed(), deleted()], [closed(), purged()], None], ids=["deleted", "purged", "erased"]
)
async def test_a_key_whose_answer_is_gone_is_spent(end: list[Any] | None) -> None:
    log = ReadableLog()
    request = with_key(requested(store=end is not None), "k", b"{}")
    of_it = {"response_id": request.response_id}
    if end is None:
        await happened(log, closed(**of_it, stored=False))
    else:
        await happened(log, request, *(replace(event, **of_it) for event in end))
    refused = await failure_of(idempotency(log).existing(request))
    assert refused == (409, "idempotency_key_spent", None)


async def test_a_key_of_a_turn_that_was_blocked_is_answered_alike_again() -> None:
    log = ReadableLog()
    request = with_key(requested(), "k", b"{}")
    blocked = Failure(400, "invalid_request_error", "content_filter", "Blocked.", "input")
    end = closed(
        response_id=request.response_id, status="failed", output=[], failure=blocked, stored=False
    )
    await happened(log, end)
    refused = await failure_of(idempotency(log).existing(request))
    assert refused == (400, "content_filter", "input")


async def test_a_failure_that_is_told_again_is_not_to_be_asked_for_once_more() -> None:
    log = ReadableLog()
    request = with_key(requested(), "k", b"{}")
    failed = Failure(503, "server_error", "overloaded", "Later.", retry_after_s=2)
    end = closed(
        response_id=request.response_id, status="failed", output=[], failure=failed, stored=False
    )
    await happened(log, end)
    with pytest.raises(ApiError) as raised:
        await idempotency(log).existing(request)
    headers = error_response(raised.value).headers
    assert headers["x-should-retry"] == "false"
    assert "retry-after" not in headers


async def test_without_a_log_a_key_cannot_be_looked_up() -> None:
    asked = with_key(requested(), "k", b"{}")
    for looking in (idempotency(AwayLog()).existing(asked), check_same(AwayLog(), asked)):
        assert await failure_of(looking) == (503, "event_log_unavailable", None)


async def test_a_keyed_turn_that_is_asked_for_again_keeps_its_place() -> None:
    log = ReadableLog()
    store = StoreInMemory(log)
    repository = ConversationRepository(log, store, lambda: AT)
    admission = Admission(References(store, 1000), repository, store, lambda: AT)
    await happened(log, conversation_created())
    request: Requested = with_key(requested(conversation=CONVERSATION_ID), "k", b"{}")
    await admission.admit(Caller(TENANT, OWNER), request)
    # Its gateway died before it requested the turn, and its client tries again.
    assert await idempotency(log).existing(request) is None
    again = (await admission.admit(Caller(TENANT, OWNER), request)).request
    await happened(log, again, closed(response_id=again.response_id))
    assert isinstance(log.turn(TENANT, again.response_id), ClosedTurn)
