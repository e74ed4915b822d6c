"""The gateways, which count what tenants use, told over the broker."""

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from turnwire_contracts import subjects
from turnwire_contracts.notices.queue_state import QueueState
from turnwire_contracts.notices.turn_ended import TurnEnded

log = structlog.get_logger()


class Gateways:
    """`UsagePublisher` that tells one of the gateways, and waits for nothing."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ended(self, notice: TurnEnded) -> None:
        """See `UsagePublisher.ended`."""
        try:
            await self._client.publish(subjects.turn_ended(notice.tenant), notice.encode())
        except NatsError as error:
            log.warning("end not told", response_id=notice.response_id, error=str(error))

    async def queues_measured(self, state: QueueState) -> None:
        """Tell all gateways how foreground turns wait."""
        try:
            await self._client.publish(subjects.QUEUE_STATE, state.encode())
        except NatsError as error:
            log.warning("queues not told", error=str(error))
