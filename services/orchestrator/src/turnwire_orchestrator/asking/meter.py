"""Whoever counts what tenants use, told over the broker."""

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from turnwire_contracts import subjects
from turnwire_contracts.notices.turn_ended import TurnEnded

log = structlog.get_logger()


class Gateways:
    """`Meter` that tells one of the gateways, and waits for nothing."""

    def __init__(self, client: Client) -> None:
        """Tell over `client`."""
        self._client = client

    async def ended(self, told: TurnEnded) -> None:
        """See `Meter.ended`."""
        try:
            await self._client.publish(subjects.turn_ended(told.tenant), told.encode())
        except NatsError as error:
            log.warning("end not told", response_id=told.response_id, error=str(error))
