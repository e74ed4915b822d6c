"""`/v1/admin/guard`, `…/tool_servers`, `…/backends`: what is in force, and how it is."""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_contracts.administration.deployment import (
    BACKEND_STATUS,
    GUARD_POLICY,
    TOOL_SERVERS,
    AskForBackends,
    AskForPolicy,
    AskForToolServers,
    BackendStatus,
    ToolServerStatus,
)
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import Query, Refusal
from turnwire_gateway.api.admin_acts import AdminActs
from turnwire_gateway.api.guard_check import CheckHandlers
from turnwire_gateway.api.request_context import answered, caller
from turnwire_gateway.auth.caller import require_operator
from turnwire_gateway.errors import ApiError, unavailable

_TIMEOUT_S: Final = 15.0

AnswerT = TypeVar("AnswerT", bound=Struct)
QuestionT = TypeVar("QuestionT", bound=Struct)


class PartHandlers:
    """The routes of the guard, the MCP servers and the backends; for operators."""

    def __init__(self, client: Client, acts: AdminActs, checks: CheckHandlers) -> None:
        self._client = client
        self._acts = acts
        self._checks = checks

    async def guard(self, request: Request) -> Response:
        """`GET /v1/admin/guard`: the policy in force, without the settings of its stages."""
        require_operator(caller(request), "see the guard's policy")
        answer = await self._told(GUARD_POLICY, AskForPolicy(), "guard_unavailable")
        return answered(
            {
                "object": "admin.guard_policy",
                "version": answer.version,
                "applications": msgspec.to_builtins(answer.applications),
                "problem": answer.problem,
            }
        )

    async def try_guard(self, request: Request) -> Response:
        """`POST /v1/admin/guard/test`: the verdict on a text, as in `POST /v1/check`."""
        who = caller(request)
        require_operator(who, "try the guard's policy")
        await self._acts.note(request, "test_guard", "guard", who.tenant)
        return await self._checks.check(request)

    async def tool_servers(self, request: Request) -> Response:
        """`GET /v1/admin/tool_servers`: each is asked for its tools now."""
        who = caller(request)
        require_operator(who, "see the MCP servers")
        question = AskForToolServers(who.tenant)
        answer = await self._told(TOOL_SERVERS, question, "tool_runner_unavailable")
        return answered(
            {"object": "list", "data": _rows(answer.servers), "problem": answer.problem}
        )

    async def backends(self, request: Request) -> Response:
        """`GET /v1/admin/backends`: each is looked at now, by one orchestrator."""
        require_operator(caller(request), "see the backends")
        answer = await self._told(BACKEND_STATUS, AskForBackends(), "orchestrator_unavailable")
        return answered(
            {"object": "list", "data": _rows(answer.backends), "problem": answer.problem}
        )

    async def _told(
        self, query: Query[QuestionT, AnswerT | Refusal], question: QuestionT, code: str
    ) -> AnswerT:
        """Ask; raises `ApiError` (503, with `code`)."""
        try:
            answer = await ask_patiently(self._client, query, question, _TIMEOUT_S)
        except UnansweredQueryError as error:
            raise unavailable(code) from error
        if isinstance(answer, Refusal):
            raise ApiError(answer.failure)
        return answer


def _rows(rows: Sequence[BackendStatus | ToolServerStatus]) -> list[JSON]:
    return [
        {**msgspec.to_builtins(each), "status": "error" if each.problem else "ok"} for each in rows
    ]
