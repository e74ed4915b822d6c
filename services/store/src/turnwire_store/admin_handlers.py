"""What gateways ask for admins and operators: bytes in, bytes out."""

from dataclasses import dataclass

import msgspec

from turnwire_chassis.administration.key_acts import KeyRecords
from turnwire_chassis.telemetry.correlation import begin_answering
from turnwire_contracts.administration import STORE_ACTS, STORE_API_KEY, ApiKeyKept
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.queries import Refusal
from turnwire_store.administration.audit_pages import AuditPages
from turnwire_store.administration.key_changes import KeyChangeRefusedError, keep_key


@dataclass(frozen=True)
class AdminHandlers:
    """One method for each question. Each raises `msgspec.DecodeError` for a body that is none."""

    keys: KeyRecords
    acts_noted: AuditPages

    async def api_key(self, body: bytes) -> bytes:
        """Answer `STORE_API_KEY`; raises `LogUnavailableError`."""
        change = begin_answering(STORE_API_KEY, body)
        try:
            await keep_key(self.keys, change)
        except (KeyChangeRefusedError, msgspec.ValidationError) as error:
            return STORE_API_KEY.encode_answer(Refusal(failure("invalid_question", str(error))))
        return STORE_API_KEY.encode_answer(ApiKeyKept())

    async def acts(self, body: bytes) -> bytes:
        """Answer `STORE_ACTS`; raises `LogUnavailableError`."""
        question = begin_answering(STORE_ACTS, body)
        return STORE_ACTS.encode_answer(await self.acts_noted.page(question))
