"""What can be decided about a turn; each command brings the time and the outside facts with it."""

from typing import Any

from msgspec import Struct

from turnwire_contracts.event_values import SampleRecord
from turnwire_contracts.events import Failure, Item, OutputCheck, Run, Status, TurnUsage
from turnwire_contracts.ids import ItemId


class Start(Struct, frozen=True):
    """Record that a background turn left the queue."""

    at: int


class RecordVerdict(Struct, frozen=True):
    """Record what the guard says."""

    at: int
    violations: list[dict[str, Any]]
    output: OutputCheck = "unchecked"


class Prepare(Struct, frozen=True):
    """Record what MCP servers offer, and the approved calls that come first."""

    at: int
    items: list[Item]


class StartCalls(Struct, frozen=True):
    """Record that calls leave now."""

    at: int
    item_ids: list[ItemId]


class Return(Struct, frozen=True):
    """Record how a call ended."""

    at: int
    item_id: ItemId
    output: str | None = None
    error: dict[str, Any] | None = None


class Finish(Struct, frozen=True):
    """Record the model's answer."""

    at: int
    status: Status
    items: list[Item]
    cuts: list[list[str]]
    instructions: str | None = None
    """What the model was told."""
    usage: TurnUsage | None = None
    incomplete_reason: str | None = None
    failure: Failure | None = None
    violations: list[dict[str, Any]] = []
    """What the guard found in it."""
    withheld: bool = False
    """Whether `items` were shown and then blocked: they come without their text."""
    fields: dict[str, Any] = {}
    runs: list[Run] = []
    server: str | None = None
    """Which inference server answered."""
    sample: SampleRecord | None = None
    """How the model was asked."""


class Fail(Struct, frozen=True):
    """Close the turn without an answer."""

    at: int
    failure: Failure
    keep_content: bool = True
    """False: not even the input may stay in the log (what the guard blocked)."""
    instructions: str | None = None
    """What the stream was opened with."""


class Cancel(Struct, frozen=True):
    """Close the turn because it was cancelled."""

    at: int
    instructions: str | None = None
    """What the stream was opened with."""


class TakeOver(Struct, frozen=True):
    """Claim a turn whose owner was lost."""

    at: int
    claim: str
    """Names the new owner; no other owner of any turn has the same."""
    abandoned: list[Item]
    cuts: list[list[str]]
    runs: list[Run] = []


Command = Start | RecordVerdict | Prepare | StartCalls | Return | Finish | Fail | Cancel | TakeOver
