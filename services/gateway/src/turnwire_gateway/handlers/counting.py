"""`/v1/responses/input_tokens` and `…/compact`: how long a past is, and a shorter one."""

from msgspec.structs import replace
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.broker import NobodyAnswersError, ask_patiently
from turnwire_contracts.events import VERSIONS, Requested
from turnwire_contracts.queries import BACKEND_INPUT_TOKENS, InputTokens
from turnwire_gateway.answers.errors import ApiError, unavailable
from turnwire_gateway.answers.plain import PlainAnswer, gone
from turnwire_gateway.handlers.exchange import answered, caller, fields, visit
from turnwire_gateway.handlers.responses import ResponsePorts, origin_of
from turnwire_gateway.requests.other_requests import CompactRequest
from turnwire_gateway.requests.validation import Origin, items_of, previous_of, read, requested

_CLIENT_CLOSED_REQUEST = 499
_COUNT_TIMEOUT_S = 30.0


class CountingHandlers:
    """Routes that ask about a conversation's length, or for a shorter one."""

    def __init__(self, ports: ResponsePorts, client: Client) -> None:
        """Ask the orchestrator over `client`."""
        self._ports = ports
        self._client = client

    async def input_tokens(self, request: Request) -> Response:
        """`POST /v1/responses/input_tokens`: as `POST /v1/responses`, but nothing is made."""
        who, limits = caller(request), visit(request)
        limits.knock()
        given = await fields(request, self._ports.turns.limits.max_body_bytes)
        wanted = requested(given, origin_of(self._ports, request), self._ports.rules)
        await limits.ask()
        wanted = await self._ports.admission.peek(who, wanted)
        try:
            answer = await ask_patiently(
                self._client, BACKEND_INPUT_TOKENS, wanted, _COUNT_TIMEOUT_S
            )
        except NobodyAnswersError as error:
            raise unavailable("orchestrator") from error
        if not isinstance(answer, InputTokens):
            raise ApiError(answer.failure)
        return answered(
            {
                "object": "response.input_tokens",
                "input_tokens": answer.input_tokens,
                "estimated": answer.estimated,
            }
        )

    async def compact(self, request: Request) -> Response:
        """`POST /v1/responses/compact`."""
        who, limits = caller(request), visit(request)
        limits.knock()
        given = await fields(request, self._ports.turns.limits.max_body_bytes)
        wanted = _compaction(read(CompactRequest, given), origin_of(self._ports, request))
        wanted = await limits.create(replace(wanted, screen=self._ports.rules.screen))
        wanted = await self._ports.admission.admit(who, wanted)
        answer = await self._ports.turns.answer(wanted, gone(request))
        return (
            Response(status_code=_CLIENT_CLOSED_REQUEST) if answer is None else PlainAnswer(answer)
        )


def _compaction(given: CompactRequest, where: Origin) -> Requested:
    key = given.prompt_cache_key
    return Requested(
        v=VERSIONS["requested"],
        tenant=where.tenant,
        response_id=where.response_id,
        at=where.at,
        cause=where.request_id,
        owner=where.owner,
        model=given.model,
        input=items_of(given.input, "input", needed=given.previous_response_id is None),
        instructions=given.instructions,
        previous_response_id=previous_of(given.previous_response_id),
        params={} if key is None else {"prompt_cache_key": key},
        store=False,
        compact=True,
        application=where.application,
    )
