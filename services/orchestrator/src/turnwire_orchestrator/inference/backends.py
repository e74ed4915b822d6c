"""All inference servers as one: each request goes to the one that serves its model."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import orjson

from turnwire_chassis.telemetry import labels
from turnwire_contracts.queries import InputTokenCount
from turnwire_orchestrator import failures
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.routing import Served, choose, merged
from turnwire_orchestrator.observing.inference import Inference
from turnwire_orchestrator.ports import BackendStream
from turnwire_orchestrator.prompting.dialect import Api, Dialect
from turnwire_orchestrator.prompting.prompt import Prompt

AnswerT = TypeVar("AnswerT")

_ASK_AGAIN_S = 5.0
"""Seconds between two looks for a model that no server lists."""

_ANSWER_WITHIN_S = 5.0
"""Seconds that a server may take where the others wait for it."""


class Backends:
    """`Backend` over one or several servers."""

    def __init__(self, backends: Sequence[HttpBackend]) -> None:
        """Where several serve a model, the first of `backends` gets the request."""
        self._backends = backends
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")

    async def close(self) -> None:
        """End all connections."""
        if self._looking is not None:
            self._looking.cancel()
        for backend in self._backends:
            await backend.close()

    async def keep_looking(self) -> None:
        """Find out what the servers are and serve, for ever."""
        async with asyncio.TaskGroup() as group:
            for backend in self._backends:
                group.create_task(backend.keep_looking())

    @asynccontextmanager
    async def sample(self, prompt: Prompt) -> AsyncGenerator[BackendStream]:
        """See `Backend.sample`."""
        backend = await self._backend_for(prompt.request.model)
        model = labels.listed(prompt.request.model, backend.served.names)
        with Inference(prompt.request, model, backend.name) as inference:
            async with backend.sample(prompt) as answering:
                yield inference.measured(answering)

    async def input_tokens(self, prompt: Prompt) -> InputTokenCount:
        """Count what the model would read. Raises `TurnFailedError`."""
        backend = await self._backend_for(prompt.request.model)
        return await backend.input_tokens(prompt)

    async def spoken(self, model: str) -> tuple[Api, Dialect]:
        """Tell how the server of a model would be asked now. Raises `TurnFailedError`."""
        return await (await self._backend_for(model)).spoken()

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
        if index is None:
            await self._look_again()
            index = choose(model, self._served())
        if index is None:
            names = [str(entry.get("id")) for entry in merged(self._served())]
            raise TurnFailedError(failures.model_not_found(model, names))
        return self._backends[index]

    async def _look_again(self) -> None:
        """Read all lists again, once for all who miss a model now, unless that was just done."""
        now = asyncio.get_running_loop().time()
        if self._looking is None or self._looking.done():
            if now - self._looked_at < _ASK_AGAIN_S:
                return
            self._looking = asyncio.create_task(self._look())
        await asyncio.shield(self._looking)

    async def _look(self) -> None:
        await _all(backend.look() for backend in self._backends)
        self._looked_at = asyncio.get_running_loop().time()

    def _served(self) -> list[Served]:
        return [backend.served for backend in self._backends]


async def _all(requests: Iterable[Awaitable[AnswerT]]) -> list[AnswerT | TurnFailedError]:
    """Give all answers; a server that fails or hangs does not keep the others from answering."""

    async def answer(each: Awaitable[AnswerT]) -> AnswerT | TurnFailedError:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                return await each
        except TimeoutError:
            return TurnFailedError(failures.backend_silent(_ANSWER_WITHIN_S))
        except TurnFailedError as error:
            return error

    return await asyncio.gather(*map(answer, requests))
