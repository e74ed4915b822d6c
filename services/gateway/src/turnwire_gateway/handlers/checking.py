"""`POST /v1/check`: what the guard says of content that belongs to no turn."""

import msgspec
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.broker import NobodyAnswersError, ask
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import GUARD_CHECK, AskForCheck, Verdict
from turnwire_contracts.wire.texts import spoken, texts
from turnwire_gateway.answers.errors import no_verdict
from turnwire_gateway.handlers.exchange import answered, fields, visit
from turnwire_gateway.requests.other_requests import CheckRequest
from turnwire_gateway.requests.validation import items_of, read


class CheckHandlers:
    """Asks the guard, whatever the turns of this deployment are checked for."""

    def __init__(self, client: Client, timeout_s: float, largest_body: int) -> None:
        """Wait at most `timeout_s` for a verdict."""
        self._client = client
        self._timeout_s = timeout_s
        self._largest_body = largest_body

    async def check(self, request: Request) -> Response:
        """`POST /v1/check` (Aleph Alpha): found violations are an answer, not an error."""
        limits = visit(request)
        limits.knock()
        given = read(CheckRequest, await fields(request, self._largest_body))
        await limits.ask()
        verdict = await self._verdict(_question(given))
        violations: list[JSON] = [msgspec.to_builtins(each) for each in verdict.violations]
        return answered({"safe": verdict.safe, "violations": violations})

    async def _verdict(self, question: AskForCheck) -> Verdict:
        """Raise `ApiError` (503) when there is none: nobody may take that for safe."""
        try:
            answer = await ask(self._client, GUARD_CHECK, question, self._timeout_s)
        except NobodyAnswersError as error:
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
