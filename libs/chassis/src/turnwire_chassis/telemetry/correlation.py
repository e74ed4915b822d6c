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
    """Say what this task works for; what is not told stays as it is known."""
    known = _current.get()
    _current.set(
        Correlation(
            traceparent or known.traceparent,
            request_id or known.request_id,
            response_id or known.response_id,
        )
    )


def traceparent() -> str | None:
    """Give where further work of this task belongs: below its span, else where it came from."""
    span = spans.current()
    return str(span.context) if span is not None else _current.get().traceparent


def correlated(question: QuestionT) -> QuestionT:
    """Give a question that says what it is asked for, if that is known."""
    known, parent = _current.get(), traceparent()
    if known is _NONE and parent is None:
        return question
    return replace(question, correlation=replace(known, traceparent=parent))


def asked(query: Query[QuestionT, Any], body: bytes) -> QuestionT:
    """Read a question, and work for whoever asks; raises `msgspec.DecodeError`.

    What is given does not say who that is: the same question is the same, whoever asks it.
    """
    question = query.asked(body)
    if question.correlation is None:
        return question
    _current.set(question.correlation)
    above = trace_context.parse(question.correlation.traceparent)
    span = spans.enter(names.processed(query.subject), "CONSUMER", above)
    # It is the work of this task, whose end is that of the answer (`answered`).
    spans.messaging(span, "process", query.subject).__enter__()
    return replace(question, correlation=None)


def answered(error: Exception | None = None) -> None:
    """End the work on the question that this task has read."""
    span = spans.current()
    if span is not None:
        span.__exit__(None if error is None else type(error), error, None)


def outgoing() -> dict[str, str]:
    """Give the header that tells a server where what it is asked belongs; none, if nobody knows."""
    known = traceparent()
    return {trace_context.HEADER: known} if known is not None else {}


def add_correlation(
    logger: object, method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Put the ids on a log line that has them not (a processor of structlog)."""
    del logger, method
    known, where = _current.get(), trace_context.parse(traceparent())
    if where is not None:
        line.setdefault("trace_id", where.trace_id)
    if known.request_id:
        line.setdefault("request_id", known.request_id)
    if known.response_id:
        line.setdefault("response_id", known.response_id)
    return line
