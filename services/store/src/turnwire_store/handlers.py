"""The questions that the store answers: bytes in, bytes out."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from msgspec import Raw, Struct

from turnwire_chassis.event_log import EventLog, LogUnavailableError
from turnwire_chassis.storage_space import FOR_VIEWS
from turnwire_chassis.telemetry.correlation import begin_answering
from turnwire_contracts.administration.dead_letters import STORE_RETRY
from turnwire_contracts.administration.deployment import STORE_PROJECTION, ProjectionStatus
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.inspecting.approvals import STORE_APPROVALS
from turnwire_contracts.inspecting.response_list import STORE_RESPONSES
from turnwire_contracts.queries import (
    STORE_CONVERSATION,
    STORE_CONVERSATIONS,
    STORE_ERASURE,
    STORE_HEALTH,
    STORE_HISTORY,
    STORE_RESPONSE,
    STORE_TREE,
    FoundConversation,
    Missing,
    Refusal,
    Running,
    SystemHealth,
)
from turnwire_store.feed import FeedLostError
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import ProjectionProgress
from turnwire_store.projecting.retrying import retry
from turnwire_store.queries.approvals import ViewsBehindError, list_approvals
from turnwire_store.queries.conversations import find_conversation, list_conversations
from turnwire_store.queries.freshness import Freshness
from turnwire_store.queries.history import read_history
from turnwire_store.queries.recall import Recall
from turnwire_store.queries.responses import NoListsError, ResponseLists
from turnwire_store.queries.tree import TreePage, read_tree
from turnwire_store.removing.erasure import Erasure
from turnwire_store.views import Generations, StoredTurn, Views, ViewsUnavailableError

_ASKED_WITHIN_S = 1.5
_PROBED_WITHIN_S = 0.7
"""Probes commonly wait for a second, and then do not hear the reason."""


def _refusal(message: str) -> Refusal:
    return Refusal(failure("store_unavailable", message))


_UNAVAILABLE = _refusal(
    "The store's database does not answer, and the log has no lists. Try again."
)
_NO_LOG = _refusal("The log does not say where it ends. Try again.")
_BEHIND = _refusal("The store has not read all of the log yet. Try again.")
_NO_LISTS = _refusal(
    "The views were written by an earlier version, which kept no lists of responses. Have the "
    "operator build them anew: turnwire rebuild."
)


_ENCODER = msgspec.json.Encoder()


class _Found(Struct, frozen=True, tag="Found"):
    turn: Raw


class _History(Struct, frozen=True, tag="History"):
    turns: list[Raw]
    before: ResponseId | None


class _Node(Struct, frozen=True):
    turn: Raw
    ancestors: list[ResponseId]


class _Tree(Struct, frozen=True, tag="Tree"):
    nodes: list[_Node]
    has_more: bool


@dataclass(frozen=True)
class QueryHandlers:
    """One method for each question. Each raises `msgspec.DecodeError` for a body that is none."""

    recall: Recall
    event_log: EventLog
    generations: Generations
    freshness: Freshness
    lists: ResponseLists
    progress: ProjectionProgress

    async def response(self, body: bytes) -> bytes:
        """Answer `STORE_RESPONSE`; raises `LogUnavailableError`."""
        request = begin_answering(STORE_RESPONSE, body)
        match await self.recall.turn(request.tenant, request.response_id):
            case StoredTurn() as turn if turn.turn:
                return _found(turn)
            case Running() as running:
                return STORE_RESPONSE.encode_answer(running)
            case StoredTurn() | None:
                return STORE_RESPONSE.encode_answer(Missing())

    async def history(self, body: bytes) -> bytes:
        """Answer `STORE_HISTORY`; raises `LogUnavailableError`."""
        request = begin_answering(STORE_HISTORY, body)
        page = await read_history(self.recall, request.tenant, request.response_id)
        if page is None:
            return STORE_HISTORY.encode_answer(Missing())
        if isinstance(page, Running):
            return STORE_HISTORY.encode_answer(page)
        return _history(page.turns, page.before)

    async def conversation(self, body: bytes) -> bytes:
        """Answer `STORE_CONVERSATION`; raises `LogUnavailableError`."""
        request = begin_answering(STORE_CONVERSATION, body)
        found = await find_conversation(
            self.event_log, self.generations, request.tenant, request.conversation_id
        )
        if found is None:
            return STORE_CONVERSATION.encode_answer(Missing())
        return STORE_CONVERSATION.encode_answer(
            FoundConversation(found.conversation, found.sequence)
        )

    async def conversations(self, body: bytes) -> bytes:
        """Answer `STORE_CONVERSATIONS`."""
        request = begin_answering(STORE_CONVERSATIONS, body)
        try:
            reach = await self.freshness.caught_up()
            views = await self._views()
            page = await list_conversations(views.conversations, request, reach.end)
        except ViewsUnavailableError:
            return STORE_CONVERSATIONS.encode_answer(_UNAVAILABLE)
        return STORE_CONVERSATIONS.encode_answer(page)

    async def tree(self, body: bytes) -> bytes:
        """Answer `STORE_TREE`; raises `LogUnavailableError`."""
        request = begin_answering(STORE_TREE, body)
        try:
            reach = await self.freshness.caught_up()
            if request.everything and not reach.whole:
                # Who asks for everything acts on it, and would leave out what is not there yet.
                return STORE_TREE.encode_answer(_BEHIND)
            page = await read_tree(self.recall, await self._views(), request, reach.end)
        except ViewsUnavailableError:
            return STORE_TREE.encode_answer(_UNAVAILABLE)
        return _tree(page)

    async def approvals(self, body: bytes) -> bytes:
        """Answer `STORE_APPROVALS`."""
        request = begin_answering(STORE_APPROVALS, body)
        try:
            reach = await self.freshness.caught_up()
            page = await list_approvals(await self._views(), request, reach.end)
        except ViewsUnavailableError:
            return STORE_APPROVALS.encode_answer(_UNAVAILABLE)
        except ViewsBehindError:
            return STORE_APPROVALS.encode_answer(_BEHIND)
        return STORE_APPROVALS.encode_answer(page)

    async def responses(self, body: bytes) -> bytes:
        """Answer `STORE_RESPONSES`; raises `LogUnavailableError`."""
        request = begin_answering(STORE_RESPONSES, body)
        try:
            return STORE_RESPONSES.encode_answer(await self.lists.page(request))
        except ViewsUnavailableError:
            return STORE_RESPONSES.encode_answer(_UNAVAILABLE)
        except NoListsError:
            return STORE_RESPONSES.encode_answer(_NO_LISTS)

    async def health(self, body: bytes) -> bytes:
        """Answer `STORE_HEALTH`."""
        begin_answering(STORE_HEALTH, body)
        problem = await self._database_problem(_ASKED_WITHIN_S)
        return STORE_HEALTH.encode_answer(
            SystemHealth(problem is None, problem or "MongoDB answers")
        )

    async def projection(self, body: bytes) -> bytes:
        """Answer `STORE_PROJECTION`."""
        begin_answering(STORE_PROJECTION, body)
        try:
            return STORE_PROJECTION.encode_answer(await self._position())
        except ViewsUnavailableError:
            return STORE_PROJECTION.encode_answer(_UNAVAILABLE)
        except FeedLostError:
            return STORE_PROJECTION.encode_answer(_NO_LOG)

    async def tell_position(self) -> str:
        """Tell operators how far the views are."""
        try:
            status = await self._position()
        except (ViewsUnavailableError, FeedLostError) as error:
            return f"cannot be told: {error}"
        writes = "writes the views" if status.writes_here else "stands by"
        return (
            f"generation {status.generation}, checkpoint {status.checkpoint} of the log's "
            f"{status.log_end}, at most {status.lag} events behind; this process {writes}"
        )

    async def check_database(self) -> str | None:
        """Tell a probe what is wrong with the database, if anything is."""
        return await self._database_problem(_PROBED_WITHIN_S)

    async def _position(self) -> ProjectionStatus:
        generation, checkpoint, end = await self.freshness.position()
        return ProjectionStatus(generation, checkpoint, end, self.progress.is_active)

    async def _views(self) -> Views:
        return self.generations.views(await self.generations.serving())

    async def _database_problem(self, within_s: float) -> str | None:
        try:
            await self.generations.reach(within_s)
        except ViewsUnavailableError as error:
            return f"MongoDB does not answer: {error}"
        return None


@dataclass(frozen=True)
class ErasureHandlers:
    """What the operator alone may ask."""

    erasing: Erasure

    async def erasure(self, body: bytes) -> bytes:
        """Answer `STORE_ERASURE`; raises `LogUnavailableError`."""
        request = begin_answering(STORE_ERASURE, body)
        try:
            return STORE_ERASURE.encode_answer(await self.erasing.step(request))
        except ViewsUnavailableError:
            return STORE_ERASURE.encode_answer(_UNAVAILABLE)


@dataclass(frozen=True)
class RetryHandlers:
    """What the operator asks of dead letters."""

    ports: ProjectorPorts

    async def retry(self, body: bytes) -> bytes:
        """Answer `STORE_RETRY`; raises `LogUnavailableError`, also where views find no room."""
        request = begin_answering(STORE_RETRY, body)
        self.ports.space.require(FOR_VIEWS)
        try:
            outcome = await retry(self.ports, request.tenant, request.response_id)
        except ViewsUnavailableError:
            return STORE_RETRY.encode_answer(_UNAVAILABLE)
        except FeedLostError as error:
            raise LogUnavailableError(str(error)) from error
        return STORE_RETRY.encode_answer(outcome)


def _found(turn: StoredTurn) -> bytes:
    """Write `contracts.queries.Found`, whose turn is JSON already; so are those below."""
    return _ENCODER.encode(_Found(Raw(turn.turn)))


def _history(turns: Iterable[StoredTurn], before: ResponseId | None) -> bytes:
    """Write `contracts.queries.History`; `turns` are given oldest first."""
    return _ENCODER.encode(_History([Raw(turn.turn) for turn in turns], before))


def _tree(page: TreePage) -> bytes:
    """Write `contracts.queries.Tree`."""
    nodes = [_Node(Raw(branch.turn.turn), branch.ancestors) for branch in page.branches]
    return _ENCODER.encode(_Tree(nodes, page.has_more))
