"""The questions that the store answers: bytes in, bytes out."""

from dataclasses import dataclass

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.telemetry.correlation import asked
from turnwire_contracts.events import Failure
from turnwire_contracts.queries import (
    STORE_CONVERSATION,
    STORE_CONVERSATIONS,
    STORE_ERASURE,
    STORE_HEALTH,
    STORE_HISTORY,
    STORE_RESPONSE,
    STORE_TREE,
    FoundConversation,
    Health,
    Missing,
    Refusal,
    Running,
)
from turnwire_store.recalling import answers
from turnwire_store.recalling.conversations import find_conversation, list_conversations
from turnwire_store.recalling.currency import Currency
from turnwire_store.recalling.history import read_history
from turnwire_store.recalling.recall import Recall
from turnwire_store.recalling.tree import read_tree
from turnwire_store.removing.erasure import Erasure
from turnwire_store.views import Generations, StoredTurn, Views, ViewsUnavailableError

_ASKED_WITHIN_S = 1.5
_PROBED_WITHIN_S = 0.7
"""Probes commonly wait for a second, and then do not hear the reason."""


def _refusal(message: str) -> Refusal:
    return Refusal(Failure(503, "server_error", "store_unavailable", message))


_UNAVAILABLE = _refusal(
    "The store's database does not answer, and the log has no lists. Try again."
)
_BEHIND = _refusal("The store has not read all of the log yet. Try again.")


@dataclass(frozen=True)
class Handlers:
    """One method for each question. Each raises `msgspec.DecodeError` for a body that is none."""

    recall: Recall
    event_log: EventLog
    generations: Generations
    currency: Currency

    async def response(self, body: bytes) -> bytes:
        """Answer `STORE_RESPONSE`; raises `LogUnavailableError`."""
        wanted = asked(STORE_RESPONSE, body)
        match await self.recall.turn(wanted.tenant, wanted.response_id):
            case StoredTurn() as turn if turn.turn:
                return answers.found(turn)
            case Running() as running:
                return STORE_RESPONSE.answer(running)
            case StoredTurn() | None:
                return STORE_RESPONSE.answer(Missing())

    async def history(self, body: bytes) -> bytes:
        """Answer `STORE_HISTORY`; raises `LogUnavailableError`."""
        wanted = asked(STORE_HISTORY, body)
        page = await read_history(self.recall, wanted.tenant, wanted.response_id)
        if page is None:
            return STORE_HISTORY.answer(Missing())
        if isinstance(page, Running):
            return STORE_HISTORY.answer(page)
        return answers.history(page.turns, page.before)

    async def conversation(self, body: bytes) -> bytes:
        """Answer `STORE_CONVERSATION`; raises `LogUnavailableError`."""
        wanted = asked(STORE_CONVERSATION, body)
        found = await find_conversation(
            self.event_log, self.generations, wanted.tenant, wanted.conversation_id
        )
        if found is None:
            return STORE_CONVERSATION.answer(Missing())
        return STORE_CONVERSATION.answer(FoundConversation(found.conversation, found.sequence))

    async def conversations(self, body: bytes) -> bytes:
        """Answer `STORE_CONVERSATIONS`."""
        wanted = asked(STORE_CONVERSATIONS, body)
        try:
            reach = await self.currency.caught_up()
            views = await self._views()
            page = await list_conversations(views.conversations, wanted, reach.end)
        except ViewsUnavailableError:
            return STORE_CONVERSATIONS.answer(_UNAVAILABLE)
        return STORE_CONVERSATIONS.answer(page)

    async def tree(self, body: bytes) -> bytes:
        """Answer `STORE_TREE`; raises `LogUnavailableError`."""
        wanted = asked(STORE_TREE, body)
        try:
            reach = await self.currency.caught_up()
            if wanted.everything and not reach.whole:
                # Whoever wants everything acts on it, and would leave out what is not there yet.
                return STORE_TREE.answer(_BEHIND)
            page = await read_tree(self.recall, await self._views(), wanted, reach.end)
        except ViewsUnavailableError:
            return STORE_TREE.answer(_UNAVAILABLE)
        return answers.tree(page)

    async def health(self, body: bytes) -> bytes:
        """Answer `STORE_HEALTH`."""
        asked(STORE_HEALTH, body)
        problem = await self._database_problem(_ASKED_WITHIN_S)
        return STORE_HEALTH.answer(Health(problem is None, problem or "MongoDB answers"))

    async def check_database(self) -> str | None:
        """Tell a probe what is wrong with the database, if anything is."""
        return await self._database_problem(_PROBED_WITHIN_S)

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
        wanted = asked(STORE_ERASURE, body)
        try:
            return STORE_ERASURE.answer(await self.erasing.step(wanted))
        except ViewsUnavailableError:
            return STORE_ERASURE.answer(_UNAVAILABLE)
