"""The store, asked over the broker; all methods raise `ApiError` (503) when it does not answer."""

from collections.abc import AsyncIterator
from typing import TypeVar

from msgspec import Struct
from nats.aio.client import Client

from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask, ask_patiently
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.inspecting.approvals import STORE_APPROVALS, Approvals, AskForApprovals
from turnwire_contracts.inspecting.response_list import (
    STORE_RESPONSES,
    AskForResponses,
    Responses,
    UnknownAfter,
)
from turnwire_contracts.queries import (
    STORE_CONVERSATION,
    STORE_CONVERSATIONS,
    STORE_HEALTH,
    STORE_HISTORY,
    STORE_RESPONSE,
    STORE_TREE,
    AskForConversation,
    AskForConversations,
    AskForHealth,
    AskForHistory,
    AskForResponse,
    AskForTree,
    Conversations,
    Found,
    FoundConversation,
    History,
    Query,
    Refusal,
    Running,
    SystemHealth,
    Tree,
)
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError, response_not_found, unavailable

_ASK_TIMEOUT_S = 15.0
_HEALTH_TIMEOUT_S = 2.0

AnswerT = TypeVar("AnswerT")
QuestionT = TypeVar("QuestionT", bound=Struct)


class StoreClient:
    """What the gateway asks the store."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def turn(
        self, caller: Caller, response_id: ResponseId, *, others: bool = False
    ) -> ClosedTurn | Running | None:
        """Give a turn of the caller, deleted or not; with `others` an admin gets any user's."""
        question = AskForResponse(caller.tenant, response_id)
        match await self._ask(STORE_RESPONSE, question):
            case Found(turn):
                found, owner = turn, turn.request.owner
            case Running() as running:
                found, owner = running, running.request.owner
            case _:
                return None
        return found if owner == caller.owner or (others and caller.is_admin) else None

    async def response(
        self,
        caller: Caller,
        response_id: ResponseId,
        *,
        others: bool = False,
        deleted: bool = False,
    ) -> ClosedTurn | Running:
        """Give a response of the caller; with `others` an admin gets any user's of the tenant.

        One that was deleted is given only if `deleted`.

        Raises `ApiError` (404), which says the same of what is not there, deleted, or another's.
        """
        found = await self.turn(caller, response_id, others=others)
        gone = isinstance(found, ClosedTurn) and (
            not found.is_response or (found.deleted and not deleted)
        )
        if found is None or gone:
            raise response_not_found(response_id)
        return found

    async def history(self, tenant: TenantId, newest: ResponseId) -> AsyncIterator[ClosedTurn]:
        """Give a turn that has ended and all before it, newest first.

        Turns that were deleted are left out. Ends where something is missing.
        """
        next_id: ResponseId | None = newest
        while next_id is not None:
            answer = await self._ask(STORE_HISTORY, AskForHistory(tenant, next_id))
            if not isinstance(answer, History):
                return
            for turn in reversed(answer.turns):
                yield turn
            next_id = answer.before

    async def conversation(
        self, tenant: TenantId, conversation_id: ConversationId
    ) -> FoundConversation | None:
        """Give a conversation of any user of the tenant, deleted or not, or `None`."""
        question = AskForConversation(tenant, conversation_id)
        answer = await self._ask(STORE_CONVERSATION, question)
        return answer if isinstance(answer, FoundConversation) else None

    async def conversations(self, question: AskForConversations) -> Conversations:
        """Give a page of conversations."""
        return _page(await self._ask(STORE_CONVERSATIONS, question))

    async def responses(self, question: AskForResponses) -> Responses | UnknownAfter:
        """Give a page of responses, or say that there is none to go on after."""
        answer = await self._ask(STORE_RESPONSES, question)
        return answer if isinstance(answer, UnknownAfter) else _page(answer)

    async def tree(self, question: AskForTree) -> Tree:
        """Give a page of the turns of a conversation."""
        return _page(await self._ask(STORE_TREE, question))

    async def approvals(self, question: AskForApprovals) -> Approvals:
        """Give a page of what waits for a person."""
        return _page(await self._ask(STORE_APPROVALS, question))

    async def problem(self) -> str | None:
        """Give what is wrong with the store; `None` if nothing is. Never raises."""
        try:
            health: SystemHealth = await ask(
                self._client, STORE_HEALTH, AskForHealth(), _HEALTH_TIMEOUT_S
            )
        except UnansweredQueryError:
            return "the store service does not answer"
        return None if health.ok else health.detail

    async def _ask(self, query: Query[QuestionT, AnswerT], question: QuestionT) -> AnswerT:
        try:
            return await ask_patiently(self._client, query, question, _ASK_TIMEOUT_S)
        except UnansweredQueryError as error:
            raise unavailable("store_unavailable") from error


PageT = TypeVar("PageT", Approvals, Conversations, Responses, Tree)


def _page(answer: PageT | Refusal) -> PageT:
    if isinstance(answer, Refusal):
        raise ApiError(answer.failure)
    return answer
