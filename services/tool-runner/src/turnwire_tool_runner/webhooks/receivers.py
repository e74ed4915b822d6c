"""Where an event goes, and what signs it: as its API key says now, not as it was when it was asked.

So a secret that was rotated, and a URL that was changed, count for what still waits.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from turnwire_chassis.api_keys.key_text import KeyId
from turnwire_chassis.api_keys.record import KeyRecord
from turnwire_chassis.tool_servers.secret_envelope import Sealer, SealError
from turnwire_chassis.webhooks.endpoint import (
    SealedUrl,
    WebhookEndpoint,
    purpose_of_key,
    purpose_of_request,
)
from turnwire_contracts.webhooks.delivery import WebhookDelivery


class NewestKeys(Protocol):
    """The API keys."""

    async def newest(self, key_id: KeyId) -> KeyRecord | None:
        """Give one key as it is now, revoked or not; `None` if it cannot be read.

        Raises `LogUnavailableError`.
        """
        ...


class Receiver(Struct, frozen=True):
    """Where an event goes."""

    url: str
    secrets: Sequence[str]
    """What signs it: each makes a signature."""

    def __repr__(self) -> str:
        """Give neither: tracebacks and logs print this."""
        return "Receiver(…)"


class UnknownReceiverError(Exception):
    """Where an event goes cannot be found out; the text is for operators."""

    def __init__(self, reason: str, *, may_change: bool) -> None:
        """`may_change`: another try may find it."""
        super().__init__(reason)
        self.may_change = may_change


class Receivers:
    """Finds receivers."""

    def __init__(self, keys: NewestKeys, sealer: Sealer | None, now_ms: Callable[[], int]) -> None:
        """`sealer` opens URLs and secrets; without it nothing can be delivered."""
        self._keys = keys
        self._sealer = sealer
        self._now_ms = now_ms

    async def of(self, delivery: WebhookDelivery) -> Receiver | None:
        """Give the receiver of an event; `None`: its API key has no webhook any more.

        A key that was revoked or has expired still tells the ends of what was asked with it.
        Raises `UnknownReceiverError`, `LogUnavailableError`.
        """
        record = await self._keys.newest(KeyId(delivery.key))
        if record is None:
            raise UnknownReceiverError("its API key cannot be read", may_change=True)
        if record.holder.tenant != delivery.tenant:
            raise UnknownReceiverError("its API key is another tenant's", may_change=False)
        if record.webhook is None:
            return None
        try:
            return self._opened(delivery, record.webhook.sealed)
        except SealError as error:
            what = f"its URL or its secret cannot be opened: {error.code}"
            raise UnknownReceiverError(what, may_change=error.code != "expired") from None

    def _opened(self, delivery: WebhookDelivery, sealed: str) -> Receiver:
        if self._sealer is None:
            raise UnknownReceiverError("TURNWIRE_SEAL_KEY is not set", may_change=True)
        now = self._now_ms()
        purpose = purpose_of_key(delivery.tenant, delivery.key)
        endpoint = self._sealer.open(sealed, WebhookEndpoint, purpose, now)
        url = endpoint.url
        if delivery.url is not None:
            purpose = purpose_of_request(delivery.tenant, delivery.response_id)
            url = self._sealer.open(delivery.url, SealedUrl, purpose, now).url
        return Receiver(url, endpoint.active_secrets(now))
