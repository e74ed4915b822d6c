"""`POST /v1/check`: what the guard says of content that belongs to no turn."""

import msgspec
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import GUARD_CHECK, AskForCheck, Verdict
from turnwire_contracts.wire.texts import spoken, texts
from turnwire_gateway.api.request_context import answered, fields, quota
from turnwire_gateway.api.requests.other_requests import CheckRequest
from turnwire_gateway.api.requests.validation import items_of, read
from turnwire_gateway.errors import no_verdict


class CheckHandlers:
    """Asks the guard, whatever the turns of this deployment are checked for."""

    def __init__(self, client: Client, timeout_s: float, largest_body: int) -> None:
        """`timeout_s`: how long to wait for a verdict; `largest_body`: in bytes."""
        self._client = client
        self._timeout_s = timeout_s
        self._largest_body = largest_body

    async def check(self, request: Request) -> Response:
        """`POST /v1/check` (Aleph Alpha): found violations are an answer, not an error."""
        limits = quota(request)
        limits.precheck()
        given = read(CheckRequest, await fields(request, self._largest_body))
        await limits.acquire()
        verdict = await self._verdict(_question(given))
        violations: list[JSON] = [msgspec.to_builtins(each) for each in verdict.violations]
        return answered({"safe": verdict.safe, "violations": violations})

    async def _verdict(self, question: AskForCheck) -> Verdict:
        """Ask the guard; raises `ApiError` (503) when there is no verdict: that is never safe."""
        try:
            answer = await ask(self._client, GUARD_CHECK, question, self._timeout_s)
        except UnansweredQueryError as error:
            raise no_verdict() from error
        if not isinstance(answer, Verdict):
            raise no_verdict()
        return answer


def _question(given: CheckRequest) -> AskForCheck:
    items = items_of(given.input, "input")
    return AskForCheck(
        check_type=given.check_type,
        input="\n".join(texts(items)),
        application_id=given.application_id,
        context=given.context,
        conversation=spoken(items),
    )
