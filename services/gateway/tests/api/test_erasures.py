"""Erasures as the audit log tells them: what was begun, and what of it is finished."""

import msgspec
from msgspec import Raw

from turnwire_contracts.administration.admin_queries import AuditRecord
from turnwire_contracts.audit.acts import (
    Actor,
    AnyAuditEvent,
    ErasureBegun,
    ErasureFinished,
    audit_kind_of,
)
from turnwire_contracts.ids import TenantId
from turnwire_gateway.api.admin.erasures import told_erasures

ACME = TenantId("acme")
BY = Actor("olga")


def begun(at: int, erasure_id: str | None = None, user: str | None = None) -> ErasureBegun:
    return ErasureBegun(tenant=ACME, at=at, by=BY, user=user, erasure_id=erasure_id)


def finished(at: int, erasure_id: str | None = None, user: str | None = None) -> ErasureFinished:
    counts = {"turns": 2, "conversations": 1}
    return ErasureFinished(tenant=ACME, at=at, by=BY, user=user, erasure_id=erasure_id, **counts)


def told(*events: AnyAuditEvent) -> list[tuple[str, str, int | None]]:
    """Id, status and end of what the log tells."""
    records = [
        AuditRecord(sequence, audit_kind_of(event), Raw(msgspec.json.encode(event)))
        for sequence, event in enumerate(events, start=1)
    ]
    return [(each["id"], each["status"], each["finished_at"]) for each in told_erasures(records)]


def test_what_was_begun_runs_until_its_own_end_is_told() -> None:
    assert told(
        begun(1000, "erasure_a"), begun(2000, "erasure_b"), finished(3000, "erasure_a")
    ) == [
        ("erasure_a", "finished", 3),
        ("erasure_b", "running", None),
    ]


def test_an_end_that_is_told_twice_counts_once() -> None:
    ends = finished(2000, "erasure_a"), finished(9000, "erasure_a")
    assert told(begun(1000, "erasure_a"), *ends) == [("erasure_a", "finished", 2)]


def test_a_command_ends_its_own_of_that_user_and_one_that_was_stopped_is_unfinished() -> None:
    assert told(begun(1000), begun(2000, user="ada"), begun(3000), finished(4000)) == [
        ("erasure_1", "unfinished", None),
        ("erasure_2", "unfinished", None),
        ("erasure_3", "finished", 4),
    ]


def test_an_end_whose_beginning_is_not_in_sight_is_left_out() -> None:
    assert told(finished(1000, "erasure_a"), finished(2000)) == []
