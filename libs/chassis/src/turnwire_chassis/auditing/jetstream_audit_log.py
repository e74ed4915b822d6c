"""The audit log on JetStream."""

from collections.abc import AsyncIterator

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.event_log import LogUnavailableError, StorageFullError
from turnwire_chassis.jetstream.publishing import as_full, publish_when_led
from turnwire_chassis.jetstream.reading import pages
from turnwire_chassis.storage_space import ANYWHERE, FOR_ANY_EVENT, StorageSpace
from turnwire_contracts import subjects
from turnwire_contracts.audit.acts import (
    AnyAuditEvent,
    audit_subject_of,
    decode_audit,
    encode_audit,
)
from turnwire_contracts.ids import TenantId

_NOTE_TIMEOUT_S = 5.0


class JetStreamAuditLog:
    """`AuditLog` on the stream `AUDIT`."""

    def __init__(self, client: Client, space: StorageSpace = ANYWHERE) -> None:
        """`space`: the room on the broker's disk, where that is known."""
        self._client = client
        self._space = space
        self._jetstream = JetStreamContext(client, timeout=_NOTE_TIMEOUT_S)

    async def note(self, event: AnyAuditEvent) -> None:
        """See `AuditLog.note`."""
        try:
            self._space.require(FOR_ANY_EVENT)
            await publish_when_led(self._jetstream, audit_subject_of(event), encode_audit(event))
        except StorageFullError as error:
            raise AuditUnavailableError(str(error)) from error
        except (NatsError, TimeoutError) as error:
            raise AuditUnavailableError(str(error)) from as_full(error)

    async def read(self, tenant: TenantId | None, since_ms: int) -> AsyncIterator[AnyAuditEvent]:
        """See `AuditLog.read`."""
        pattern = subjects.AUDIT if tenant is None else subjects.audit_event(tenant, "*")
        try:
            async for page in pages(self._client, subjects.AUDIT_STREAM, pattern):
                for message in page:
                    subject = (message.headers or {})["Nats-Subject"]
                    event = decode_audit(subject, message.data)
                    if event.at >= since_ms:
                        yield event
        except LogUnavailableError as error:
            raise AuditUnavailableError(str(error)) from error
