"""The facts about a turn: the events that `TURNS` holds, one kind per subject.

The kind stands in the subject (`turn.<tenant>.<response_id>.<kind>`), the facts in a JSON body.
Fields are added with defaults; any other change is a new version and an upcaster (`codec.py`).
"""

from typing import Any, Literal

from msgspec import Struct

from turnwire_contracts.event_values import ForkPoint, SampleRecord
from turnwire_contracts.ids import ConversationId, ItemId, OwnerId, ResponseId, TenantId, TurnKey

Item = dict[str, Any]
"""One item as the Responses API writes it."""

Run = tuple[int, int]
"""An item, by its place among the items, and how many steps of it were told in one go: its opening,
the openings of its parts, each delta, the ends of its parts, its end."""

OutputCheck = Literal["unchecked", "held", "at_end"]
"""`held`: nothing is shown before it is checked, sentence by sentence; `at_end`: it is shown as it
comes and checked when it is whole."""

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
    retry_after_s: int | None = None
    """In how many seconds it may go better; `None`: it is not known."""


class TurnUsage(Struct, frozen=True, omit_defaults=True):
    """Tokens that a turn cost, summed over its samples."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class TurnEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of every event of a turn."""

    v: int
    """The schema version of this kind of event."""
    tenant: TenantId
    response_id: ResponseId
    at: int
    """When it happened: Unix time in milliseconds."""
    cause: str
    """The id of what led to it: a request's `x-request-id`, or `<stream sequence>` of an event."""

    @property
    def turn_key(self) -> TurnKey:
        """The key of the turn that it is about."""
        return TurnKey(self.tenant, self.response_id)


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
    """Whether the guard judges the turn: what it is asked, told by tools, and answers."""
    screened: OutputCheck | None = None
    """Set if the input passed before it was requested: how the output is to be checked."""
    application: str | None = None
    """Whose policy the guard judges by (`x-application-id`); `None`: the default."""
    background: bool = False
    """No client waits: the turn has its own lane and deadline, and needs no reader."""
    conversation: ConversationId | None = None
    """The conversation that the turn was made in; the turn before it is `previous_response_id`."""
    continues: ResponseId | None = None
    """The unstored response that the client named; its items travel in `input`."""
    compact: bool = False
    """The model is to summarise what was said, not to answer it."""
    obfuscate: bool = False
    """Whether deltas are padded, so that their sizes tell nothing."""
    seals: dict[str, str] = {}
    """By `server_label`: credentials for an MCP server, sealed (`secret_envelope.py`)."""
    fingerprint: str | None = None
    """What a repeated `Idempotency-Key` must match: a hash of the request's body."""
    traceparent: str | None = None
    """W3C Trace Context: the trace that all work on the turn belongs to, however late."""
    metered: list[str] = []
    """Whose limits must hear of the turn's end: `tenant`, and `key:<id>` of an API key."""
    queue_level: int = 0
    """The queue that it waits in, by how many of its tenant's turns were on their way."""
    forked_from: ForkPoint | None = None
    """Set if it continues another turn from one of that turn's events."""
    rerun_of: ResponseId | None = None
    """The response whose request it repeats."""

    @property
    def own_input(self) -> list[Item]:
        """The items of `input` without the rounds of a turn that it was forked from."""
        return self.input[: len(self.input) - len(self.earlier_rounds)]

    @property
    def earlier_rounds(self) -> list[Item]:
        """The rounds of tools, at the end of `input`, of a turn that it was forked from."""
        rounds = self.forked_from.rounds if self.forked_from else 0
        return self.input[-rounds:] if rounds else []

    @property
    def from_log(self) -> list[Item]:
        """Input items whose listings of MCP servers are true: the gateway read them in the log."""
        return self.input if self.forked_from else []

    @property
    def watched(self) -> bool:
        """Whether frames are written: a client watches, or may come to watch."""
        return self.stream or self.background


