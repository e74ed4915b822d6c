"""`/v1/responses/input_tokens` and `…/compact`: how many tokens, and a shorter history."""

from msgspec.structs import replace
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import Requested
from turnwire_contracts.queries import BACKEND_INPUT_TOKENS, InputTokenCount
from turnwire_gateway.admission.admission import Origin
from turnwire_gateway.api.answers import answer_or_gone, gone
from turnwire_gateway.api.request_context import answered, caller, fields, quota
from turnwire_gateway.api.requests.fields import refuse_other_apis
from turnwire_gateway.api.requests.other_requests import CompactRequest
from turnwire_gateway.api.requests.validation import items_of, previous_of, read, requested
from turnwire_gateway.api.responses import ResponsePorts, origin_of
from turnwire_gateway.errors import ApiError, unavailable

_COUNT_TIMEOUT_S = 30.0


class TokenCountingHandlers:
    """Routes that ask about a conversation's length, or for a shorter one."""

    def __init__(self, ports: ResponsePorts, client: Client) -> None:
        self._ports = ports
        self._client = client

    async def input_tokens(self, request: Request) -> Response:
        """`POST /v1/responses/input_tokens`: as `POST /v1/responses`, but nothing is made."""
        who, limits = caller(request), quota(request)
        limits.precheck()
        given = await fields(request, self._ports.turns.limits.max_body_bytes)
        turn_request = requested(given, origin_of(self._ports, request), self._ports.rules)
        await limits.acquire()
        question = await self._ports.admission.peek(who, turn_request)
        try:
            answer = await ask_patiently(
                self._client, BACKEND_INPUT_TOKENS, question, _COUNT_TIMEOUT_S
            )
        except UnansweredQueryError as error:
            raise unavailable("orchestrator_unavailable") from error
        if not isinstance(answer, InputTokenCount):
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
        who, limits = caller(request), quota(request)
        limits.precheck()
        given = await fields(request, self._ports.turns.limits.max_body_bytes)
        refuse_other_apis(given)
        compaction = _compaction(read(CompactRequest, given), origin_of(self._ports, request))
        compaction = replace(compaction, screen=self._ports.rules.screen)
        self._ports.turns.queues.check(who.tenant)
        compaction = await limits.acquire_turn(compaction)
        admitted = await self._ports.admission.admit(who, compaction)
        answer = await self._ports.turns.answer(admitted, gone(request))
        return answer_or_gone(answer)


def _compaction(given: CompactRequest, origin: Origin) -> Requested:
    key = given.prompt_cache_key
    return Requested(
        v=VERSIONS[Requested],
        tenant=origin.tenant,
        response_id=origin.response_id,
        at=origin.at,
        cause=origin.request_id,
        owner=origin.owner,
        model=given.model,
        input=items_of(given.input, "input", needed=given.previous_response_id is None),
        instructions=given.instructions,
        previous_response_id=previous_of(given.previous_response_id),
        params={} if key is None else {"prompt_cache_key": key},
        store=False,
        compact=True,
        application=origin.application,
    )
