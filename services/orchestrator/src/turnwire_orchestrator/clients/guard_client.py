"""The guard, asked over the broker."""

from nats.aio.client import Client

from turnwire_chassis.request_reply.verdicts import NoVerdictError, ReadPriorMessages, verdict_on
from turnwire_contracts.queries import AskForCheck, Verdict
from turnwire_contracts.wire.refusals import guard_unavailable
from turnwire_orchestrator.failures import TurnFailedError


class GuardService:
    """`Guard` by request-reply."""

    def __init__(self, client: Client, timeout_s: float) -> None:
        """Wait at most `timeout_s` for a verdict."""
        self._client = client
        self._timeout_s = timeout_s

    async def check(self, question: AskForCheck, earlier: ReadPriorMessages) -> Verdict:
        """See `Guard.check`."""
        try:
            return await verdict_on(self._client, question, self._timeout_s, earlier)
        except NoVerdictError as error:
            raise TurnFailedError(guard_unavailable()) from error
