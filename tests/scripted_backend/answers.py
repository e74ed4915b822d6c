"""What a test tells the backend to answer, as values; `verbs` makes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Literal, Self

Dialect = Literal["openai", "llamacpp", "vllm", "ollama", "sglang"]
ErrorShape = Literal["response.failed", "error", "bare"]


class Ending(Enum):
    """What happens on the connection after the last byte of an answer."""

    END = auto()
    """The body ends as HTTP says; the connection lives on."""
    CLOSE = auto()
    """The connection is closed, a chunked body without its last chunk."""
    RESET = auto()
    """The connection is reset (RST)."""
    HANG = auto()
    """Nothing more, ever."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an answer breaks off: after so many deltas; None: just before its terminal event."""

    after: int | None
    ending: Ending


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the bytes of an answer leave. Delays are in seconds, pauses in deltas sent."""

    first_delay: float = 0.0
    delay: float = 0.0
    burst: int = 1
    pauses: frozenset[int] = frozenset()
    split: tuple[int, ...] = ()
    crlf: bool = False
    comments: bool = False
    stop: Stop | None = None


PLAIN = Delivery()
"""At once, in one write for each event, to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Anything that can be scripted. Each method gives a changed copy."""

    delivery: Delivery = PLAIN

    def slowed(self, *, first: float = 0.0, each: float = 0.0) -> Self:
        """Wait `first` seconds before the first delta and `each` before every other."""
        return self._delivered(first_delay=first, delay=each)

    def in_bursts(self, of: int) -> Self:
        """Write `of` deltas at a time."""
        return self._delivered(burst=of)

    def paused(self, after: int) -> Self:
        """Hold after so many deltas until `backend.release()`; 0 holds before the first."""
        return self._delivered(pauses=self.delivery.pauses | {after})

    def split_every(self, *sizes: int) -> Self:
        """Cut the bytes at arbitrary borders: chunks of these sizes, over and over."""
        return self._delivered(split=sizes)

    def with_crlf(self) -> Self:
        """End each line of the stream with CR LF."""
        return self._delivered(crlf=True)

    def with_comments(self) -> Self:
        """Put a keep-alive comment before each event."""
        return self._delivered(comments=True)

    def cut(self, after: int | None = None, *, clean: bool = True) -> Self:
        """End without a terminal event; not `clean`: close in the middle of the HTTP body."""
        return self._delivered(stop=Stop(after, Ending.END if clean else Ending.CLOSE))

    def reset(self, after: int | None = None) -> Self:
        """Reset the connection after so many deltas."""
        return self._delivered(stop=Stop(after, Ending.RESET))

    def hung(self, after: int | None = None) -> Self:
        """Fall silent after so many deltas and keep the connection open."""
        return self._delivered(stop=Stop(after, Ending.HANG))

    def _delivered(self, **changes: Any) -> Self:
        return replace(self, delivery=replace(self.delivery, **changes))


@dataclass(frozen=True, slots=True)
class Text:
    """A part of a message, one delta event for each string."""

    deltas: tuple[str, ...]
    annotations: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusing part of a message."""

    deltas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """An assistant message."""

    parts: tuple[Text | Refusal, ...]


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call of a function tool; the deltas together are its JSON arguments."""

    name: str
    deltas: tuple[str, ...]
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A reasoning item: raw text, a summary, or both."""

    deltas: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    encrypted_content: str | None = None


Item = Message | FunctionCall | Reasoning


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer is whole."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The answer was truncated."""

    reason: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """An error ends the stream after so many deltas; None: after all of them."""

    after: int | None
    shape: ErrorShape
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Usage:
    """The token counts that a reply reports."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Answer):
    """A model's answer. `dialect` None: the one that the backend speaks."""

    items: tuple[Item, ...]
    outcome: Completed | Incomplete | Interrupted = Completed()
    usage: Usage | None = None
    dialect: Dialect | None = None

    def __add__(self, other: "Reply") -> "Reply":
        """Both replies' items in one reply, delivered as the first one says."""
        return replace(self, items=self.items + other.items)

    def incomplete(self, reason: str = "max_output_tokens") -> "Reply":
        """Say that the answer was truncated, in the way of the dialect."""
        return replace(self, outcome=Incomplete(reason))

    def broken(
        self,
        after: int | None = None,
        *,
        by: ErrorShape = "response.failed",
        code: str = "server_error",
        message: str = "the model broke down",
    ) -> "Reply":
        """End with an error in mid-stream, said in one of the three shapes backends use."""
        return replace(self, outcome=Interrupted(after, by, code, message))

    def using(self, usage: Usage) -> "Reply":
        """Report these token counts."""
        return replace(self, usage=usage)

    def speaking(self, dialect: Dialect) -> "Reply":
        """Say the same in another backend's dialect."""
        return replace(self, dialect=dialect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Answer):
    """Exactly these events: a mapping is encoded, bytes go out as they are."""

    events: tuple[Mapping[str, Any] | bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpError(Answer):
    """An HTTP status with a body instead of an answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(Answer):
    """No answer: nothing at all, or nothing after the headers."""

    headers: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RawHttp(Answer):
    """Exactly these bytes on the socket, status line and all, and then a close."""

    pieces: tuple[bytes, ...]
