"""Whether a turn has an owner that lives, asked of all orchestrators over the broker."""

from nats.aio.client import Client
from nats.errors import Error as NatsError

from turnwire_contracts import subjects
from turnwire_contracts.ids import TurnKey

_ANSWER_WITHIN_S = 0.5


class Orchestrators:
    """`Owners`: the orchestrator that works on the turn answers, no other does."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def is_running(self, turn: TurnKey) -> bool:
        """See `Owners.is_running`."""
        try:
            await self._client.request(subjects.owner(*turn), b"", timeout=_ANSWER_WITHIN_S)
        except NatsError:
            return False
        return True
