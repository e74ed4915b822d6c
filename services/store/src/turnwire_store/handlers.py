"""The three questions that the store answers: bytes in, bytes out."""

from dataclasses import dataclass

from turnwire_contracts.events import Requested
from turnwire_contracts.queries import (
    STORE_HEALTH,
    STORE_HISTORY,
    STORE_RESPONSE,
    Health,
    Missing,
    Running,
)
from turnwire_store.recalling import answers
from turnwire_store.recalling.history import read_history
from turnwire_store.recalling.recall import Recall
from turnwire_store.views import Generations, StoredTurn, ViewsUnavailableError

_ASKED_WITHIN_S = 1.5
_PROBED_WITHIN_S = 0.7
"""Probes commonly wait for a second, and then do not hear the reason."""


@dataclass(frozen=True)
class Handlers:
    """One method for each question. Each raises `msgspec.DecodeError` for a body that is none."""

    recall: Recall
    generations: Generations

    async def response(self, body: bytes) -> bytes:
        """Answer `STORE_RESPONSE`; raises `LogUnavailableError`."""
        asked = STORE_RESPONSE.asked(body)
        match await self.recall.turn(asked.tenant, asked.response_id):
            case StoredTurn() as turn:
                return answers.found(turn)
            case Requested() as request:
                return STORE_RESPONSE.answer(_running(request))
            case None:
                return STORE_RESPONSE.answer(Missing())

    async def history(self, body: bytes) -> bytes:
        """Answer `STORE_HISTORY`; raises `LogUnavailableError`."""
        asked = STORE_HISTORY.asked(body)
        page = await read_history(self.recall, asked.tenant, asked.response_id)
        if page is None:
            return STORE_HISTORY.answer(Missing())
        if isinstance(page, Requested):
            return STORE_HISTORY.answer(_running(page))
        return answers.history(page.turns, page.before)

    async def health(self, body: bytes) -> bytes:
        """Answer `STORE_HEALTH`."""
        STORE_HEALTH.asked(body)
        problem = await self._database_problem(_ASKED_WITHIN_S)
        return STORE_HEALTH.answer(Health(problem is None, problem or "MongoDB answers"))

    async def check_database(self) -> str | None:
        """Tell a probe what is wrong with the database, if anything is."""
        return await self._database_problem(_PROBED_WITHIN_S)

    async def _database_problem(self, within_s: float) -> str | None:
        try:
            await self.generations.reach(within_s)
        except ViewsUnavailableError as error:
            return f"MongoDB does not answer: {error}"
        return None


def _running(request: Requested) -> Running:
    # What is inherited is known when the turn ends; until then only the client's own words are.
    return Running(request, request.instructions)
