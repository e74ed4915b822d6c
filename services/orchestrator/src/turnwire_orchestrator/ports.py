"""What driving a turn needs from outside, each named by its role."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.output_log import OutputLog
from turnwire_chassis.request_reply.verdicts import ReadPriorMessages
from turnwire_contracts.events import Failure, Status, TurnUsage
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId, TurnKey
from turnwire_contracts.json_values import JSON
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_contracts.queries import AskForCheck, Refusal, Verdict
from turnwire_contracts.tools import AskForCall, AskForTools, Called, Tools
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.webhooks.delivery import WebhookDelivery
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator.failures import Overflow
from turnwire_orchestrator.prompting.history import HistoryTurn
from turnwire_orchestrator.prompting.prompt import Prompt


class SampleOutcome(Struct, frozen=True):
    """How the backend ended its answer."""

    status: Status
    usage: TurnUsage | None = None
    incomplete_reason: str | None = None
    failure: Failure | None = None
    fields: JSON = {}
    overflow: Overflow | None = None
    """Set when the prompt was too long."""


class StreamReader(Protocol):
    """Understands what one API streams."""

    @property
    def outcome(self) -> SampleOutcome | None:
        """How the backend ended its answer, once it has said so."""
        ...

    def take(self, data: bytes) -> None:
        """Take the data of one event; raises `ValueError` when it makes no sense."""
        ...

    def end(self) -> SampleOutcome:
        """Give the outcome once the stream is over."""
        ...

    def stop(self) -> None:
        """Tell what waits, of an answer that was given up."""
        ...


def _ignore_read(events: int) -> None:
    """Take no notice."""
    del events


class SentPrompt(Struct, frozen=True):
    """What a backend was sent."""

    api: str
    dialect: str
    body: bytes


class BackendStream(Struct, frozen=True):
    """A backend in the middle of its answer."""

    reads: AsyncIterator[list[bytes]]
    """For each read from the connection, the data of the events that it completed."""
    reader: Callable[[Assembler], StreamReader]
    """Makes what understands them, and tells an assembler."""
    on_read: Callable[[int], None] = _ignore_read
    """Is told of each read, how many events it completed."""
    server: str | None = None
    """Who answers, by the operator's name for it."""
    has_others: bool = False
    """Whether another server could be asked instead."""
    sent: SentPrompt | None = None


class Backend(Protocol):
    """The inference servers, as one."""

    def sample(self, prompt: Prompt) -> AbstractAsyncContextManager[BackendStream]:
        """Ask the model; entering waits until a backend has accepted.

        One that does not accept is replaced by another that serves the model, where there is one.
        Leaving closes the connection, which stops the generation.
        Raises `TurnFailedError`, on entering and on every read.
        """
        ...


class Histories(Protocol):
    """The turns that a response descends from."""

    async def past(
        self, tenant: TenantId, response_id: ResponseId, reader: OwnerId | None
    ) -> HistoryTurn:
        """Give a turn of `reader` that has ended, with all before it; `None`: of any user.

        Raises `TurnFailedError` when there is none, when it still runs, or when the store does not
        answer.
        """
        ...

    def remember(self, turn: ClosedTurn, parent: HistoryTurn | None) -> None:
        """Keep a turn that has just ended, for the one that continues it."""
        ...

    def forget(self) -> None:
        """Trust nothing that was read before: a turn that had ended was changed."""
        ...


class Guard(Protocol):
    """Judges content."""

    async def check(self, question: AskForCheck, earlier: ReadPriorMessages) -> Verdict:
        """Judge; `earlier` gives what was said before, if the guard wants to know.

        Raises `TurnFailedError` when there is no verdict: a check is never skipped.
        """
        ...


class ToolProvider(Protocol):
    """MCP servers, by way of a tool-runner."""

    async def tools(self, question: AskForTools) -> Tools:
        """Give what a server offers; raises `TurnFailedError`."""
        ...

    async def call(self, question: AskForCall) -> Called | Refusal | None:
        """Have a tool called; `None` when it is not known whether it was.

        Being cancelled cancels the call.
        """
        ...


class UsagePublisher(Protocol):
    """Counts what tenants use."""

    async def ended(self, notice: TurnEnded) -> None:
        """Hear of the end of a metered turn; it may get lost, and nothing waits for it."""
        ...


class Webhooks(Protocol):
    """What tells receivers of the ends of turns."""

    async def put(self, deliveries: Iterable[WebhookDelivery]) -> None:
        """Keep events until they are delivered; twice is the same as once.

        Raises `LogUnavailableError`.
        """
        ...


class Owners(Protocol):
    """All orchestrators."""

    async def is_running(self, turn: TurnKey) -> bool:
        """Tell whether one of them works on a turn now; one that does not answer does not."""
        ...


class TurnPolicy(Struct, frozen=True):
    """What the operator decided."""

    default_instructions: str | None
    inherit_instructions: bool
    turn_timeout_s: float
    background_timeout_s: float
    max_queue_s: float = 10.0
    """Seconds that a foreground turn may wait for a place."""
    most_rounds: int = 32
    """How often the model is asked again with what tools answered."""
    calls_at_once: int = 8
    """Calls of one turn that run side by side."""
    guarded: bool = False
    """Whether every turn is judged, also those whose gateway does not ask for it."""
    call_timeout_s: float = 60.0
    """Seconds that a call may be silent."""
    trace_content: bool = False
    """Whether spans say what was said."""


class TurnRunnerPorts(Struct, frozen=True):
    """Everything outside that driving a turn touches."""

    log: EventLog
    output: OutputLog
    backend: Backend
    histories: Histories
    guard: Guard
    tools: ToolProvider
    usage_publisher: UsagePublisher
    webhooks: Webhooks
    owners: Owners
    policy: TurnPolicy
    now_ms: Callable[[], int]
    """The Unix time in milliseconds."""
    claim: str
    """Names this process among all orchestrators there ever were."""
