"""What was seen of a run, from every side; nothing in here judges."""

from typing import Literal

from msgspec import Struct, field

from chaos.oracle.prompts import JSON, Prompt
from turnwire_chassis.event_log import Recorded
from turnwire_contracts.events import AnyEvent, CancelRequested, Closed, Requested, TakenOver
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import Turn

Way = Literal["plain", "stream", "background"]


class Request(Struct):
    """One HTTP request of a client, and its answer. Times are Unix seconds."""

    what: str
    """`POST`, `GET`, `resume`, `cancel`."""
    at: float
    ended_at: float = 0.0
    status: int = 0
    """0: the connection broke before there was one."""
    code: str = ""
    """Of an error's envelope, or what broke the connection."""
    says_when: bool = False
    """Whether a refusal says when to try again, or that trying again is of no use."""


class SeenTurn(Struct):
    """One turn as its client saw it, over all its requests."""

    prompt: Prompt
    way: Way = "plain"
    key: str = ""
    """Its `Idempotency-Key`; without one the client asks only once."""
    previous: str = ""
    conversation: str = ""
    approves: bool | None = None
    """The turn answers a question for approval: yes or no. Its prompt is that of the question."""
    asks_approval: bool = False
    """Its tool needs approval, so the turn ends with a question."""
    stored: bool = True
    webhook: bool = False
    """It asks for its end to be told to the receiver of webhooks."""
    response_id: str = ""
    answer: JSON | None = None
    """The last response object that the client was given."""
    frames: list[bytes] = field(default_factory=list[bytes])
    done: bool = False
    """The client has its end: a finished object, an error of the turn, or `[DONE]`."""
    error: JSON | None = None
    """The refusal that ended it for the client."""
    cancelled: bool = False
    """The client asked for its end, or left."""
    gave_up: bool = False
    """It has no key, and its connection broke: it was told nothing and asks no more."""
    requests: list[Request] = field(default_factory=list[Request])

    @property
    def name(self) -> str:
        """What problems call it."""
        return f"{self.response_id or 'without id'} ({self.way}, word {self.prompt.word})"


class ToolCall(Struct, frozen=True):
    """A call as the tool's own server wrote it down on its disk, before it answered."""

    tool: str
    word: str
    at: float
    """Unix seconds."""


class BackendRequest(Struct, frozen=True):
    """The input of one request that the backend was sent."""

    items: list[JSON]


class ToldEnd(Struct, frozen=True):
    """An event that came to the receiver of webhooks, and that it took."""

    event_id: str
    type: str
    response_id: str


class Fault(Struct, frozen=True):
    """What was done to a process, and when it was whole again. Unix seconds."""

    process: str
    at: float
    until: float
    what: str = "killed"


class LoggedTurn(Struct, frozen=True):
    """All events of one turn, as the broker gives them."""

    response_id: str
    recorded: list[Recorded]

    @property
    def events(self) -> list[AnyEvent]:
        """The events without their places."""
        return [each.event for each in self.recorded]

    @property
    def request(self) -> Requested | None:
        """What was asked; `None` when it was erased."""
        return next((each for each in self.events if isinstance(each, Requested)), None)

    @property
    def closes(self) -> list[Closed]:
        """Its terminal events."""
        return [each for each in self.events if isinstance(each, Closed)]

    @property
    def takeovers(self) -> int:
        """How often another owner claimed it."""
        return sum(isinstance(each, TakenOver) for each in self.events)

    @property
    def is_cancelled(self) -> bool:
        """Whether its end was asked for."""
        return any(isinstance(each, CancelRequested) for each in self.events)

    def folded(self) -> Turn:
        """Its state; raises `ImpossibleEventError`."""
        return fold(self.events)


class Run(Struct):
    """A whole run."""

    seen: list[SeenTurn] = field(default_factory=list[SeenTurn])
    ledger: list[ToolCall] = field(default_factory=list[ToolCall])
    sent: list[BackendRequest] = field(default_factory=list[BackendRequest])
    ends: list[ToldEnd] = field(default_factory=list[ToldEnd])
    log: list[LoggedTurn] = field(default_factory=list[LoggedTurn])
    views: dict[str, JSON] = field(default_factory=dict[str, JSON])
    """By id: what `GET` said of each turn afterwards."""
    faults: list[Fault] = field(default_factory=list[Fault])
    passing: frozenset[str] = frozenset()
    """More codes with which turns may fail: the fault was one of what Turnwire calls."""

    @property
    def untold(self) -> list[SeenTurn]:
        """The turns that name a webhook which was not told of them.

        The client of a turn whose answer was lost has no id of it; its end is one of those that no
        client knows.
        """
        told = {end.response_id for end in self.ends}
        asked = [seen for seen in self.seen if seen.webhook]
        missing = [seen for seen in asked if seen.response_id and seen.response_id not in told]
        nameless = [
            seen
            for seen in asked
            if not seen.response_id and (seen.error or {}).get("code") == "answer_lost"
        ]
        others = told - {seen.response_id for seen in self.seen}
        return [*missing, *nameless[len(others) :]]

    def turn(self, response_id: str) -> LoggedTurn | None:
        """Find a turn in the log."""
        return next((each for each in self.log if each.response_id == response_id), None)
