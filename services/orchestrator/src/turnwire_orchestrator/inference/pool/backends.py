"""All inference servers as one: a request goes to one that serves its model and can answer now."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol, TypeVar

import orjson
import structlog
from msgspec.structs import replace

from turnwire_chassis.telemetry import labels
from turnwire_contracts.administration.deployment import BackendStatus
from turnwire_contracts.events import Failure
from turnwire_contracts.queries import InputTokenCount
from turnwire_orchestrator import failures
from turnwire_orchestrator.failures import TurnFailedError, is_worth_another_server
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.pool.balancing import Candidate, pick
from turnwire_orchestrator.inference.pool.routing import Served, merged, serving
from turnwire_orchestrator.observing.inference import Inference
from turnwire_orchestrator.ports import BackendStream
from turnwire_orchestrator.prompting.dialect import Api, Dialect
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.servers import Server

log = structlog.get_logger()

AnswerT = TypeVar("AnswerT")
AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class _Ask(Protocol[AnswerT_co]):
    def __call__(self, backend: HttpBackend, *, has_others: bool) -> Awaitable[AnswerT_co]: ...


_ASK_AGAIN_S = 5.0
"""Seconds between two looks for a model that no server lists."""

_ANSWER_WITHIN_S = 5.0
"""Seconds that a server may take where the others wait for it."""


class Backends:
    """`Backend` over one or several servers."""

    def __init__(self, backends: Sequence[HttpBackend]) -> None:
        """`backends`: in the order of the list of models; several may serve the same one."""
        self._backends = [*backends]
        self._group: asyncio.TaskGroup | None = None
        self._following: dict[HttpBackend, asyncio.Task[None]] = {}
        self._in_use: Counter[HttpBackend] = Counter()
        self._retired: set[HttpBackend] = set()
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")

    async def close(self) -> None:
        """End all connections."""
        if self._looking is not None:
            self._looking.cancel()
        for backend in (*self._backends, *self._retired):
            await backend.close()

    async def keep_looking(self) -> None:
        """Find out what the servers are and serve, for ever."""
        async with asyncio.TaskGroup() as self._group:
            self._follow()
            await asyncio.Event().wait()

    async def take(self, servers: Sequence[Server], make: Callable[[Server], HttpBackend]) -> None:
        """Have these servers from now on; one that stays as it was keeps what is known of it.

        Turns that one which is gone answers go on there until their end.
        """
        here = {backend.server: backend for backend in self._backends}
        self._backends = [here.pop(server, None) or make(server) for server in servers]
        self._follow()
        for backend in here.values():
            if (following := self._following.pop(backend, None)) is not None:
                following.cancel()
            self._retired.add(backend)
            await self._close_unused(backend)

    @asynccontextmanager
    async def sample(self, prompt: Prompt) -> AsyncGenerator[BackendStream]:
        """See `Backend.sample`."""
        async with AsyncExitStack() as stack:

            async def accept(backend: HttpBackend, *, has_others: bool) -> BackendStream:
                await stack.enter_async_context(self._using(backend))
                answering = await stack.enter_async_context(_sampled(backend, prompt))
                return replace(answering, server=backend.server.name, has_others=has_others)

            yield await self._at_one(prompt, accept)

    async def input_tokens(self, prompt: Prompt) -> InputTokenCount:
        """Count what the model would read. Raises `TurnFailedError`."""

        async def count(backend: HttpBackend, *, has_others: bool) -> InputTokenCount:
            del has_others
            async with self._using(backend):
                return await backend.input_tokens(prompt)

        return await self._at_one(prompt, count)

    async def spoken(self, model: str) -> tuple[Api, Dialect]:
        """Tell how the first server of a model would be asked now. Raises `TurnFailedError`."""
        return await (await self._serving(model))[0].spoken()

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

    async def status(self) -> list[BackendStatus]:
        """Tell how each server is, asked now."""
        looked = await _all(backend.look() for backend in self._backends)
        return [
            backend.status(answer.failure.message if isinstance(answer, TurnFailedError) else None)
            for backend, answer in zip(self._backends, looked, strict=True)
        ]

    @asynccontextmanager
    async def _using(self, backend: HttpBackend) -> AsyncGenerator[None]:
        """Keep a server's connections until the last who use them are done."""
        self._in_use[backend] += 1
        try:
            yield
        finally:
            self._in_use[backend] -= 1
            await self._close_unused(backend)

    async def _close_unused(self, backend: HttpBackend) -> None:
        if backend in self._retired and not self._in_use[backend]:
            self._retired.discard(backend)
            del self._in_use[backend]
            await backend.close()

    def _follow(self) -> None:
        """Look at each server again and again, once that has begun."""
        for backend in self._backends:
            if self._group is not None and backend not in self._following:
                task = self._group.create_task(backend.keep_looking())
                self._following[backend] = task

    async def _at_one(self, prompt: Prompt, ask: _Ask[AnswerT]) -> AnswerT:
        """Ask one server after another until one answers.

        Raises `TurnFailedError`: of the last, when all that could be asked have failed.
        """
        model = prompt.request.model
        every = await self._serving(model)
        if len(every) == 1:
            return await ask(every[0], has_others=False)
        left = [each for each in every if each.server.name not in prompt.tried]
        failed: TurnFailedError | None = None
        while (backend := _chosen(left, prompt)) is not None:
            left.remove(backend)
            try:
                return await ask(backend, has_others=_chosen(left, prompt) is not None)
            except TurnFailedError as error:
                if not is_worth_another_server(error.failure):
                    raise
                failed = error
                log.info("backend failed", backend=backend.server.name, code=error.failure.code)
        raise failed or TurnFailedError(_why_none(every, model))

    async def _serving(self, model: str) -> list[HttpBackend]:
        """Give the servers of a model. Raises `TurnFailedError` when there is none."""
        if len(self._backends) == 1:
            return [self._backends[0]]
        indices = serving(model, self._served())
        if not indices:
            await self._look_again()
            indices = serving(model, self._served())
        if not indices:
            names = [str(entry.get("id")) for entry in merged(self._served())]
            raise TurnFailedError(failures.model_not_found(model, names))
        return [self._backends[index] for index in indices]

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


