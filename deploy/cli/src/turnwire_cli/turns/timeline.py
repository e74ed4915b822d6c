"""A turn's timeline as its events tell it: what happened when, who worked on it, how it ended.

Pure: events in, facts out. The kinds of events are those of `turnwire_contracts.events`; one of a
newer server, which is not known here, does not come so far (`timeline_reader`).
"""

from collections.abc import Iterable
from typing import Any, assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from turnwire_contracts.events import (
    AnyEvent,
    CancelRequested,
    Closed,
    Deleted,
    Item,
    ItemRemoved,
    ItemsAdded,
    Purged,
    Requested,
    Restored,
    Sampled,
    Screened,
    Started,
    TakenOver,
    ToolCalled,
    ToolReturned,
    ToolsListed,
)


class ToolCallEntry(Struct, frozen=True, kw_only=True):
    """One call of a tool that Turnwire ran."""

    item_id: str
    name: str
    server: str
    called_at: float | None = None
    duration_s: float | None = None
    outcome: str = "not called"
    """`ok`, `failed`, `running`, `not called`; a takeover leaves one `running` that never ends."""


class TakeoverEntry(Struct, frozen=True, kw_only=True):
    """An orchestrator took the turn over from one that was lost."""

    at: float
    by: str
    """The claim of the new owner: its process, and how often the turn was handed out."""
    silent_s: float
    """How long the log had nothing before it: no event tells when the owner died."""
    abandoned_items: int
    shown_characters: int
    """How much text of the lost sample clients had seen; it stays in the answer."""


class TurnEnd(Struct, frozen=True, kw_only=True):
    """How a turn ended, and why."""

    at: float
    status: str
    code: str = ""
    """The code of a failure, or the reason of an incomplete answer."""
    message: str = ""


class TurnTimeline(Struct, frozen=True, kw_only=True):
    """What is known of a turn after some of its events."""

    response_id: str
    requested_at: float | None = None
    last_at: float | None = None
    model: str = ""
    background: bool = False
    request_id: str = ""
    samples: int = 0
    """How often the model was asked and its answer is in the log."""
    backends: tuple[str, ...] = ()
    """Which inference servers answered, in this order; where the log says so."""
    takeovers: tuple[TakeoverEntry, ...] = ()
    tools: dict[str, ToolCallEntry] = field(default_factory=dict[str, ToolCallEntry])
    cancel: str = ""
    """Who asked for its end: `client_left` or `asked`."""
    usage: dict[str, int] = field(default_factory=dict[str, int])
    end: TurnEnd | None = None

    @property
    def status(self) -> str:
        """How the turn stands, in the words of a response's `status`."""
        if self.end is not None:
            return self.end.status
        return "in_progress" if self.requested_at is not None else "unknown"

    @property
    def duration_s(self) -> float | None:
        """From the request to the end; of a turn that has none, to the last event."""
        if self.requested_at is None or self.last_at is None:
            return None
        return (self.end.at if self.end else self.last_at) - self.requested_at


def advance(timeline: TurnTimeline, event: AnyEvent) -> TurnTimeline:
    """Give what is known after an event."""
    at = event.at / 1000
    return replace(_after(timeline, event, at), last_at=at)


def _after(  # noqa: C901, PLR0911 -- one case for each event
    timeline: TurnTimeline, event: AnyEvent, at: float
) -> TurnTimeline:
    match event:
        case Requested():
            return replace(
                timeline,
                requested_at=at,
                model=event.model,
                background=event.background,
                request_id=event.cause,
            )
        case ToolsListed():
            return replace(timeline, tools=timeline.tools | calls_of(event.items))
        case Sampled():
            answered = _sampled(timeline, event.server)
            return replace(answered, tools=timeline.tools | calls_of(event.output))
        case ToolCalled():
            called = {each: tool_of(timeline, each, called_at=at) for each in event.item_ids}
            return replace(timeline, tools=timeline.tools | called)
        case ToolReturned():
            return replace(
                timeline, tools=timeline.tools | {event.item_id: returned(timeline, event, at)}
            )
        case TakenOver():
            return replace(
                timeline, takeovers=(*timeline.takeovers, takeover_of(timeline, event, at))
            )
        case CancelRequested():
            return replace(timeline, cancel=event.reason)
        case Closed():
            usage = {} if event.usage is None else _counts(event.usage)
            return replace(_sampled(timeline, event.server), usage=usage, end=end_of(event, at))
        case ItemsAdded():
            added = TurnEnd(at=at, status="completed", message="items put into a conversation")
            return replace(timeline, requested_at=at, end=added)
        case Purged():
            gone = TurnEnd(at=at, status="purged", message="its content is removed for ever")
            return replace(timeline, end=gone)
        case Started() | Screened() | Deleted() | Restored() | ItemRemoved():
            return timeline
        case _:
            assert_never(event)


def _sampled(timeline: TurnTimeline, backend: str | None) -> TurnTimeline:
    """Count a sample; a server that answers again is told once."""
    new = () if backend is None or backend in timeline.backends else (backend,)
    return replace(timeline, samples=timeline.samples + 1, backends=(*timeline.backends, *new))


def end_of(event: Closed, at: float) -> TurnEnd:
    """Say how a turn ended, and why; `at` in Unix seconds."""
    failure = event.failure
    return TurnEnd(
        at=at,
        status=event.status,
        code=(failure.code if failure else event.incomplete_reason) or "",
        message=failure.message if failure else "",
    )


def takeover_of(timeline: TurnTimeline, event: TakenOver, at: float) -> TakeoverEntry:
    """Say who took a turn over, and what became of the lost sample; `at` in Unix seconds."""
    return TakeoverEntry(
        at=at,
        by=event.cause,
        silent_s=at - (timeline.last_at if timeline.last_at is not None else at),
        abandoned_items=len(event.abandoned),
        shown_characters=sum(map(_characters, event.abandoned)),
    )


def _characters(item: Item) -> int:
    parts: list[Item] = item.get("content") or []
    return sum(len(part.get("text", "")) for part in parts)


def calls_of(items: Iterable[Item]) -> dict[str, ToolCallEntry]:
    """Give the calls among items that Turnwire makes, by their ids."""
    return {
        item["id"]: ToolCallEntry(
            item_id=item["id"], name=item.get("name", "?"), server=item.get("server_label", "")
        )
        for item in items
        if item.get("type") == "mcp_call"
    }


def tool_of(
    timeline: TurnTimeline, item_id: str, *, called_at: float | None = None
) -> ToolCallEntry:
    """Give what is known of a call; with `called_at`, in Unix seconds, as one that runs since."""
    known = timeline.tools.get(item_id) or ToolCallEntry(item_id=item_id, name="?", server="")
    if called_at is None:
        return known
    return replace(known, called_at=called_at, outcome="running")


def returned(timeline: TurnTimeline, event: ToolReturned, at: float) -> ToolCallEntry:
    """Give a call as it is once its answer is there; `at` in Unix seconds."""
    known = tool_of(timeline, event.item_id)
    took = None if known.called_at is None else at - known.called_at
    return replace(known, duration_s=took, outcome="ok" if event.error is None else "failed")


def _counts(usage: Any) -> dict[str, int]:
    return {name: getattr(usage, name) for name in usage.__struct_fields__}
