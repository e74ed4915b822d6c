"""One event of a turn, in a line for people. Pure: what is known of the turn, and the event, in."""

from collections.abc import Iterable
from typing import assert_never

from msgspec import Struct

from turnwire_cli.times import lasted
from turnwire_cli.turns.timeline import (
    TurnTimeline,
    calls_of,
    end_of,
    returned,
    takeover_of,
    tool_of,
)
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


class EventLine(Struct, frozen=True, kw_only=True):
    """One event, told in a line."""

    sequence: int
    type: str
    at: float
    after_s: float
    """Seconds since the event before it."""
    text: str


def line_of(before: TurnTimeline, sequence: int, event: AnyEvent, kind: str) -> EventLine:
    """Tell an event in a line; `before` is what was known of its turn."""
    at = event.at / 1000
    after_s = 0.0 if before.last_at is None else at - before.last_at
    return EventLine(
        sequence=sequence, type=kind, at=at, after_s=after_s, text=_text(before, event)
    )


def _text(  # noqa: C901, PLR0911, PLR0912 -- one case for each event
    timeline: TurnTimeline, event: AnyEvent
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
            names = ", ".join(each.name for each in calls_of(event.output).values())
            return f"the model asked for {names or 'tools'}"
        case ToolCalled():
            names = ", ".join(tool_of(timeline, each).name for each in event.item_ids)
            return f"calling {names}"
        case ToolReturned():
            done = returned(timeline, event, event.at / 1000)
            took = "" if done.duration_s is None else f" after {lasted(done.duration_s)}"
            return f"{done.name} {done.outcome}{took}"
        case TakenOver():
            found = takeover_of(timeline, event, event.at / 1000)
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
    end = end_of(event, 0)
    why = ": ".join(part for part in (end.code, end.message) if part)
    functions = _number_of(event.output, "function_call")
    facts = [f"{event.status} ({why})" if why else event.status]
    facts += [counted(len(event.output), "output item")]
    facts += [f"{counted(functions, 'function call')} for the client"] if functions else []
    return ", ".join(facts)


def counted(number: int, noun: str) -> str:
    """Write how many there are of something."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _number_of(items: Iterable[Item], kind: str) -> int:
    return sum(item.get("type") == kind for item in items)