def _chosen(backends: Sequence[HttpBackend], prompt: Prompt) -> HttpBackend | None:
    """Choose who is asked next; `None`: no server can be now."""
    request = prompt.request
    candidates = [
        Candidate(
            each.server.name,
            each.server.weight,
            each.server.backup,
            each.health.running,
            each.health.readiness(request.model),
        )
        for each in backends
    ]
    cache_key = request.params.get("prompt_cache_key")
    chosen = pick(candidates, prompt.server, cache_key, request.response_id)
    return None if chosen is None else backends[candidates.index(chosen)]


def _why_none(backends: Sequence[HttpBackend], model: str) -> Failure:
    """Say why none of the servers of a model can be asked, and when one can be."""
    waiting = [each.health for each in backends if each.health.wait_s(model) > 0]
    soonest = min(waiting, key=lambda health: health.wait_s(model), default=None)
    why = soonest.why_wait(model) if soonest else None
    return why or failures.no_backend_can_answer(model)


@asynccontextmanager
async def _sampled(backend: HttpBackend, prompt: Prompt) -> AsyncGenerator[BackendStream]:
    """Sample at this server, and learn from how it goes."""
    request, health = prompt.request, backend.health
    model = labels.listed(request.model, backend.served.names)
    health.began()
    try:
        with Inference(request, model, backend.server.name) as inference:
            async with backend.sample(prompt) as answering:
                yield inference.measured(answering)
        health.answered(request.model, inference.failure)
    except TurnFailedError as error:
        health.answered(request.model, error.failure)
        raise
    except ValueError as error:
        health.answered(request.model, failures.backend_broke_off(str(error)))
        raise
    finally:
        health.ended()
