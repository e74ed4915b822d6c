"""A turn's life as its events tell it: what happened when, who worked on it, how it ended.

Pure: events in, facts out. The kinds of events are those of `turnwire_contracts.events`; one that
is not known here, of a newer server, is told by its name.
"""

from collections.abc import Iterable
from typing import Any, assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from turnwire_cli.times import lasted
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


class ToolStory(Struct, frozen=True, kw_only=True):
    """One call of a tool that Turnwire ran."""

    item_id: str
    name: str
    server: str
    called_at: float | None = None
    duration_s: float | None = None
    outcome: str = "not called"
    """`ok`, `failed`, `running`, `not called`; a takeover leaves one `running` that never ends."""


class TakeoverStory(Struct, frozen=True, kw_only=True):
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


class EventLine(Struct, frozen=True, kw_only=True):
    """One event, told in a line."""

    sequence: int
    type: str
    at: float
    after_s: float
    """Seconds since the event before it."""
    text: str


class TurnStory(Struct, frozen=True, kw_only=True):
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
    takeovers: tuple[TakeoverStory, ...] = ()
    tools: dict[str, ToolStory] = field(default_factory=dict[str, ToolStory])
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


def advance(
    story: TurnStory, sequence: int, event: AnyEvent, kind: str
) -> tuple[TurnStory, EventLine]:
    """Give what is known after an event, and the event in a line."""
    at = event.at / 1000
    after_s = 0.0 if story.last_at is None else at - story.last_at
    line = EventLine(sequence=sequence, type=kind, at=at, after_s=after_s, text=_text(story, event))
    return replace(_after(story, event, at), last_at=at), line


def _after(  # noqa: C901, PLR0911 -- one case for each event
    story: TurnStory, event: AnyEvent, at: float
) -> TurnStory:
    match event:
        case Requested():
            return replace(
                story,
                requested_at=at,
                model=event.model,
                background=event.background,
                request_id=event.cause,
            )
        case ToolsListed():
            return replace(story, tools=story.tools | _calls(event.items))
        case Sampled():
            answered = _sampled(story, event.server)
            return replace(answered, tools=story.tools | _calls(event.output))
        case ToolCalled():
            called = {each: _tool(story, each, called_at=at) for each in event.item_ids}
            return replace(story, tools=story.tools | called)
        case ToolReturned():
            return replace(story, tools=story.tools | {event.item_id: _returned(story, event, at)})
        case TakenOver():
            return replace(story, takeovers=(*story.takeovers, _takeover(story, event, at)))
        case CancelRequested():
            return replace(story, cancel=event.reason)
        case Closed():
            usage = {} if event.usage is None else _counts(event.usage)
            return replace(_sampled(story, event.server), usage=usage, end=_end(event, at))
        case ItemsAdded():
            added = TurnEnd(at=at, status="completed", message="items put into a conversation")
            return replace(story, requested_at=at, end=added)
        case Purged():
            gone = TurnEnd(at=at, status="purged", message="its content is removed for ever")
            return replace(story, end=gone)
        case Started() | Screened() | Deleted() | Restored() | ItemRemoved():
            return story
        case _:
            assert_never(event)


def _sampled(story: TurnStory, backend: str | None) -> TurnStory:
    """Count a sample; a server that answers again is told once."""
    new = () if backend is None or backend in story.backends else (backend,)
    return replace(story, samples=story.samples + 1, backends=(*story.backends, *new))


