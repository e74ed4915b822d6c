"""The guard's check of a background turn's input, before anything is promised or stored.

Other turns are checked by their orchestrator; a background turn may wait for one for long, and its
client must hear of a refusal at once.
"""

import msgspec
from msgspec.structs import replace
from nats.aio.client import Client

from turnwire_chassis.questions.verdicts import NoVerdictError, verdict_on
from turnwire_contracts.events import Requested
from turnwire_contracts.wire.refusals import content_policy_failure, guard_unavailable
from turnwire_gateway.answers.errors import ApiError


class InputCheck:
    """Asks the guard."""

    def __init__(self, client: Client, timeout_s: float) -> None:
        """Wait at most `timeout_s` for a verdict."""
        self._client = client
        self._timeout_s = timeout_s

    async def passed(self, request: Requested) -> Requested:
        """Give a request as one that needs no more checking.

        Raises `ApiError`: 400 `content_filter`, or 503 when there is no verdict.
        """
        if not request.screen:
            return request
        try:
            verdict = await verdict_on(self._client, request.input, "input", self._timeout_s)
        except NoVerdictError as error:
            raise ApiError(guard_unavailable()) from error
        if not verdict.safe:
            violations = [msgspec.to_builtins(violation) for violation in verdict.violations]
            raise ApiError(content_policy_failure(violations))
        return replace(request, screen=False)