class Started(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A background turn left the queue."""


class ItemsAdded(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A client put items into a conversation without asking a model."""

    owner: OwnerId
    conversation: ConversationId
    input: list[Item]
    previous_response_id: ResponseId | None = None


class Screened(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The guard has judged the input; without violations it may pass."""

    violations: list[dict[str, Any]] = []
    output: OutputCheck = "unchecked"
    """How the output is to be checked, by the policy of that moment."""


class ToolsListed(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """What MCP servers offer is known, and which approved calls come first."""

    items: list[Item] = []
    """`mcp_list_tools` of servers that the history did not know, then `mcp_call`s to be made."""


class Sampled(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The model asked for tools that are run here; it is asked again with what they answer."""

    output: list[Item]
    """The items of the sample; its `mcp_call`s have no end yet."""
    cuts: list[list[str]] = []
    usage: TurnUsage | None = None
    instructions: str | None = None
    """What the model was told, where the client did not say it in this very request."""
    runs: list[Run] = []
    """In which order items of `output` were told that were not told one after another."""
    server: str | None = None
    """Which inference server said it, by the operator's name for it."""
    sample: SampleRecord | None = None
    """How the model was asked."""


class ToolCalled(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Calls are about to be made: from here on it is not certain that they were not."""

    item_ids: list[ItemId]


class ToolReturned(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A call has ended, well or not."""

    item_id: ItemId
    output: str | None = None
    error: dict[str, Any] | None = None
    """OpenAI: `mcp_call.error`."""


class TakenOver(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Another orchestrator claimed the turn; what clients had seen of the lost sample stays."""

    abandoned: list[Item] = []
    """Items of the lost sample that were published: kept for the client, never sent to a model."""
    cuts: list[list[str]] = []
    """Where the deltas of `abandoned` were cut (`cuts.py`)."""
    runs: list[Run] = []
    """In which order items of `abandoned` were told that were not told one after another."""


class CancelRequested(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The turn is no longer wanted: its client left, or asked for the end."""

    reason: Literal["client_left", "asked"]


class Closed(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The turn has ended; nothing follows that changes its content."""

    status: Status
    output: list[Item] = []
    """The items of the last sample; those before stand in `Sampled` and `TakenOver`."""
    cuts: list[list[str]] = []
    """Where the deltas of `output` were cut; empty if no frames were written."""
    usage: TurnUsage | None = None
    instructions: str | None = None
    """What the model was told, where the client did not say it in this very request."""
    incomplete_reason: str | None = None
    failure: Failure | None = None
    stored: bool = True
    """False: `store: false`, so neither this event nor any other keeps the content."""
    violations: list[dict[str, Any]] = []
    """What the guard found in the output (`incomplete_reason`: `content_filter`)."""
    withheld: bool = False
    """The output had been shown before the guard blocked it, or could not judge it: `output` has
    its shape and nothing of its text, and no model is shown it."""
    fields: dict[str, Any] = {}
    """What the backend decided about echoed fields (`service_tier`)."""
    runs: list[Run] = []
    """In which order items of `output` were told that were not told one after another."""
    server: str | None = None
    """Which inference server gave the last sample, by the operator's name for it; `None`: none was
    asked, or none accepted."""
    sample: SampleRecord | None = None
    """How the model was asked for `output`; `None`: it was not."""


class Deleted(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The turn was deleted; it can be restored."""

    with_conversation: bool = False
    """It went with its conversation, and comes back with it."""


class Restored(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A turn that was deleted was restored."""


class ItemRemoved(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An item was taken out of its conversation: later turns do not know of it."""

    item_id: ItemId


class Purged(TurnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The content of the turn is removed for ever; every other event of it is erased."""

    previous_response_id: ResponseId | None = None
    """What it continued, so that those behind it can still be continued."""


TurnUpdate = Deleted | Restored | ItemRemoved
"""What changes a turn after its end and leaves it there."""

TurnChange = TurnUpdate | Purged
"""All that changes a turn after its end; a service that remembers turns must hear of it."""

AnyEvent = (
    Requested
    | Started
    | ItemsAdded
    | Screened
    | ToolsListed
    | Sampled
    | ToolCalled
    | ToolReturned
    | TakenOver
    | CancelRequested
    | Closed
    | TurnChange
)
"""Every event of a turn; `event_kinds.py` has a row for each."""
