"""The question which responses there are, by filters, and its answer: summaries without content."""

from typing import Literal

from msgspec import Struct

from turnwire_contracts import subjects
from turnwire_contracts.events import Status
from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId
from turnwire_contracts.queries import Query, Question, Refusal

GuardOutcome = Literal["none", "passed", "blocked"]
"""`none`: the guard did not judge the turn; `blocked`: it held back or withheld output."""

ListedStatus = Literal["queued", "in_progress"] | Status
"""OpenAI: the states of a response."""


class ResponseFilters(Struct, frozen=True, omit_defaults=True):
    """What a response must be to be listed; `None` asks for nothing."""

    status: ListedStatus | None = None
    model: str | None = None
    application: str | None = None
    conversation: ConversationId | None = None
    tool: str | None = None
    """The name of a tool that the model called."""
    guard: GuardOutcome | None = None
    error_code: str | None = None
    created_from: int | None = None
    """Unix time in milliseconds, as `created_to`; both ends are included."""
    created_to: int | None = None
    background: bool | None = None


class AskForResponses(Question, frozen=True):
    """Which responses a user has."""

    tenant: TenantId
    owner: OwnerId | None
    """`None`: of all users."""
    limit: int
    after: ResponseId | None = None
    newest_first: bool = True
    filters: ResponseFilters = ResponseFilters()
    search: str | None = None
    """Only those whose text has these words, in any case; content is read for that."""


class ResponseSummary(Struct, frozen=True, omit_defaults=True):
    """What a list says of a response."""

    response_id: ResponseId
    owner: OwnerId
    status: ListedStatus
    model: str
    created_at: int
    """Unix time in milliseconds, as `closed_at`."""
    closed_at: int | None = None
    parent: ResponseId | None = None
    conversation: ConversationId | None = None
    application: str | None = None
    background: bool = False
    tools: list[str] = []
    """The names of the tools that the model called."""
    guard: GuardOutcome = "none"
    error_code: str | None = None
    incomplete_reason: str | None = None
    input_tokens: int | None = None
    """`None`, as `output_tokens`: the backend did not say."""
    output_tokens: int | None = None


class Scan(Struct, frozen=True):
    """How far a list came that had to look at responses one by one."""

    scanned: int
    complete: bool
    """Whether nothing is left to look at."""
    last_scanned: ResponseId | None = None
    """What the next page goes on after."""


class Responses(Struct, frozen=True, tag=True):
    """A page of responses, in the order in which they were requested."""

    responses: list[ResponseSummary]
    has_more: bool = False
    scan: Scan | None = None
    """Only of a search, or where filters had to be compared for too many."""


class UnknownAfter(Struct, frozen=True, tag=True):
    """There is no response of the caller to go on after."""


STORE_RESPONSES: Query[AskForResponses, Responses | UnknownAfter | Refusal] = Query(
    subjects.STORE_RESPONSES,
    subjects.STORE_QUEUE,
    AskForResponses,
    Responses | UnknownAfter | Refusal,
)
