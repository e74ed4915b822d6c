"""A turn's timeline, from its events: as lines, and as the object that programs get."""

from collections.abc import Callable, Iterator

import msgspec

from turnwire_cli.printing import JSON, in_one_line
from turnwire_cli.replaying.log_file import event_of
from turnwire_cli.times import lasted
from turnwire_cli.turns.event_line import EventLine, counted, line_of
from turnwire_cli.turns.timeline import (
    TakeoverEntry,
    ToolCallEntry,
    TurnTimeline,
    advance,
)
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.conversation_events import ConversationEvent


class TimelineReader:
    """Takes a turn's events as the API tells them, one by one."""

    def __init__(self, response_id: str) -> None:
        """`response_id`: `resp_…`, whose events come."""
        self.timeline = TurnTimeline(response_id=response_id)
        self.lines: list[EventLine] = []

    def take(self, logged: JSON) -> EventLine:
        """Take the next event; gives it as a line."""
        line = self._line(logged)
        self.lines.append(line)
        return line

    def _line(self, logged: JSON) -> EventLine:
        try:
            entry = event_of(self.timeline.response_id, logged)
        except UnreadableEventError:
            at = logged["created_at"]
            last = self.timeline.last_at
            return EventLine(
                sequence=logged["sequence"],
                type=logged["type"],
                at=at,
                after_s=0.0 if last is None else at - last,
                text="an event that this version of the command does not know",
            )
        if isinstance(entry.event, ConversationEvent):
            raise TypeError(f"an event of a conversation among those of a turn: {logged['type']}")
        line = line_of(self.timeline, entry.sequence, entry.event, logged["type"])
        self.timeline = advance(self.timeline, entry.event)
        return line


def event_text(line: EventLine, moment: Callable[[float | None], str]) -> str:
    """Write an event as a line; `moment` writes when it was."""
    after = f"+{lasted(line.after_s)}"
    kind = line.type.replace("_", " ")
    said = f"#{line.sequence:<6} {moment(line.at)}  {after:>9}  {kind:<16} {line.text}"
    return in_one_line(said)


def event_object(line: EventLine) -> JSON:
    """Write an event as an object."""
    return {"object": "turn.event", **msgspec.to_builtins(line)}


def log_object(timeline: TurnTimeline, lines: list[EventLine]) -> JSON:
    """Write all that is known of a turn as one object."""
    end = timeline.end
    return {
        "object": "turn.log",
        "response_id": timeline.response_id,
        "status": timeline.status,
        "model": timeline.model,
        "background": timeline.background,
        "request_id": timeline.request_id,
        "requested_at": timeline.requested_at,
        "ended_at": end.at if end else None,
        "duration_s": timeline.duration_s,
        "end": None if end is None else {"code": end.code, "message": end.message},
        "cancel_requested_by": timeline.cancel,
        "samples": timeline.samples,
        "backends": [*timeline.backends],
        "owners": 1 + len(timeline.takeovers),
        "takeovers": msgspec.to_builtins(timeline.takeovers),
        "tools": msgspec.to_builtins([*timeline.tools.values()]),
        "usage": timeline.usage,
        "events": [event_object(line) for line in lines],
    }


def summary(timeline: TurnTimeline) -> Iterator[str]:
    """Say in some lines what became of a turn: its end, its owners, its tools."""
    took = "" if timeline.duration_s is None else f" after {lasted(timeline.duration_s)}"
    yield f"{timeline.response_id}: {timeline.status}{took}"
    if timeline.end is not None and (timeline.end.code or timeline.end.message):
        why = ": ".join(part for part in (timeline.end.code, timeline.end.message) if part)
        yield f"  cause: {why}"
    if timeline.cancel:
        who = "its client left" if timeline.cancel == "client_left" else "a request"
        yield f"  ended by: {who}"
    owners = len(timeline.takeovers)
    if owners:
        yield f"  owners: {owners + 1}, of which {owners} died or fell silent"
    if timeline.backends:
        yield f"  answered by: {', '.join(timeline.backends)}"
    yield from map(_takeover, timeline.takeovers)
    yield from map(_tool, timeline.tools.values())
    used = {name: count for name, count in timeline.usage.items() if count}
    if used:
        yield "  tokens: " + ", ".join(f"{count} {name}" for name, count in used.items())


def _takeover(takeover: TakeoverEntry) -> str:
    text = f"  taken over by {takeover.by} after {lasted(takeover.silent_s)} without an event"
    if not takeover.abandoned_items:
        return f"{text}; nothing was abandoned"
    items = counted(takeover.abandoned_items, "item")
    characters = counted(takeover.shown_characters, "character")
    return f"{text}; {items} abandoned, of which {characters} stay"


def _tool(tool: ToolCallEntry) -> str:
    took = "" if tool.duration_s is None else f" in {lasted(tool.duration_s)}"
    where = f" of {tool.server}" if tool.server else ""
    return f"  tool {tool.name}{where}: {tool.outcome}{took}"
