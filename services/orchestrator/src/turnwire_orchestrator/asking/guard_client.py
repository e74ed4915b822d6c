"""The guard, asked over the broker."""

from typing import Any

import msgspec
from nats.aio.client import Client

from turnwire_chassis.broker import NobodyAnswersError, ask
from turnwire_contracts.events import Item
from turnwire_contracts.queries import GUARD_CHECK, AskForCheck, Refusal, Verdict
from turnwire_contracts.wire.refusals import guard_unavailable
from turnwire_contracts.wire.texts import texts
from turnwire_orchestrator.ports import TurnFailedError


class GuardService:
    """`Guard` by request-reply."""

    def __init__(self, client: Client, timeout_s: float) -> None:
        """Wait at most `timeout_s` for a verdict."""
        self._client = client
        self._timeout_s = timeout_s

    async def check(self, items: list[Item], check_type: str = "input") -> list[dict[str, Any]]:
        """See `Guard.check`."""
        question = AskForCheck(check_type=check_type, input="\n".join(texts(items)))
        try:
            verdict = await ask(self._client, GUARD_CHECK, question, self._timeout_s)
        except NobodyAnswersError as error:
            raise TurnFailedError(guard_unavailable()) from error
        match verdict:
            case Verdict():
                return [msgspec.to_builtins(violation) for violation in verdict.violations]
            case Refusal():
                raise TurnFailedError(guard_unavailable())
