"""What gateways ask for admins and operators: bytes in, bytes out."""

from dataclasses import dataclass

import msgspec
from nats.aio.client import Client

from turnwire_chassis.administration.dead_letters import read_letters
from turnwire_chassis.administration.key_acts import KeyRecords
from turnwire_chassis.telemetry.correlation import begin_answering
from turnwire_contracts.administration.admin_queries import (
    STORE_ACTS,
    STORE_ERASURE_PREVIEW,
    STORE_KEYS,
    ApiKeyKept,
)
from turnwire_contracts.administration.dead_letters import STORE_DEAD_LETTERS, LettersTold
from turnwire_contracts.administration.deployment import STORE_STREAMS, StreamsTold
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.queries import Refusal
from turnwire_store.administration.audit_pages import AuditPages
from turnwire_store.administration.key_changes import KeyChangeRefusedError, keep_key
from turnwire_store.administration.streams import stream_statuses
from turnwire_store.removing.erasure import TenantLog
from turnwire_store.removing.erasure_preview import preview


@dataclass(frozen=True)
class AdminHandlers:
    """One method for each question. Each raises `msgspec.DecodeError` for a body that is none."""

    client: Client
    keys: KeyRecords
    acts_noted: AuditPages
    tenants: TenantLog

    async def api_key(self, body: bytes) -> bytes:
        """Answer `STORE_KEYS`; raises `LogUnavailableError`."""
        change = begin_answering(STORE_KEYS, body)
        try:
            await keep_key(self.keys, change)
        except (KeyChangeRefusedError, msgspec.ValidationError) as error:
            return STORE_KEYS.encode_answer(Refusal(failure("invalid_question", str(error))))
        return STORE_KEYS.encode_answer(ApiKeyKept())

    async def acts(self, body: bytes) -> bytes:
        """Answer `STORE_ACTS`; raises `LogUnavailableError`."""
        question = begin_answering(STORE_ACTS, body)
        return STORE_ACTS.encode_answer(await self.acts_noted.page(question))

    async def erasure_preview(self, body: bytes) -> bytes:
        """Answer `STORE_ERASURE_PREVIEW`; raises `LogUnavailableError`."""
        question = begin_answering(STORE_ERASURE_PREVIEW, body)
        return STORE_ERASURE_PREVIEW.encode_answer(await preview(self.tenants, question))

    async def streams(self, body: bytes) -> bytes:
        """Answer `STORE_STREAMS`; raises `LogUnavailableError`."""
        begin_answering(STORE_STREAMS, body)
        return STORE_STREAMS.encode_answer(StreamsTold(await stream_statuses(self.client)))

    async def dead_letters(self, body: bytes) -> bytes:
        """Answer `STORE_DEAD_LETTERS`; raises `LogUnavailableError`."""
        question = begin_answering(STORE_DEAD_LETTERS, body)
        letters = await read_letters(self.client)
        chosen = [
            each
            for each in letters
            if each.number > question.after and question.number in (None, each.number)
        ]
        answer = LettersTold(chosen[: question.limit], len(letters))
        return STORE_DEAD_LETTERS.encode_answer(answer)
