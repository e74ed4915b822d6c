"""All inference servers as one: each request goes to the one that serves its model."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import orjson

from turnwire_contracts.queries import InputTokens
from turnwire_orchestrator import failures
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.routing import Served, choose, merged
from turnwire_orchestrator.ports import Answering, TurnFailedError
from turnwire_orchestrator.prompting.prompt import Prompt

AnswerT = TypeVar("AnswerT")

LOOK_EVERY_S = 60.0
"""Models come and go; a list is never older."""

LOOK_AGAIN_S = 1.0
"""A server that is not understood yet is looked at again so soon."""

_ASK_AGAIN_S = 5.0
"""A model that nobody lists is looked for no more often."""

_ANSWER_WITHIN_S = 5.0
"""What a server may take where the others wait for it."""


class Backends:
    """`Backend` over one or several servers."""

    def __init__(self, backends: Sequence[HttpBackend]) -> None:
        """Serve with these; the first comes first wherever several could."""
        self._backends = backends
        self._asked_at = float("-inf")

    async def close(self) -> None:
        """End all connections."""
        for backend in self._backends:
            await backend.close()

    async def keep_looking(self) -> None:
        """Find out what the servers are and serve, for ever."""
        while True:
            known = await self._look()
            await asyncio.sleep(LOOK_EVERY_S if known else LOOK_AGAIN_S)

    @asynccontextmanager
    async def sample(self, prompt: Prompt) -> AsyncGenerator[Answering]:
        """See `Backend.sample`."""
        backend = await self._backend_for(prompt.request.model)
        async with backend.sample(prompt) as answering:
            yield answering

    async def input_tokens(self, prompt: Prompt) -> InputTokens:
        """Count what the model would read. Raises `TurnFailedError`."""
        backend = await self._backend_for(prompt.request.model)
        return await backend.input_tokens(prompt)

    async def models(self) -> bytes:
        """Give all models as one list, as JSON; that of a single server is its own.

        Raises `TurnFailedError` when no server answers.
        """
        if len(self._backends) == 1:
            return await self._backends[0].models()
        answers = await _all(backend.models() for backend in self._backends)
        alive = [
            backend.served
            for backend, answer in zip(self._backends, answers, strict=True)
            if not isinstance(answer, TurnFailedError)
        ]
        if not alive and isinstance(failed := answers[0], TurnFailedError):
            raise failed
        return orjson.dumps({"object": "list", "data": merged(alive)})

    async def _backend_for(self, model: str) -> HttpBackend:
        """Raises `TurnFailedError` when no server has the model."""
        if len(self._backends) == 1:
            return self._backends[0]
        index = choose(model, self._served())
        now = asyncio.get_running_loop().time()
        if index is None and now - self._asked_at >= _ASK_AGAIN_S:
            self._asked_at = now
            await self._look()
            index = choose(model, self._served())
        if index is None:
            names = [str(entry.get("id")) for entry in merged(self._served())]
            raise TurnFailedError(failures.model_not_found(model, names))
        return self._backends[index]

    async def _look(self) -> bool:
        answers = await _all(backend.look() for backend in self._backends)
        return not any(answers)

    def _served(self) -> list[Served]:
        return [backend.served for backend in self._backends]


async def _all(asked: Iterable[Awaitable[AnswerT]]) -> list[AnswerT | TurnFailedError]:
    """Give all answers; a server that fails or hangs does not keep the others from answering."""

    async def answer(each: Awaitable[AnswerT]) -> AnswerT | TurnFailedError:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                return await each
        except TimeoutError:
            return TurnFailedError(failures.backend_silent(_ANSWER_WITHIN_S))
        except TurnFailedError as error:
            return error

    return await asyncio.gather(*map(answer, asked))
