"""A turn's story as lines for people, and as the object that programs are promised."""

from collections.abc import Callable, Iterator

import msgspec

from turnwire_cli.printing import JSON, in_one_line
from turnwire_cli.replaying.log_file import event_of
from turnwire_cli.times import lasted
from turnwire_cli.turns.story import (
    EventLine,
    TakeoverStory,
    ToolStory,
    TurnStory,
    advance,
    counted,
)
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.conversation_events import ConversationEvent


class StoryReader:
    """Takes a turn's events as the API tells them, one by one."""

    def __init__(self, response_id: str) -> None:
        """`response_id`: `resp_…`, whose events come."""
        self.story = TurnStory(response_id=response_id)
        self.lines: list[EventLine] = []

    def take(self, logged: JSON) -> EventLine:
        """Take the next event; gives it as a line."""
        line = self._line(logged)
        self.lines.append(line)
        return line

    def _line(self, logged: JSON) -> EventLine:
        try:
            entry = event_of(self.story.response_id, logged)
        except UnreadableEventError:
            at = logged["created_at"]
            last = self.story.last_at
            return EventLine(
                sequence=logged["sequence"],
                type=logged["type"],
                at=at,
                after_s=0.0 if last is None else at - last,
                text="an event that this version of the command does not know",
            )
        if isinstance(entry.event, ConversationEvent):
            raise TypeError(f"an event of a conversation among those of a turn: {logged['type']}")
        self.story, line = advance(self.story, entry.sequence, entry.event, logged["type"])
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


def story_object(story: TurnStory, lines: list[EventLine]) -> JSON:
    """Write all that is known of a turn as one object."""
    end = story.end
    return {
        "object": "turn.log",
        "response_id": story.response_id,
        "status": story.status,
        "model": story.model,
        "background": story.background,
        "request_id": story.request_id,
        "requested_at": story.requested_at,
        "ended_at": end.at if end else None,
        "duration_s": story.duration_s,
        "end": None if end is None else {"code": end.code, "message": end.message},
        "cancel_requested_by": story.cancel,
        "samples": story.samples,
        "backends": [*story.backends],
        "owners": 1 + len(story.takeovers),
        "takeovers": msgspec.to_builtins(story.takeovers),
        "tools": msgspec.to_builtins([*story.tools.values()]),
        "usage": story.usage,
        "events": [event_object(line) for line in lines],
    }


def summary(story: TurnStory) -> Iterator[str]:
    """Say in some lines what became of a turn: its end, its owners, its tools."""
    took = "" if story.duration_s is None else f" after {lasted(story.duration_s)}"
    yield f"{story.response_id}: {story.status}{took}"
    if story.end is not None and (story.end.code or story.end.message):
        yield f"  cause: {': '.join(part for part in (story.end.code, story.end.message) if part)}"
    if story.cancel:
        who = "its client left" if story.cancel == "client_left" else "a request"
        yield f"  ended by: {who}"
    owners = len(story.takeovers)
    if owners:
        yield f"  owners: {owners + 1}, of which {owners} died or fell silent"
    if story.backends:
        yield f"  answered by: {', '.join(story.backends)}"
    yield from map(_takeover, story.takeovers)
    yield from map(_tool, story.tools.values())
    counted = {name: count for name, count in story.usage.items() if count}
    if counted:
        yield "  tokens: " + ", ".join(f"{count} {name}" for name, count in counted.items())


def _takeover(takeover: TakeoverStory) -> str:
    text = f"  taken over by {takeover.by} after {lasted(takeover.silent_s)} without an event"
    if not takeover.abandoned_items:
        return f"{text}; nothing was abandoned"
    items = counted(takeover.abandoned_items, "item")
    characters = counted(takeover.shown_characters, "character")
    return f"{text}; {items} abandoned, of which {characters} stay"


def _tool(tool: ToolStory) -> str:
    took = "" if tool.duration_s is None else f" in {lasted(tool.duration_s)}"
    where = f" of {tool.server}" if tool.server else ""
    return f"  tool {tool.name}{where}: {tool.outcome}{took}"
