"""The deployment: its models, its health, its name."""

import orjson
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.jetstream.topology import log_trouble
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask
from turnwire_chassis.storage_space import StorageSpace
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.queries import BACKEND_MODELS, AskForModels, Models
from turnwire_gateway.api.answers import PlainAnswer
from turnwire_gateway.api.request_context import answered
from turnwire_gateway.api.stream_parts import EarlyResponse
from turnwire_gateway.errors import ApiError, unavailable
from turnwire_gateway.store_client import StoreClient

_ASK_TIMEOUT_S = 10.0
_HEALTH_TIMEOUT_S = 2.0


class OperationHandlers:
    """Routes about the deployment."""

    def __init__(self, client: Client, store: StoreClient, space: StorageSpace) -> None:
        """`space`: the room on the broker's disk, where that is known."""
        self._client = client
        self._store = store
        self._space = space

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`: the backends' own list."""
        del request
        return PlainAnswer(EarlyResponse(200, await self._models()))

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
            "broker": await self._broker_problem(),
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
        except UnansweredQueryError as error:
            raise unavailable("orchestrator_unavailable") from error
        if not isinstance(answer, Models):
            raise ApiError(answer.failure)
        return bytes(answer.body)

    async def _broker_problem(self) -> str | None:
        if not self._client.is_connected:
            return "not connected"
        problem = self._space.trouble() or await log_trouble(self._client)
        return problem and f"the event log cannot be written: {problem}"

    async def _backend_problem(self) -> str | None:
        try:
            answer = await ask(self._client, BACKEND_MODELS, AskForModels(), _HEALTH_TIMEOUT_S)
        except UnansweredQueryError:
            return "no orchestrator answers for it"
        return None if isinstance(answer, Models) else answer.failure.message


def _no_such_model(name: str, listed: list[JSON]) -> ApiError:
    there = ", ".join(f"'{model['id']}'" for model in listed if model.get("id")) or "none"
    return ApiError(failure("model_not_found", model=name, models=there))
