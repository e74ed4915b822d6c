"""`/v1/responses/{response_id}/prompt`: what the model was sent."""

from typing import Final

import orjson
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_contracts.inspecting.sent_prompts import (
    BACKEND_PROMPT,
    AskForPrompt,
    NoSample,
    RebuiltPrompt,
)
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import Refusal
from turnwire_gateway.api.inspecting.turn_log import TurnLog
from turnwire_gateway.api.request_context import answered
from turnwire_gateway.api.requests.paging import whole_number
from turnwire_gateway.errors import ApiError, invalid, unavailable

MOST_SAMPLES: Final = 1000
_TIMEOUT_S: Final = 30.0


class SentPromptHandlers:
    """The route of a turn's prompts."""

    def __init__(self, turn_log: TurnLog, client: Client) -> None:
        self._turn_log = turn_log
        self._client = client

    async def prompt(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}/prompt`."""
        sample = whole_number(request.query_params, "sample", 0, (1, MOST_SAMPLES)) or None
        turn, _ = await self._turn_log.read(request)
        question = AskForPrompt(turn.tenant, turn.response_id, sample)
        try:
            answer = await ask_patiently(self._client, BACKEND_PROMPT, question, _TIMEOUT_S)
        except UnansweredQueryError as error:
            raise unavailable("orchestrator_unavailable") from error
        match answer:
            case RebuiltPrompt():
                return answered({"response_id": turn.response_id, **prompt_object(answer)})
            case NoSample(samples=samples):
                raise invalid(
                    f"Invalid value for 'sample': the model was asked {samples} times for this "
                    "response.",
                    "sample",
                )
            case Refusal(failure=failure):
                raise ApiError(failure)


def prompt_object(prompt: RebuiltPrompt) -> JSON:
    """Write a prompt."""
    record = prompt.record
    return {
        "object": "response.prompt",
        "sample": prompt.sample,
        "samples": prompt.samples,
        "api": prompt.api,
        "sent_by": record.version if record else None,
        "rebuilt_by": prompt.version,
        "exact": prompt.exact,
        "bytes": prompt.size,
        "body": orjson.loads(bytes(prompt.body)),
    }
