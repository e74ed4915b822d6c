"""The audit log: acts are kept in order, told by tenant and time, and cannot be taken back."""

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import APIError

from turnwire_chassis.auditing.audit_log import AuditLog, AuditUnavailableError
from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.broker import connect
from turnwire_contracts.audit.acts import (
    OPERATOR,
    Actor,
    AdminActed,
    AnyAuditEvent,
    ContentOpened,
    DeadLetterDropped,
    DeadLetterRetried,
    ErasureBegun,
    ErasureFinished,
    KeyCreated,
    KeyRevoked,
    KeyWebhookChanged,
    audit_kind_of,
    audit_subject_of,
    decode_audit,
    encode_audit,
)
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import TenantId
from turnwire_contracts.subjects import AUDIT_STREAM
from turnwire_testing.memory_audit_log import MemoryAuditLog

BY = Actor(OPERATOR)


def every_kind(tenant: str, at: int) -> list[AnyAuditEvent]:
    """One event of each kind."""
    about = {"tenant": TenantId(tenant), "at": at, "by": BY}
    every: list[AnyAuditEvent] = [
        AdminActed(**about, act="purge", about="resp_1"),  # pyright: ignore[reportArgumentType] -- one dict for all
        ContentOpened(**about, about="resp_1", reason="ticket 17"),  # pyright: ignore[reportArgumentType] -- as below
        KeyCreated(**about, key_id="k1", user="ann", roles=["admin"]),  # pyright: ignore[reportArgumentType] -- as above
        KeyRevoked(**about, key_id="k1"),  # pyright: ignore[reportArgumentType] -- as above
        KeyWebhookChanged(**about, key_id="k1", change="set"),  # pyright: ignore[reportArgumentType] -- as above
        ErasureBegun(**about, user="ann"),  # pyright: ignore[reportArgumentType] -- as above
        ErasureFinished(**about, turns=3, conversations=1),  # pyright: ignore[reportArgumentType] -- as above
        DeadLetterRetried(**about, letter=1, about="resp_1"),  # pyright: ignore[reportArgumentType] -- as above
        DeadLetterDropped(**about, letter=1, about="resp_1"),  # pyright: ignore[reportArgumentType] -- as above
    ]
    return every


@pytest.fixture(params=["memory", "jetstream"])
def audit(request: pytest.FixtureRequest) -> AuditLog:
    if request.param == "memory":
        return MemoryAuditLog()
    request.getfixturevalue("jetstream")
    return JetStreamAuditLog(request.getfixturevalue("client"))


async def test_what_is_noted_is_told_by_tenant_and_time(audit: AuditLog) -> None:
    for event in [*every_kind("told-1", 1000), *every_kind("told-2", 2000)]:
        await audit.note(event)
    ours = [event async for event in audit.read(TenantId("told-1"), 0)]
    assert ours == every_kind("told-1", 1000)
    everybodys = [e async for e in audit.read(None, 0) if e.tenant.startswith("told-")]
    assert everybodys == [*every_kind("told-1", 1000), *every_kind("told-2", 2000)]
    late = [event async for event in audit.read(TenantId("told-1"), 1001)]
    assert late == []


async def test_nothing_is_deleted_from_the_log_by_hand(
    client: Client, jetstream: JetStreamContext
) -> None:
    await JetStreamAuditLog(client).note(every_kind("kept", 1)[0])
    with pytest.raises(APIError):
        await jetstream.delete_msg(AUDIT_STREAM, 1)


async def test_a_broker_that_is_gone_did_not_note_it(nats_url: str) -> None:
    client = await connect(nats_url, "test")
    await client.close()
    with pytest.raises(AuditUnavailableError):
        await JetStreamAuditLog(client).note(every_kind("gone", 1)[0])


@pytest.mark.parametrize("event", every_kind("acme", 5), ids=audit_kind_of)
def test_every_kind_survives_its_way_through_the_log(event: AnyAuditEvent) -> None:
    assert decode_audit(audit_subject_of(event), encode_audit(event)) == event


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("audit.acme.unheard_of", b"{}"),
        ("audit.acme.key_revoked", b"{}"),
        (
            "audit.acme.key_revoked",
            b'{"v":2,"tenant":"acme","at":1,"by":{"user":"x"},"key_id":"k"}',
        ),
    ],
)
def test_what_this_version_does_not_know_is_no_event(subject: str, body: bytes) -> None:
    with pytest.raises(UnreadableEventError):
        decode_audit(subject, body)
