"""Which request and which turn this task works for: for its log lines and its questions."""

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, TypeVar

from msgspec.structs import replace

from turnwire_chassis.telemetry import names, spans, trace_context
from turnwire_contracts.ids import Correlation
from turnwire_contracts.queries import Query, Question

QuestionT = TypeVar("QuestionT", bound=Question)

_NONE = Correlation()
_current: ContextVar[Correlation] = ContextVar("correlation", default=_NONE)


def correlate(
    traceparent: str | None = None, request_id: str | None = None, response_id: str | None = None
) -> None:
    """Say what this task works for; what is not given stays as it was."""
    current = _current.get()
    _current.set(
        Correlation(
            traceparent or current.traceparent,
            request_id or current.request_id,
            response_id or current.response_id,
        )
    )


def traceparent() -> str | None:
    """Give where further work of this task belongs: below its span, else where it came from."""
    span = spans.current()
    return span.traceparent if span is not None else _current.get().traceparent


def correlated(question: QuestionT) -> QuestionT:
    """Give a question that says what it is asked for, if that is known."""
    current, parent = _current.get(), traceparent()
    if current is _NONE and parent is None:
        return question
    return replace(question, correlation=replace(current, traceparent=parent))


def begin_answering(query: Query[QuestionT, Any], body: bytes) -> QuestionT:
    """Read a question and work in its asker's trace; raises `msgspec.DecodeError`.

    Gives it without its correlation: equal questions of different turns are equal.
    """
    question = query.decode_question(body)
    if question.correlation is None:
        return question
    _current.set(question.correlation)
    above = trace_context.parse(question.correlation.traceparent)
    span = spans.enter(names.processed(query.subject), "CONSUMER", above)
    # It is the work of this task, whose end is that of the answer (`end_answering`).
    spans.messaging(span, "process", query.subject).__enter__()
    return replace(question, correlation=None)


def end_answering(error: Exception | None = None) -> None:
    """End the work on the question that this task has read."""
    span = spans.current()
    if span is not None:
        span.__exit__(None if error is None else type(error), error, None)


def outgoing() -> dict[str, str]:
    """Give the header that tells a server where what it is asked belongs; empty without a trace."""
    parent = traceparent()
    return {trace_context.HEADER: parent} if parent is not None else {}


def add_correlation(
    logger: object, method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Put the ids on a log line that has them not (a processor of structlog)."""
    del logger, method
    current = _current.get()
    trace = spans.current() or trace_context.parse(current.traceparent)
    if trace is not None:
        line.setdefault("trace_id", trace.trace_id)
    if current.request_id:
        line.setdefault("request_id", current.request_id)
    if current.response_id:
        line.setdefault("response_id", current.response_id)
    return line
