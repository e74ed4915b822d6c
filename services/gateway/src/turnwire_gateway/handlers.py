"""One method per route: read the request, do it, say what came of it."""

import os
from collections.abc import Callable

import orjson
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.broker import NobodyAnswersError, ask, ask_patiently
from turnwire_contracts.ids import ResponseId, is_response_id, new_response_id
from turnwire_contracts.queries import (
    BACKEND_MODELS,
    STORE_HEALTH,
    STORE_RESPONSE,
    AskForHealth,
    AskForModels,
    AskForResponse,
    Found,
    Health,
    Models,
    Running,
)
from turnwire_contracts.turn import ClosedTurn
from turnwire_contracts.wire.response import Progress, closed_response, response_object
from turnwire_gateway.answers.errors import ApiError, invalid, response_not_found, unavailable
from turnwire_gateway.answers.feed import Answer, Feed
from turnwire_gateway.answers.plain import PlainAnswer, gone, read_body
from turnwire_gateway.answers.streaming import FrameStream
from turnwire_gateway.identity import Caller, caller_of
from turnwire_gateway.requests.validation import Origin, requested
from turnwire_gateway.turns import Turns

_ASK_TIMEOUT_S = 10.0
_HEALTH_TIMEOUT_S = 2.0
_CLIENT_CLOSED_REQUEST = 499


class ResponseHandlers:
    """What the API does."""

    def __init__(
        self, turns: Turns, client: Client, now_ms: Callable[[], int], *, screen: bool
    ) -> None:
        """`screen`: the guard must pass every input."""
        self._turns = turns
        self._client = client
        self._now_ms = now_ms
        self._screen = screen

    async def create(self, request: Request) -> Response:
        """`POST /v1/responses`."""
        body = await read_body(request, self._turns.limits.max_body_bytes)
        wanted = requested(body, self._origin(request), screen=self._screen)
        if wanted.stream:
            feed = await self._turns.begin_stream(wanted)
            return self._stream(feed, _caller(request), wanted.response_id)
        answer = await self._turns.answer(wanted, gone(request))
        return (
            Response(status_code=_CLIENT_CLOSED_REQUEST) if answer is None else PlainAnswer(answer)
        )

    async def retrieve(self, request: Request) -> Response:
        """`GET /v1/responses/{response_id}`, as an object or as a stream."""
        response_id = _response_id(request)
        caller = _caller(request)
        found = await self._find(caller, response_id)
        if request.query_params.get("stream") in ("true", "1"):
            start = _starting_after(request)
            feed = await self._turns.join_stream(caller.tenant, response_id, start)
            return self._stream(feed, caller, response_id)
        response = (
            closed_response(found)
            if isinstance(found, ClosedTurn)
            else response_object(found.request, Progress("in_progress", found.instructions))
        )
        return PlainAnswer(Answer(200, orjson.dumps(response)))

    async def models(self, request: Request) -> Response:
        """`GET /v1/models` and `GET /models`: the backend's own list."""
        del request
        try:
            answer = await ask(self._client, BACKEND_MODELS, AskForModels(), _ASK_TIMEOUT_S)
        except NobodyAnswersError as error:
            raise unavailable("orchestrator") from error
        if not isinstance(answer, Models):
            raise ApiError(answer.failure)
        return PlainAnswer(Answer(200, bytes(answer.body)))

    async def health(self, request: Request) -> Response:
        """`GET /health`: broker, store and backend, each with what is wrong."""
        del request
        parts = {
            "broker": None if self._client.is_connected else "not connected",
            "store": await self._store_problem(),
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
        return PlainAnswer(Answer(200 if ok else 503, orjson.dumps(body)))

    async def root(self, request: Request) -> Response:
        """`GET /`: what this is."""
        del request
        about = {"name": "turnwire", "api": "/v1/responses", "docs": "/docs", "health": "/health"}
        return PlainAnswer(Answer(200, orjson.dumps(about)))

    def _stream(self, feed: Feed, caller: Caller, response_id: ResponseId) -> FrameStream:
        async def ended(reached_end: bool, begun: bool) -> None:  # noqa: FBT001 -- a callback's own shape
            await self._turns.end_stream(
                feed, caller.tenant, response_id, ended=reached_end, begun=begun
            )

        return FrameStream(feed, ended)

    def _origin(self, request: Request) -> Origin:
        caller = _caller(request)
        now = self._now_ms()
        return Origin(
            tenant=caller.tenant,
            owner=caller.owner,
            request_id=request.state.request_id,
            response_id=new_response_id(now, os.urandom(10)),
            at=now,
        )

    async def _find(self, caller: Caller, response_id: ResponseId) -> ClosedTurn | Running:
        question = AskForResponse(caller.tenant, response_id)
        try:
            answer = await ask_patiently(self._client, STORE_RESPONSE, question, _ASK_TIMEOUT_S)
        except NobodyAnswersError as error:
            raise unavailable("store") from error
        match answer:
            case Found() if answer.turn.request.owner == caller.owner:
                return answer.turn
            case Running() if answer.request.owner == caller.owner:
                return answer
            case _:
                raise response_not_found(response_id)

    async def _store_problem(self) -> str | None:
        try:
            health: Health = await ask(
                self._client, STORE_HEALTH, AskForHealth(), _HEALTH_TIMEOUT_S
            )
        except NobodyAnswersError:
            return "the store service does not answer"
        return None if health.ok else health.detail

    async def _backend_problem(self) -> str | None:
        try:
            answer = await ask(self._client, BACKEND_MODELS, AskForModels(), _HEALTH_TIMEOUT_S)
        except NobodyAnswersError:
            return "no orchestrator answers for it"
        return None if isinstance(answer, Models) else answer.failure.message


def _caller(request: Request) -> Caller:
    return caller_of(request.headers.get("authorization"))


def _response_id(request: Request) -> ResponseId:
    given = request.path_params["response_id"]
    if not is_response_id(given):
        raise response_not_found(given)
    return ResponseId(given)


def _starting_after(request: Request) -> int:
    given = request.query_params.get("starting_after")
    if given is None:
        return 0
    if not (given.isascii() and given.isdecimal()):
        raise invalid("Must be a sequence_number: a whole number from 0 on.", "starting_after")
    return int(given) + 1
