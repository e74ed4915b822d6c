"""Erasures that were begun by HTTP are finished here, whatever dies in between.

The audit log says which were begun and which are finished; the store that projects does the rest.
A command does its own erasures, and gives them no id.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from nats.aio.client import Client

from turnwire_chassis.administration.erasing import ErasureUnfinishedError, TenantEraser
from turnwire_chassis.auditing.audit_log import AuditLog, AuditUnavailableError
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.reading import pages, sequence_of, subject_of_message
from turnwire_contracts import subjects
from turnwire_contracts.audit.acts import (
    AnyAuditEvent,
    ErasureBegun,
    ErasureFinished,
    decode_audit,
)
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_store.removing.erasure import Erasure
from turnwire_store.views import ViewsUnavailableError

log = structlog.get_logger()

_LOOK_EVERY_S: Final = 1.0
_AGAIN_S: Final = 5.0
_ANY: Final = TenantId("*")
_KINDS: Final = ("erasure_begun", "erasure_finished")
_FAULTS: Final = (
    ErasureUnfinishedError,
    AuditUnavailableError,
    LogUnavailableError,
    ViewsUnavailableError,
)


class ErasureJobs:
    """What is to be erased, and whether this process does it now."""

    def __init__(
        self,
        client: Client,
        audit: AuditLog,
        erasing: Erasure,
        *,
        is_active: Callable[[], bool],
        now_ms: Callable[[], int],
    ) -> None:
        """`is_active` tells whether this process is the one that projects."""
        self._client = client
        self._audit = audit
        self._erasing = erasing
        self._is_active = is_active
        self._now_ms = now_ms
        self._read_up_to = dict.fromkeys(_KINDS, 0)
        self._open: dict[str, ErasureBegun] = {}

    async def run(self) -> None:
        """Erase what is begun, one after the other, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if not self._is_active():
                continue
            try:
                await self._look()
                for begun in [*self._open.values()]:
                    await self._finish(begun)
            except _FAULTS as error:
                log.warning("erasure goes on later", reason=type(error).__name__)
                await asyncio.sleep(_AGAIN_S)

    async def _look(self) -> None:
        # What is begun first: what is finished was begun before.
        for kind in _KINDS:
            pattern, after = subjects.audit_event(_ANY, kind), self._read_up_to[kind]
            async for page in pages(self._client, subjects.AUDIT_STREAM, pattern, after):
                for message in page:
                    self._take(subject_of_message(message), message.data)
                    self._read_up_to[kind] = sequence_of(message)

    def _take(self, subject: str, body: bytes) -> None:
        match _read(subject, body):
            case ErasureBegun(erasure_id=str(erasure_id)) as begun:
                self._open[erasure_id] = begun
            case ErasureFinished(erasure_id=str(erasure_id)):
                self._open.pop(erasure_id, None)
            case _:
                pass

    async def _finish(self, begun: ErasureBegun) -> None:
        owner = None if begun.user is None else OwnerId(begun.user)
        eraser = TenantEraser(self._erasing.step, begun.tenant, owner)
        turns, conversations = await eraser.run()
        finished = ErasureFinished(
            tenant=begun.tenant,
            at=self._now_ms(),
            by=begun.by,
            user=begun.user,
            turns=turns,
            conversations=conversations,
            erasure_id=begun.erasure_id,
        )
        await self._audit.note(finished)
        self._open.pop(begun.erasure_id or "", None)
        log.info("erasure finished", turns=turns, conversations=conversations)


def _read(subject: str, body: bytes) -> AnyAuditEvent | None:
    try:
        return decode_audit(subject, body)
    except UnreadableEventError:
        log.warning("act not read", subject=subject)
        return None
