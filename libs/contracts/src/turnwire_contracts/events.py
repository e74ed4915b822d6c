"""The facts about a turn: the events that `TURNS` holds, one kind per subject.

The kind stands in the subject (`turn.<tenant>.<response_id>.<kind>`), the facts in a JSON body.
Fields are added with defaults; any other change is a new version and an upcaster (`codec.py`).
"""

from typing import Any, Literal

from msgspec import Struct

from turnwire_contracts.ids import OwnerId, ResponseId, TenantId

Item = dict[str, Any]
"""One item as the Responses API writes it."""

Status = Literal["completed", "incomplete", "failed", "cancelled"]
"""OpenAI: the states in which a response is finished."""


class Failure(Struct, frozen=True, omit_defaults=True):
    """Why a turn failed, in the words of OpenAI's error envelope."""

    http_status: int
    """What a client that waits for the plain answer gets."""
    type: str
    code: str
    message: str
    param: str | None = None
    violations: list[dict[str, Any]] | None = None
    """Which checks of the guard refused: `{category, provider, stage, step, reason?}`."""


class Usage(Struct, frozen=True, omit_defaults=True):
    """Tokens that a turn cost, summed over its samples."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class TurnEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event says about itself."""

    v: int
    """The schema version of this kind of event."""
    tenant: TenantId
    response_id: ResponseId
    at: int
    """When it happened: Unix time in milliseconds."""
    cause: str
    """The id of what led to it: a request's `x-request-id`, or `<stream sequence>` of an event."""


class Requested(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A client asked for a response; from here on the turn exists."""

    owner: OwnerId
    model: str
    input: list[Item]
    """The new items of this turn only, each with a `type`."""
    instructions: str | None = None
    """As the client gave them: `None` inherits, `""` clears."""
    previous_response_id: ResponseId | None = None
    params: dict[str, Any] = {}
    """Every other field that the client set, by its public name."""
    stream: bool = False
    store: bool = True
    screen: bool = False
    """Whether the guard must pass the input before the model is asked."""


class Screened(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The guard has judged the input; without violations it may pass."""

    violations: list[dict[str, Any]] = []


class TakenOver(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Another orchestrator claimed the turn; what clients had seen of the lost sample stays."""

    abandoned: list[Item] = []
    """Items of the lost sample that were published: kept for the client, never sent to a model."""
    cuts: list[list[str]] = []
    """Where the deltas of `abandoned` were cut (`cuts.py`)."""


class CancelRequested(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody no longer wants the turn: its client left, or asked for the end."""

    reason: Literal["client_left", "asked"]


class Closed(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The turn has ended; nothing follows that changes its content."""

    status: Status
    output: list[Item] = []
    """The items of the last sample; what was abandoned before stands in `TakenOver`."""
    cuts: list[list[str]] = []
    """Where the deltas of `output` were cut; empty if nobody could have watched."""
    usage: Usage | None = None
    instructions: str | None = None
    """What the model was told, where the client did not say it in this very request."""
    incomplete_reason: str | None = None
    failure: Failure | None = None
    stored: bool = True
    """False: `store: false`, so neither this event nor any other keeps the content."""
    fields: dict[str, Any] = {}
    """What the backend decided about echoed fields (`service_tier`)."""


AnyEvent = Requested | Screened | TakenOver | CancelRequested | Closed

KINDS: dict[str, type[AnyEvent]] = {
    "requested": Requested,
    "screened": Screened,
    "taken_over": TakenOver,
    "cancel_requested": CancelRequested,
    "closed": Closed,
}
"""The last word of the subject, and what the body then says."""

VERSIONS: dict[str, int] = dict.fromkeys(KINDS, 1)
"""The version that is written today; older ones are read through an upcaster."""

_NAMES = {event: kind for kind, event in KINDS.items()}


def kind_of(event: AnyEvent) -> str:
    """Name the kind of an event: the last word of its subject."""
    return _NAMES[type(event)]
