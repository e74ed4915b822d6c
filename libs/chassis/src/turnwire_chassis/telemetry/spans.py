"""Spans of this process: as good as free where nothing is traced, and complete where a turn fails.

A span here is a few fields. It becomes a span of the OpenTelemetry SDK when it is exported: at its
end if its trace is sampled, else at the end of the work that it belongs to, if that has failed.
So an unsampled span costs less than 1 µs and not 22, and a failed one is told with all its steps.
For the same reason a span is described when it is exported and not before.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from hashlib import blake2b
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from msgspec import Struct

from turnwire_chassis.telemetry import names, trace_context
from turnwire_chassis.telemetry.trace_context import TraceContext

SpanKind = Literal["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
Value = str | bool | int | float | Sequence[str]

MOST_HELD: Final = 256
"""Ended spans of one piece of work that wait for its end; later ones of an unsampled turn go."""

_TRACE_BITS: Final = 128
_SPAN_BITS: Final = 64
_TRACE_DIGITS: Final = _TRACE_BITS // 4


class Exporter(Protocol):
    """Where ended spans go."""

    def samples(self, trace_id: str, parent: TraceContext | None) -> bool:
        """Decide about a trace that begins here, or that a client has begun."""
        ...

    def export(self, span: "Span") -> None:
        """Take an ended span; never waits, never raises."""
        ...


class Span(Struct, eq=False, weakref=True):
    """A piece of work, measured from entering to leaving; what begins meanwhile is below it."""

    name: str
    kind: SpanKind
    trace_id: str
    begun_by: str = ""
    """The id of the span above, where that is another process's."""
    above: "Span | None" = None
    """The span above, where that is one of this process."""
    root: "Span | None" = None
    """The piece of work in this process that it is a step of; `None`: it is one itself."""
    exporter: Exporter | None = None
    seed: str = ""
    """What its id is derived from; random without."""
    attributes: dict[str, Value] = {}
    message: tuple[str, str] | None = None
    """The operation on a message, and the template of its subject, if the span is about one."""
    describe: "Callable[[Span], None] | None" = None
    """Sets what else is to be told of it; called once, when it is exported."""
    links: Sequence[TraceContext] = ()
    started: int = 0
    ended: int = 0
    error: str = ""
    kept: bool = False
    """Of a root: whether it is exported. Once true, all that ends later in this work is too."""
    held: list["Span"] = []
    """Of a root that is not kept: what has ended below it."""
    _id: str = ""
    _unsampled: str = ""
    """Of a root: the header of work that is not kept, once it was asked for."""
    _token: Token["Span | None"] | None = None

    @property
    def span_id(self) -> str:
        """Its id, 16 hexadecimal digits: made when it is first asked for, as most never are."""
        if not self._id:
            self._id = derived_id(self.seed) if self.seed else _drawn(_SPAN_BITS)
        return self._id

    @property
    def parent_id(self) -> str:
        """The id of the span above; empty at the beginning of a trace."""
        return self.begun_by if self.above is None else self.above.span_id

    @property
    def traceparent(self) -> str:
        """Where what others do for it belongs, as the header.

        Below work that is not sampled it is the work itself, as nobody tells of its steps: so they
        need no ids, and who is asked for several of them reads one header.
        """
        root = self.root or self
        if root.kept:
            return trace_context.header(self.trace_id, self.span_id, sampled=True)
        if not root._unsampled:
            root._unsampled = trace_context.header(root.trace_id, root.span_id, sampled=False)
        return root._unsampled

    @property
    def is_recording(self) -> bool:
        """Whether it may be exported: attributes that cost something are set only then."""
        return self.exporter is not None

    def set(self, name: str, value: Value | None) -> None:
        """Say something about it; nothing that is `None`."""
        if self.exporter is not None and value is not None:
            self.attributes[name] = value

    def fail(self, error_type: str) -> None:
        """Note that it has failed; work that fails is always kept."""
        if self.exporter is not None:
            self.error = error_type
            self.attributes[names.ERROR_TYPE] = error_type

    def keep(self) -> None:
        """Keep the whole piece of work, sampled or not."""
        if self.exporter is not None:
            (self.root or self).kept = True

    def __enter__(self) -> Self:
        """Be above what begins from now on."""
        if self.exporter is not None:
            self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """End it."""
        if self.exporter is None:
            return
        if self._token is not None:
            try:  # noqa: SIM105 -- on the way of every turn, where nothing is raised
                _current.reset(self._token)
            except ValueError:
                # A generator may be closed in another context than it was begun in.
                pass
            self._token = None
        if isinstance(error, Exception) and not self.error:
            self.fail(error_type(error))
        self.end()

    def end(self, at: int = 0) -> None:
        """End it: it is exported, or held until it is known whether its work has failed.

        `at`: nanoseconds since 1970; now, if not given.
        """
        if self.exporter is None or self.ended:
            return
        self.ended = at or time.time_ns()
        root = self.root
        if root is None:
            self.kept = self.kept or bool(self.error)
            root = self
        elif not root.kept:
            if not root.ended and len(root.held) < MOST_HELD:
                root.held.append(self)
            return
        # Nothing that is held stays: it knows its root, and both would wait for the collector.
        held, root.held = root.held, []
        if root.kept:
            for each in (*held, self):
                each.describe_itself()
                self.exporter.export(each)

    def describe_itself(self) -> None:
        """Complete the attributes."""
        if self.message is not None:
            operation, destination = self.message
            self.attributes[names.SYSTEM] = names.NATS
            self.attributes[names.OPERATION] = operation
            self.attributes[names.DESTINATION] = destination
        if self.describe is not None:
            self.describe(self)
            self.describe = None


