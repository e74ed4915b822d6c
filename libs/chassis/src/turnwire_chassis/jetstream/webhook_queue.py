"""Events on their way to webhooks: the stream `WEBHOOKS`, and the consumer that hands them out.

An event is in it from the end of its turn until its receiver has taken it, or it is a dead letter.
"""

from collections.abc import Iterable
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from turnwire_chassis.crash_points import reached
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.publishing import DUPLICATE_WINDOW_S, publish_when_led
from turnwire_contracts import subjects
from turnwire_contracts.webhooks.delivery import WebhookDelivery

WEBHOOK_LEASE_S: Final = 10.0
"""An event whose tool-runner is silent for so long is given to another."""

WEBHOOKS_MAX_AGE_S: Final = 7 * 86_400
"""Nothing lies longer than that, whatever the settings say of the last attempt."""

_TIMEOUT_S: Final = 5.0


def webhooks_stream(replicas: int) -> StreamConfig:
    """Give the stream; what is confirmed is removed from it."""
    return StreamConfig(
        name=subjects.WEBHOOKS_STREAM,
        subjects=[subjects.WEBHOOKS],
        storage=StorageType.FILE,
        retention=RetentionPolicy.WORK_QUEUE,
        discard=DiscardPolicy.NEW,
        allow_direct=True,
        max_age=WEBHOOKS_MAX_AGE_S,
        duplicate_window=DUPLICATE_WINDOW_S,
        num_replicas=replicas,
    )


def webhook_consumer() -> ConsumerConfig:
    """Give the consumer that hands events to tool-runners."""
    return ConsumerConfig(
        name=subjects.WEBHOOK_CONSUMER,
        durable_name=subjects.WEBHOOK_CONSUMER,
        filter_subject=subjects.WEBHOOKS,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=WEBHOOK_LEASE_S,
        # How long an event is tried is a matter of time: who is full gives it back untried.
        max_deliver=-1,
        # What waits for its next attempt is unconfirmed; it must not keep others from their first.
        max_ack_pending=-1,
    )


class WebhookQueue:
    """Puts events on their way."""

    def __init__(self, client: Client) -> None:
        """The streams of `client` must be declared."""
        self._jetstream = client.jetstream(timeout=_TIMEOUT_S)

    async def put(self, deliveries: Iterable[WebhookDelivery], *, again: bool = False) -> None:
        """Keep events until they are delivered. Raises `LogUnavailableError`.

        The end of a turn that is told twice within two minutes is kept once, unless it is to be
        sent `again`. A receiver knows later ones by their id, which stays the same.
        """
        for each in deliveries:
            headers = None if again else {"Nats-Msg-Id": each.event_id}
            subject = subjects.webhook(each.tenant, each.event_id)
            reached("webhook.before", each.type)
            try:
                await publish_when_led(self._jetstream, subject, each.encode(), headers)
            except (NatsError, TimeoutError) as error:
                raise LogUnavailableError(str(error) or type(error).__name__) from error
            reached("webhook.after", each.type)
