"""The guard, asked over the broker."""

from typing import Any

import msgspec
from nats.aio.client import Client

from turnwire_chassis.questions.verdicts import NoVerdictError, verdict_on
from turnwire_contracts.events import Item
from turnwire_contracts.wire.refusals import guard_unavailable
from turnwire_orchestrator.ports import TurnFailedError


class GuardService:
    """`Guard` by request-reply."""

    def __init__(self, client: Client, timeout_s: float) -> None:
        """Wait at most `timeout_s` for a verdict."""
        self._client = client
        self._timeout_s = timeout_s

    async def check(self, items: list[Item], check_type: str = "input") -> list[dict[str, Any]]:
        """See `Guard.check`."""
        try:
            verdict = await verdict_on(self._client, items, check_type, self._timeout_s)
        except NoVerdictError as error:
            raise TurnFailedError(guard_unavailable()) from error
        return [msgspec.to_builtins(violation) for violation in verdict.violations]
