"""The inbox of webhooks in this process: what it is built of, and how it comes and goes."""

import asyncio
import time
from collections.abc import Sequence

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from turnwire_chassis.api_keys.bucket import KeyBucket
from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_chassis.jetstream.inbox_watch import QueueLength
from turnwire_chassis.jetstream.publishing import publish_when_led
from turnwire_chassis.jetstream.topology import heartbeat_s
from turnwire_chassis.jetstream.webhook_queue import WEBHOOK_LEASE_S, webhook_consumer
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.telemetry import metrics
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import UNDELIVERED, DeadLetter
from turnwire_contracts.ids import ResponseId
from turnwire_tool_runner.outbound.connecting import Resolve
from turnwire_tool_runner.settings import ToolRunnerSettings
from turnwire_tool_runner.webhooks.deliverer import DelivererPorts, WebhookDeliverer
from turnwire_tool_runner.webhooks.receivers import Receivers
from turnwire_tool_runner.webhooks.sender import WebhookSender


async def deliver_webhooks(
    settings: ToolRunnerSettings, lifecycle: Lifecycle, service: str, resolve: Resolve
) -> None:
    """Deliver until cancelled; what is not delivered by then goes to another process.

    It has a connection of its own: a question must not wait behind what a queue is asked for.
    """
    reconnected = asyncio.Event()

    async def on_reconnect() -> None:
        reconnected.set()

    client = await connect(settings.nats_url, service, on_reconnect, settings.broker_access)
    sender = WebhookSender(settings.outbound, resolve, settings.webhook_timeout_s)
    rules = settings.webhook_rules
    receivers = Receivers(KeyBucket(client), settings.sealer, _now_ms)
    deliverer = WebhookDeliverer(DelivererPorts(receivers, sender, _Letters(client).bury), rules)
    inbox = Inbox(
        client, client.jetstream(), [webhook_consumer()], subjects.WEBHOOKS_STREAM, _report
    )
    lifecycle.on_drain(inbox.finish)

    async def restore() -> None:
        while True:
            await reconnected.wait()
            reconnected.clear()
            await inbox.redeclare()

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(restore())
            tasks.create_task(
                inbox.run(deliverer.deliver, rules.at_once, heartbeat_s(WEBHOOK_LEASE_S))
            )
    finally:
        await sender.aclose()
        await disconnect(client)


class _Letters:
    """Keeps what no receiver has taken."""

    def __init__(self, client: Client) -> None:
        self._jetstream = client.jetstream()

    async def bury(self, letter: DeadLetter, sequence: int) -> None:
        """Keep a letter; that of one message is kept once, if it comes again within two minutes."""
        subject = subjects.dead(UNDELIVERED, ResponseId(letter.about))
        headers = {"Nats-Msg-Id": f"{UNDELIVERED} {sequence}"}
        try:
            await publish_when_led(self._jetstream, subject, msgspec.json.encode(letter), headers)
        except (NatsError, TimeoutError) as error:
            raise LogUnavailableError(str(error) or type(error).__name__) from error


async def _report(lengths: Sequence[QueueLength], free: int) -> None:
    del free
    metrics.WEBHOOKS_WAITING().set(sum(each.waiting + each.unconfirmed for each in lengths))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