def derived_id(seed: str) -> str:
    """Derive the id of a span, so that others can link it without having been told of it."""
    return blake2b(seed.encode(), digest_size=8).hexdigest()


NOTHING: Final = Span("", "INTERNAL", "")
"""Stands for every span where nothing is traced; it takes no notice."""

_current: ContextVar[Span | None] = ContextVar("span", default=None)


class _Tracing:
    """Whether this process traces; set once, when it starts."""

    exporter: Exporter | None = None


TRACING: Final = _Tracing()


def current() -> Span | None:
    """Give the span that goes on here."""
    return _current.get()


def begin(name: str, kind: SpanKind = "INTERNAL", above: Span | None = None) -> Span:
    """Begin something below `above`, or what goes on here; nothing, if nothing is traced."""
    above = above or _current.get()
    if above is None or above.exporter is None:
        return NOTHING
    root = above.root or above
    started = time.time_ns()
    return Span(name, kind, above.trace_id, "", above, root, above.exporter, started=started)


def enter(name: str, kind: SpanKind, parent: TraceContext | None, seed: str = "") -> Span:
    """Begin a piece of work in this process, which a message or a question has led to."""
    exporter = TRACING.exporter
    if exporter is None or parent is None:
        return NOTHING
    span = Span(name, kind, parent.trace_id, parent.span_id, None, None, exporter, seed)
    span.started, span.kept = time.time_ns(), parent.sampled
    return span


def arrive(name: str, kind: SpanKind, parent: TraceContext | None) -> Span:
    """Begin a piece of work at the system's edge: here it is decided whether it is sampled."""
    exporter = TRACING.exporter
    if exporter is None:
        return NOTHING
    if parent is None:
        drawn = _drawn(_TRACE_BITS + _SPAN_BITS)
        trace_id, above, own = drawn[:_TRACE_DIGITS], "", drawn[_TRACE_DIGITS:]
    else:
        trace_id, above, own = parent.trace_id, parent.span_id, ""
    span = Span(name, kind, trace_id, above, exporter=exporter, started=time.time_ns(), _id=own)
    span.kept = exporter.samples(trace_id, parent)
    return span


def linked(name: str, kind: SpanKind, links: Sequence[TraceContext]) -> Span:
    """Begin a trace of its own for work on several others; nothing, if none of them is sampled."""
    kept = [each for each in links if each.sampled]
    if not kept:
        return NOTHING
    span = enter(name, kind, TraceContext(_drawn(_TRACE_BITS), "", sampled=True))
    if span.is_recording:
        span.links = kept
    return span


def messaging(span: Span, operation: str, destination: str) -> Span:
    """Say what message a span is about."""
    if span.exporter is not None:
        span.message = (operation, destination)
    return span


def asking(subject: str) -> Span:
    """Begin a question to another service."""
    return _sending("CLIENT", subject)


def appending(kind: str) -> Span:
    """Begin to append an event of a turn."""
    return _sending("PRODUCER", names.event_of(kind))


def _sending(kind: SpanKind, subject: str) -> Span:
    above = _current.get()
    if above is None:
        return NOTHING
    span = Span(names.sent(subject), kind, above.trace_id, "", above, above.root or above)
    span.exporter, span.started, span.message = above.exporter, time.time_ns(), ("send", subject)
    return span


def error_type(error: Exception) -> str:
    """Name an error: by its code, as most of ours have one, else by its class."""
    about = getattr(error, "failure", error)
    code = getattr(about, "code", None)
    return code if isinstance(code, str) else type(error).__name__


def _drawn(bits: int) -> str:
    """Draw an id, which must be unique and may be guessed, as hexadecimal digits."""
    return f"{random.getrandbits(bits):0{bits // 4}x}"  # nosec B311 - no secret
