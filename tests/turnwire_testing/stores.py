"""A store in memory: answers a gateway's questions from the log alone, which is never behind."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any, TypeVar

from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_contracts.conversation import ConversationState, fold_conversation
from turnwire_contracts.conversation_events import AnyConversationEvent, ConversationEvent
from turnwire_contracts.events import Closed, ItemsAdded, Purged, Requested
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.inspecting.approvals import (
    STORE_APPROVALS,
    Approvals,
    AskForApprovals,
    answered_approvals,
    approval_requests,
    open_approval,
)
from turnwire_contracts.inspecting.response_list import (
    STORE_RESPONSES,
    AskForResponses,
    Responses,
    ResponseSummary,
    Scan,
    UnknownAfter,
)
from turnwire_contracts.queries import (
    STORE_CONVERSATION,
    STORE_CONVERSATIONS,
    STORE_HISTORY,
    STORE_RESPONSE,
    STORE_TREE,
    AskForConversation,
    AskForConversations,
    AskForHistory,
    AskForResponse,
    AskForTree,
    Conversations,
    Found,
    FoundConversation,
    History,
    Missing,
    Node,
    Query,
    Running,
    Tree,
)
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, RefusedByGuard, Sampling, Screening, Turn
from turnwire_gateway.store_client import StoreClient
from turnwire_store.listing import ended_summary, matches, running_summary
from turnwire_testing.memory_event_log import MemoryEventLog

QuestionT = TypeVar("QuestionT", bound=Struct)
AnswerT = TypeVar("AnswerT")

_QUERIES: tuple[Query[Any, Any], ...] = (
    STORE_RESPONSE,
    STORE_HISTORY,
    STORE_CONVERSATION,
    STORE_CONVERSATIONS,
    STORE_TREE,
    STORE_APPROVALS,
    STORE_RESPONSES,
)

_PAGE = 2
"""Turns on a page of a history: so few that every test with a longer one turns pages."""


class Steps:
    """Places where tasks wait for each other, so that a test decides who goes on."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._waiting: list[asyncio.Future[None]] = []

    async def pause(self) -> None:
        """Wait here for permission."""
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(gate)
        await gate

    async def run(self, tasks: Sequence["asyncio.Task[Any]"], choices: Iterable[int]) -> None:
        """Let tasks go on one step at a time: as `choices` say, then as they come."""
        order = chain(choices, repeat(0))
        while unfinished := [task for task in tasks if not task.done()]:
            if len(self._waiting) < len(unfinished):
                await asyncio.sleep(0)
                continue
            self._waiting.pop(next(order) % len(self._waiting)).set_result(None)
            await asyncio.sleep(0)


class ReadableLog(MemoryEventLog):
    """A log that can be read at once, and told all of."""

    def turn(self, tenant: TenantId, response_id: ResponseId) -> Turn:
        """Give a turn as it stands."""
        kept = self._kept[tenant, response_id]
        return fold([one.event for one in kept if not isinstance(one.event, ConversationEvent)])

    def conversation(
        self, tenant: TenantId, conversation_id: ConversationId
    ) -> tuple[ConversationState | None, int]:
        """Give a conversation as it stands, and the sequence of its last event."""
        kept = self._kept[tenant, conversation_id]
        events = self.told(tenant, conversation_id)
        return fold_conversation(events), kept[-1].sequence if kept else 0

    def told(self, tenant: TenantId, conversation_id: ConversationId) -> list[AnyConversationEvent]:
        """Give all that happened to a conversation."""
        kept = self._kept[tenant, conversation_id]
        return [one.event for one in kept if isinstance(one.event, ConversationEvent)]

    def conversations(self, tenant: TenantId) -> list[ConversationState]:
        """Give all conversations of a tenant in the order in which they began."""
        began = sorted(
            (kept[0].sequence, ConversationId(name))
            for (owner, name), kept in self._kept.items()
            if owner == tenant and kept and isinstance(kept[0].event, ConversationEvent)
        )
        found = [self.conversation(tenant, conversation_id)[0] for _, conversation_id in began]
        return [conversation for conversation in found if conversation is not None]

    def summaries(self, tenant: TenantId) -> list[ResponseSummary]:
        """Give a summary of each response of a tenant, in the order of the requests."""
        began = sorted(
            (kept[0].sequence, ResponseId(name))
            for (owner, name), kept in self._kept.items()
            if owner == tenant and kept and isinstance(kept[0].event, Requested)
        )
        found: list[ResponseSummary] = []
        for _, response_id in began:
            match self.turn(tenant, response_id):
                case ClosedTurn(deleted=False) as turn if turn.closed.stored:
                    found.append(ended_summary(turn))
                case Screening() | Sampling() as turn:
                    found.append(running_summary(turn.request, started=turn.started))
                case _:
                    pass
        return found

    def ended(self, tenant: TenantId) -> list[ClosedTurn]:
        """Give all turns of a tenant that have ended, in the order of their ends."""
        ends = sorted(
            (one.sequence, ResponseId(name))
            for (owner, name), kept in self._kept.items()
            for one in kept
            if owner == tenant and isinstance(one.event, Closed | ItemsAdded | Purged)
        )
        turns = [self.turn(tenant, response_id) for _, response_id in ends]
        return [turn for turn in turns if isinstance(turn, ClosedTurn)]


