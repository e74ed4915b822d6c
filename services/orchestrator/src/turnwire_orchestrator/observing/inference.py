"""One sample at a backend as it is measured: its time, its first event, its pace, its tokens."""

from time import perf_counter
from types import TracebackType
from typing import Final, Self

from turnwire_chassis.telemetry import labels, metrics, names, spans
from turnwire_contracts.events import Failure, Requested, TurnUsage
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator.failures import TurnFailedError, backend_broke_off
from turnwire_orchestrator.ports import BackendStream, StreamReader

_BROKEN: Final = "backend_stream_broken"
_CANCELLED: Final = "cancelled"
_NO_END: Final = "no end"
_NAME: Final = "chat"
_PROVIDER: Final = "openai"
"""OpenTelemetry: whose API is spoken; which server answers says `turnwire.server`."""


class Inference:
    """Measured from entering to leaving; what a backend streams passes through unread."""

    def __init__(self, request: Requested, model: str, server: str) -> None:
        """`model` and `server` are values of labels: names that the operator or a backend lists."""
        self._request = request
        self._span = spans.begin(_NAME, "CLIENT")
        self._model = model
        self._server = server
        self._reader: StreamReader | None = None
        self._began = self._first = self._last = 0.0
        self._events = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._span.__enter__()
        self._began = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Count it, however it ended."""
        failed = self._error(error)
        metrics.INFERENCE(self._model, self._server, failed).observe(perf_counter() - self._began)
        # The span knows what describes it; both would wait for the garbage collector.
        span, self._span = self._span, spans.NOTHING
        if failed and failed != _CANCELLED:
            span.fail(failed)
        if span.is_recording:
            span.describe = self._describe
        span.__exit__(None, None, None)
        if self._events:
            metrics.FIRST_CHUNK(self._model).observe(self._first - self._began)
        if self._events > 1:
            pace = (self._last - self._first) / (self._events - 1)
            metrics.PER_CHUNK(self._model).observe(pace)
        outcome = self._reader.outcome if self._reader else None
        if outcome is not None and outcome.usage is not None:
            self._count(outcome.usage)

    def measured(self, answering: BackendStream) -> BackendStream:
        """Give the same answer, whose reads and whose end are noted."""

        def reader(assembler: Assembler) -> StreamReader:
            self._reader = answering.reader(assembler)
            return self._reader

        return BackendStream(answering.reads, reader, self._heard, sent=answering.sent)

    @property
    def failure(self) -> Failure | None:
        """What the answer failed with by the server's own words, or by their lack."""
        outcome = self._reader.outcome if self._reader else None
        return backend_broke_off(_NO_END) if outcome is None else outcome.failure

    def _heard(self, events: int) -> None:
        self._last = perf_counter()
        if not self._events:
            self._first = self._last
        self._events += events

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

    def _count(self, usage: TurnUsage) -> None:
        metrics.INPUT_TOKENS(self._model).inc(usage.input_tokens)
        metrics.OUTPUT_TOKENS(self._model).inc(usage.output_tokens)
        metrics.CACHED_TOKENS(self._model).inc(usage.cached_tokens)
        metrics.REASONING_TOKENS(self._model).inc(usage.reasoning_tokens)

    def _describe(self, span: spans.Span) -> None:
        """Say on the span what the conventions ask for; no content."""
        span.name = names.inference(self._model)
        span.attributes |= {
            names.GEN_AI_OPERATION: _NAME,
            names.GEN_AI_PROVIDER: _PROVIDER,
            names.GEN_AI_MODEL: self._model,
            names.GEN_AI_STREAM: True,
            names.GEN_AI_RESPONSE: self._request.response_id,
            names.SERVER: self._server,
        }
        if self._events:
            span.set(names.GEN_AI_FIRST_CHUNK, self._first - self._began)
        outcome = self._reader.outcome if self._reader else None
        if outcome is None:
            return
        span.set(names.GEN_AI_FINISH, [outcome.status])
        if outcome.usage is not None:
            span.set(names.GEN_AI_INPUT_TOKENS, outcome.usage.input_tokens)
            span.set(names.GEN_AI_OUTPUT_TOKENS, outcome.usage.output_tokens)
            span.set(names.GEN_AI_CACHED_TOKENS, outcome.usage.cached_tokens)
            span.set(names.GEN_AI_REASONING_TOKENS, outcome.usage.reasoning_tokens)