def _text(  # noqa: C901, PLR0911, PLR0912 -- one case for each event
    story: TurnStory, event: AnyEvent
) -> str:
    match event:
        case Requested():
            return _request(event)
        case Started():
            return "left the queue"
        case ItemsAdded():
            return f"{counted(len(event.input), 'item')} put into {event.conversation}"
        case Screened():
            found = ", ".join(str(each.get("category")) for each in event.violations)
            return f"the guard refused: {found}" if found else "the guard let the input pass"
        case ToolsListed():
            return counted(_number_of(event.items, "mcp_list_tools"), "list") + " of tools"
        case Sampled():
            names = ", ".join(each.name for each in _calls(event.output).values())
            return f"the model asked for {names or 'tools'}"
        case ToolCalled():
            names = ", ".join(_tool(story, each).name for each in event.item_ids)
            return f"calling {names}"
        case ToolReturned():
            done = _returned(story, event, event.at / 1000)
            took = "" if done.duration_s is None else f" after {lasted(done.duration_s)}"
            return f"{done.name} {done.outcome}{took}"
        case TakenOver():
            found = _takeover(story, event, event.at / 1000)
            stays = f"; {counted(found.shown_characters, 'character')} of it stay"
            shown = stays if event.abandoned else ""
            return (
                f"another orchestrator took over ({event.cause}) after {lasted(found.silent_s)} "
                f"without an event; {counted(found.abandoned_items, 'item')} abandoned{shown}"
            )
        case CancelRequested():
            return "its client left" if event.reason == "client_left" else "its end was asked for"
        case Closed():
            return _closing(event)
        case Deleted():
            return "deleted" + (" with its conversation" if event.with_conversation else "")
        case Restored():
            return "restored"
        case ItemRemoved():
            return f"{event.item_id} taken out of its conversation"
        case Purged():
            return "its content is removed for ever"
        case _:
            assert_never(event)


def _request(event: Requested) -> str:
    facts = [f"model {event.model}", counted(len(event.input), "input item")]
    facts += [f"behind {event.previous_response_id}"] if event.previous_response_id else []
    facts += [f"in {event.conversation}"] if event.conversation else []
    facts += ["background"] if event.background else ["streamed"] if event.stream else []
    facts += [] if event.store else ["not stored"]
    return ", ".join(facts)


def _closing(event: Closed) -> str:
    end = _end(event, 0)
    why = ": ".join(part for part in (end.code, end.message) if part)
    functions = _number_of(event.output, "function_call")
    facts = [f"{event.status} ({why})" if why else event.status]
    facts += [counted(len(event.output), "output item")]
    facts += [f"{counted(functions, 'function call')} for the client"] if functions else []
    return ", ".join(facts)


def _end(event: Closed, at: float) -> TurnEnd:
    failure = event.failure
    return TurnEnd(
        at=at,
        status=event.status,
        code=(failure.code if failure else event.incomplete_reason) or "",
        message=failure.message if failure else "",
    )


def _takeover(story: TurnStory, event: TakenOver, at: float) -> TakeoverStory:
    return TakeoverStory(
        at=at,
        by=event.cause,
        silent_s=at - (story.last_at if story.last_at is not None else at),
        abandoned_items=len(event.abandoned),
        shown_characters=sum(map(_characters, event.abandoned)),
    )


def _characters(item: Item) -> int:
    parts: list[Item] = item.get("content") or []
    return sum(len(part.get("text", "")) for part in parts)


def _calls(items: Iterable[Item]) -> dict[str, ToolStory]:
    return {
        item["id"]: ToolStory(
            item_id=item["id"], name=item.get("name", "?"), server=item.get("server_label", "")
        )
        for item in items
        if item.get("type") == "mcp_call"
    }


def _tool(story: TurnStory, item_id: str, *, called_at: float | None = None) -> ToolStory:
    known = story.tools.get(item_id) or ToolStory(item_id=item_id, name="?", server="")
    if called_at is None:
        return known
    return replace(known, called_at=called_at, outcome="running")


def _returned(story: TurnStory, event: ToolReturned, at: float) -> ToolStory:
    known = _tool(story, event.item_id)
    took = None if known.called_at is None else at - known.called_at
    return replace(known, duration_s=took, outcome="ok" if event.error is None else "failed")


def counted(number: int, noun: str) -> str:
    """Write how many there are of something."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _number_of(items: Iterable[Item], kind: str) -> int:
    return sum(item.get("type") == kind for item in items)


def _counts(usage: Any) -> dict[str, int]:
    return {name: getattr(usage, name) for name in usage.__struct_fields__}
