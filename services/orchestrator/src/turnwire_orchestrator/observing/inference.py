"""One sample at a backend as it is measured: its time, its first event, its pace, its tokens."""

from collections.abc import AsyncIterator
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from turnwire_chassis.telemetry import labels, metrics
from turnwire_contracts.events import Usage
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator.ports import Answering, StreamReader, TurnFailedError

_BROKEN: Final = "backend_stream_broken"
_CANCELLED: Final = "cancelled"


class Inference:
    """Measured from entering to leaving; what a backend streams passes through unread."""

    def __init__(self, model: str, server: str) -> None:
        """Both are values of labels: names that the operator or a backend lists."""
        self._model = model
        self._server = server
        self._reader: StreamReader | None = None
        self._began = self._first = self._last = 0.0
        self._events = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._began = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Count it, however it ended."""
        metrics.INFERENCE(self._model, self._server, self._error(error)).observe(
            perf_counter() - self._began
        )
        if self._events:
            metrics.FIRST_CHUNK(self._model).observe(self._first - self._began)
        if self._events > 1:
            pace = (self._last - self._first) / (self._events - 1)
            metrics.PER_CHUNK(self._model).observe(pace)
        outcome = self._reader.outcome if self._reader else None
        if outcome is not None and outcome.usage is not None:
            self._count(outcome.usage)

    def measured(self, answering: Answering) -> Answering:
        """Give the same answer, whose reads are noted."""

        def reader(assembler: Assembler) -> StreamReader:
            self._reader = answering.reader(assembler)
            return self._reader

        return Answering(self._noted(answering.reads), reader)

    async def _noted(self, reads: AsyncIterator[list[bytes]]) -> AsyncIterator[list[bytes]]:
        async for events in reads:
            self._last = perf_counter()
            if not self._events:
                self._first = self._last
            self._events += len(events)
            yield events

    def _error(self, error: BaseException | None) -> str:
        if isinstance(error, TurnFailedError):
            return labels.code(error.failure.code)
        if isinstance(error, ValueError):
            return _BROKEN
        if error is not None:
            return _CANCELLED
        outcome = self._reader.outcome if self._reader else None
        if outcome is None:
            return _BROKEN
        return labels.code(outcome.failure.code if outcome.failure else None)

    def _count(self, usage: Usage) -> None:
        metrics.INPUT_TOKENS(self._model).inc(usage.input_tokens)
        metrics.OUTPUT_TOKENS(self._model).inc(usage.output_tokens)
        metrics.CACHED_TOKENS(self._model).inc(usage.cached_tokens)
        metrics.REASONING_TOKENS(self._model).inc(usage.reasoning_tokens)