class AnsweringStore:
    """Answers as the store does."""

    def __init__(self, log: ReadableLog) -> None:
        """Read from `log`."""
        self._log = log
        self._answers: dict[str, Callable[[Any], Any]] = {
            STORE_RESPONSE.subject: self._response,
            STORE_HISTORY.subject: self._history,
            STORE_CONVERSATION.subject: self._conversation,
            STORE_CONVERSATIONS.subject: self._conversations,
            STORE_TREE.subject: self._tree,
            STORE_APPROVALS.subject: self._approvals,
            STORE_RESPONSES.subject: self._responses,
        }

    async def start(self, client: Client) -> None:
        """Answer over `client` from now on."""
        for query in _QUERIES:
            await client.subscribe(query.subject, query.queue, cb=self._answering(query))
        await client.flush()

    def answer(self, query: Query[Any, AnswerT], question: Struct) -> AnswerT:
        """Answer at once."""
        return self._answers[query.subject](question)

    def _answering(self, query: Query[Any, Any]) -> Callable[[Msg], Awaitable[None]]:
        async def on_question(message: Msg) -> None:
            await message.respond(
                query.encode_answer(self.answer(query, query.decode_question(message.data)))
            )

        return on_question

    def _response(self, asked: AskForResponse) -> Found | Running | Missing:
        return self._told(asked.tenant, asked.response_id)

    def _told(self, tenant: TenantId, response_id: ResponseId) -> Found | Running | Missing:
        turn = self._log.turn(tenant, response_id)
        match turn:
            case ClosedTurn() if turn.closed.stored:
                return Found(turn)
            case Screening() | Sampling():
                return Running(turn.request, turn.request.instructions, turn.started)
            case RefusedByGuard():
                return Running(turn.request, turn.request.instructions)
            case _:
                return Missing()

    def _history(self, asked: AskForHistory) -> History | Running | Missing:
        told = self._told(asked.tenant, asked.response_id)
        if isinstance(told, Running):
            return told
        turns: list[ClosedTurn] = []
        before: ResponseId | None = asked.response_id
        while before is not None and len(turns) < _PAGE:
            told = self._told(asked.tenant, before)
            if not isinstance(told, Found) or (told.turn.deleted and not turns):
                return Missing()
            turns += [] if told.turn.deleted else [told.turn]
            before = told.turn.request.previous_response_id
        return History(turns[::-1], before)

    def _conversation(self, asked: AskForConversation) -> FoundConversation | Missing:
        found, sequence = self._log.conversation(asked.tenant, asked.conversation_id)
        return Missing() if found is None else FoundConversation(found, sequence)

    def _responses(self, asked: AskForResponses) -> Responses | UnknownAfter:
        found = [
            summary
            for summary in self._log.summaries(asked.tenant)
            if matches(summary, asked.owner, asked.filters)
        ]
        ordered = found[::-1] if asked.newest_first else found
        if asked.after is not None:
            ids = [each.response_id for each in ordered]
            if asked.after not in ids:
                return UnknownAfter()
            ordered = ordered[ids.index(asked.after) + 1 :]
        scan = None
        if asked.search is not None:
            scan = Scan(len(ordered), complete=True, last_scanned=None)
        return Responses(ordered[: asked.limit], len(ordered) > asked.limit, scan)

    def _conversations(self, asked: AskForConversations) -> Conversations:
        found = [
            each
            for each in self._log.conversations(asked.tenant)
            if asked.owner in (None, each.owner)
            and (asked.include_deleted or not each.deleted)
            and asked.metadata.items() <= each.metadata.items()
        ]
        ordered = found[::-1] if asked.newest_first else found
        rest = ordered[asked.offset :]
        return Conversations(rest[: asked.limit], has_more=len(rest) > asked.limit)

    def _approvals(self, question: AskForApprovals) -> Approvals:
        turns = self._log.ended(question.tenant)
        answered = {each for turn in turns for each in answered_approvals(turn)}
        own = [turn for turn in turns if turn.request.owner == question.owner][::-1]
        names = [turn.request.response_id for turn in own]
        if question.of is not None:
            own = [turn for turn in own if turn.request.response_id == question.of]
        if question.after is not None:
            own = own[names.index(question.after) + 1 :] if question.after in names else []
        found = [
            open_approval(turn, item)
            for turn in own
            for item in approval_requests(turn)
            if item["id"] not in answered
        ]
        return Approvals(found[: question.limit], has_more=len(found) > question.limit)

    def _tree(self, asked: AskForTree) -> Tree:
        turns = [
            turn
            for turn in self._log.ended(asked.tenant)
            if turn.request.conversation == asked.conversation_id
        ]
        responses = {turn.request.response_id for turn in turns if turn.is_response}
        above = {turn.request.response_id: turn.request.previous_response_id for turn in turns}
        shown = [
            Node(turn, [each for each in _ancestors(turn, above) if each in responses])
            for turn in turns
            if (turn.is_response or asked.everything)
            and (asked.include_deleted or not turn.deleted)
        ]
        ordered = shown[::-1] if asked.newest_first else shown
        names = [node.turn.request.response_id for node in ordered]
        if asked.after is not None:
            ordered = ordered[names.index(asked.after) + 1 :] if asked.after in names else []
        return Tree(ordered[: asked.limit], has_more=len(ordered) > asked.limit)


def _ancestors(turn: ClosedTurn, above: dict[ResponseId, ResponseId | None]) -> list[ResponseId]:
    found: list[ResponseId] = []
    parent = turn.request.previous_response_id
    while parent is not None and parent in above:
        found.append(parent)
        parent = above[parent]
    return found[::-1]


class StoreInMemory(StoreClient):
    """The gateway's store without a broker in between."""

    def __init__(self, log: ReadableLog, steps: Steps | None = None) -> None:
        """Answer from `log`; every answer is one of the `steps`."""
        self._store = AnsweringStore(log)
        self._steps = steps

    async def _ask(self, query: Query[QuestionT, AnswerT], question: QuestionT) -> AnswerT:
        if self._steps is not None:
            await self._steps.pause()
        return self._store.answer(query, question)
