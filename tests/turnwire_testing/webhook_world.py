"""A broker with API keys that have webhooks, and what delivers to them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import SecretStr

from turnwire_chassis.administration.dead_letters import read_letters
from turnwire_chassis.api_keys.key_text import KeyId
from turnwire_chassis.api_keys.record import KeyOwner, KeyRecord, KeyWebhook
from turnwire_chassis.jetstream.webhook_queue import WebhookQueue
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.tool_servers.secret_envelope import Sealer
from turnwire_chassis.webhooks.endpoint import (
    SigningSecret,
    WebhookEndpoint,
    new_secret,
    seal_endpoint,
)
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import Letter
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.webhooks.delivery import WebhookDelivery
from turnwire_testing.waiting import eventually
from turnwire_tool_runner.outbound.connecting import Resolve, SystemResolver
from turnwire_tool_runner.settings import ToolRunnerSettings
from turnwire_tool_runner.webhooks.delivering import deliver_webhooks

SEAL_KEY = "00" * 32
ACME = TenantId("acme")
SECRET = new_secret(bytes(32))


@dataclass
class WebhookWorld:
    """A broker, and who has a webhook there."""

    url: str
    client: Client
    jetstream: JetStreamContext
    count: int = 0
    letters_before: int = 0
    sealer: Sealer = field(default_factory=lambda: Sealer([bytes(32)]))

    async def key(
        self, url: str, *secrets: SigningSecret, tenant: TenantId = ACME, name: str = ""
    ) -> KeyId:
        """Have an API key with a webhook, or change that of one with this name."""
        self.count += 1
        key_id = KeyId(name or f"key_{self.count:012d}")
        endpoint = WebhookEndpoint(url, secrets or (SigningSecret(SECRET),))
        webhook = KeyWebhook(seal_endpoint(self.sealer, endpoint, tenant, key_id))
        await self.put(key_id, webhook, tenant)
        return key_id

    async def put(self, key_id: KeyId, webhook: KeyWebhook | None, tenant: TenantId) -> None:
        """Keep a key as it is to be."""
        owner = KeyOwner(tenant, OwnerId("ada"), "user")
        record = KeyRecord(key_id, owner, "", "", "", 0, webhook=webhook)
        await self.jetstream.publish(subjects.api_key(key_id), msgspec.json.encode(record))

    async def tell(self, key: KeyId, count: int = 1, **changes: Any) -> list[str]:
        """Put events on their way; gives their ids."""
        given: list[WebhookDelivery] = []
        for _ in range(count):
            self.count += 1
            fields: dict[str, Any] = {
                "tenant": ACME,
                "response_id": ResponseId(f"resp_{self.count:032x}"),
                "event_id": f"evt_{self.count:032x}",
                "type": "response.completed",
                "created_at": 1_700_000_000,
                "key": key,
                "closed": 1,
            }
            given.append(WebhookDelivery(**(fields | changes)))
        await WebhookQueue(self.client).put(given, again=True)
        return [each.event_id for each in given]

    async def waiting(self) -> int:
        """How many events are on their way."""
        return (await self.jetstream.stream_info(subjects.WEBHOOKS_STREAM)).state.messages

    async def none_waits(self, within_s: float = 20.0) -> None:
        """Wait until every event is delivered or given up."""

        async def nothing() -> bool:
            return await self.waiting() == 0

        await eventually(nothing, within_s)

    async def letters(self) -> list[Letter]:
        """Give the dead letters of this test."""
        return (await read_letters(self.client))[self.letters_before :]

    @asynccontextmanager
    async def delivering(
        self, resolve: Resolve | None = None, **settings: Any
    ) -> AsyncGenerator[None]:
        """Deliver in this process."""
        rules: dict[str, Any] = {"allow_private_urls": "loopback", "webhook_timeout_s": 5.0}
        made = ToolRunnerSettings(
            nats_url=self.url, seal_key=SecretStr(SEAL_KEY), **(rules | settings)
        )
        resolver = SystemResolver()
        running = asyncio.create_task(
            deliver_webhooks(made, Lifecycle(), "tool-runner", resolve or resolver)
        )
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            resolver.close()
