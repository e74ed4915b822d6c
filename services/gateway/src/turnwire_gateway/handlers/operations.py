"""What the deployment says of itself: its models, its health, its name, its API."""

import orjson
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.broker import NobodyAnswersError, ask
from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.queries import BACKEND_MODELS, AskForModels, Models
from turnwire_gateway.answers.errors import ApiError, unavailable
from turnwire_gateway.answers.feed import Answer
from turnwire_gateway.answers.plain import PlainAnswer
from turnwire_gateway.handlers.exchange import answered
from turnwire_gateway.store_client import StoreClient

_ASK_TIMEOUT_S = 10.0
_HEALTH_TIMEOUT_S = 2.0


class OperationHandlers:
    """Routes that are about the deployment, not about anybody's responses."""

    def __init__(self, client: Client, store: StoreClient) -> None:
        """Ask over `client`."""
        self._client = client
        self._store = store

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`: the backends' own list."""
        del request
        return PlainAnswer(Answer(200, await self._models()))

    async def model(self, request: Request) -> Response:
        """`GET /v1/models/{model}`."""
        name = request.path_params["model"]
        listed = objects(mapping(orjson.loads(await self._models())).get("data"))
        for model in listed:
            if model.get("id") == name:
                return answered(model)
        raise _no_such_model(name, listed)

    async def health(self, request: Request) -> Response:
        """`GET /health`: broker, store and backend, each with what is wrong."""
        del request
        parts = {
            "broker": None if self._client.is_connected else "not connected",
            "store": await self._store.problem(),
            "backend": await self._backend_problem(),
        }
        ok = not any(parts.values())
        body = {
            "status": "ok" if ok else "error",
            **{
                name: {"status": "error", "detail": problem} if problem else {"status": "ok"}
                for name, problem in parts.items()
            },
        }
        return answered(body, 200 if ok else 503)

    async def root(self, request: Request) -> Response:
        """`GET /`: what this is."""
        del request
        return answered(
            {"name": "turnwire", "api": "/v1/responses", "docs": "/docs", "health": "/health"}
        )

    async def _models(self) -> bytes:
        try:
            answer = await ask(self._client, BACKEND_MODELS, AskForModels(), _ASK_TIMEOUT_S)
        except NobodyAnswersError as error:
            raise unavailable("orchestrator") from error
        if not isinstance(answer, Models):
            raise ApiError(answer.failure)
        return bytes(answer.body)

    async def _backend_problem(self) -> str | None:
        try:
            answer = await ask(self._client, BACKEND_MODELS, AskForModels(), _HEALTH_TIMEOUT_S)
        except NobodyAnswersError:
            return "no orchestrator answers for it"
        return None if isinstance(answer, Models) else answer.failure.message


def _no_such_model(name: str, listed: list[JSON]) -> ApiError:
    there = ", ".join(f"'{model['id']}'" for model in listed if model.get("id")) or "none"
    return ApiError(
        Failure(
            http_status=404,
            type="invalid_request_error",
            code="model_not_found",
            message=f"The model '{name}' does not exist. There are: {there}.",
            param="model",
        )
    )
