"""Golden logs: what each version of each event once did to the views, as a digest; kept for ever.

    make golden                    write those that are missing, for kinds and versions of today
    make golden GOLDEN=speed       say how many events a second are replayed

One file for each kind and version: a short log with such an event in it, as `turnwire replay`
exports it, and beside it the digest of what the views say after it. A file that is there is never
written again: a later version of the code must replay it to the same digest.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from turnwire_contracts import codec
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.event_kinds import (
    CONVERSATION_EVENT_KINDS,
    TURN_EVENT_KINDS,
    subject_of,
)
from turnwire_contracts.events import AnyEvent, TurnChange
from turnwire_store.feed import FeedEntry
from turnwire_store.verifying.digest import Projection
from turnwire_store.verifying.log_fold import LogFold, recorded_in
from turnwire_testing import examples

FOLDER: Final = Path(__file__).parents[2] / "services" / "store" / "tests" / "golden_logs"
_OF_CONVERSATIONS: Final = "conversation."
_SPEED_S: Final = 3.0

Event = AnyEvent | AnyConversationEvent
Story = Callable[[Event], Sequence[Event]]


class GoldenLine(msgspec.Struct, frozen=True):
    """One event of a log, as `turnwire replay --export` writes it."""

    sequence: int
    subject: str
    event: dict[str, Any]


def names() -> list[str]:
    """Name the log of every version of every kind of event that there ever was."""
    return [
        f"{prefix}{kind}.v{version}"
        for prefix, kinds in (("", TURN_EVENT_KINDS), (_OF_CONVERSATIONS, CONVERSATION_EVENT_KINDS))
        for kind, row in kinds.items()
        for version in range(1, row.version + 1)
    ]


def read(name: str) -> list[FeedEntry]:
    """Give the entries of a log."""
    lines = (FOLDER / f"{name}.jsonl").read_bytes().splitlines()
    decoded = [msgspec.json.decode(line, type=GoldenLine) for line in lines]
    return [
        FeedEntry(line.subject, msgspec.json.encode(line.event), line.sequence) for line in decoded
    ]


def digest_of(name: str) -> str:
    """Give the digest that was once written of it."""
    return (FOLDER / f"{name}.digest").read_text(encoding="ascii").strip()


def replayed(entries: Sequence[FeedEntry]) -> Projection:
    """Fold a log, changes after the end of turns included. An entry without effect is an error."""
    fold = LogFold()
    fold.take(entries)
    for response_id in fold.changed:
        fold.settle(recorded_in(entries, response_id))
    if fold.unreadable:
        raise ValueError(fold.unreadable)
    return fold.projection


_END: Final[dict[str, Any]] = {"cause": "end"}
_STORIES: Final[dict[str, Story]] = {
    "requested": lambda it: [it, examples.closed(**_END)],
    "started": lambda it: [examples.requested(background=True), it, examples.closed(**_END)],
    "items_added": lambda it: [it],
    "screened": lambda it: [examples.requested(screen=True), it, examples.closed(**_END)],
    "tool_called": lambda it: [*_sampled(), it, examples.tool_returned(), examples.closed(**_END)],
    "tool_returned": lambda it: [*_sampled(), it, examples.closed(**_END)],
    "closed": lambda it: [examples.requested(), it],
    "conversation.created": lambda it: [it],
}
"""What stands before and after an event; others run between a request and its end."""


def _sampled() -> list[Event]:
    calls = [examples.mcp_call()]
    return [examples.requested(), examples.tools_listed(), examples.sampled(output=calls)]


def _story(name: str, event: Event) -> Sequence[Event]:
    if name in _STORIES:
        return _STORIES[name](event)
    if name.startswith(_OF_CONVERSATIONS):
        return [examples.conversation_created(), event]
    if isinstance(event, TurnChange):
        return [examples.requested(), examples.closed(), event]
    return [examples.requested(), event, examples.closed(**_END)]


def _write_missing() -> Iterator[str]:
    FOLDER.mkdir(exist_ok=True)
    for name in names():
        kind, _, version = name.rpartition(".v")
        if (FOLDER / f"{name}.jsonl").exists():
            continue
        event = examples.example_of(kind)
        if event.v != int(version):
            raise SystemExit(f"{name}: only version {event.v} can be written now; it is too late")
        entries = [
            FeedEntry(subject_of(one), codec.encode(one), sequence)
            for sequence, one in enumerate(_story(kind, event), start=1)
        ]
        digest, lines = replayed(entries).digest, [*map(_line, entries), b""]
        (FOLDER / f"{name}.jsonl").write_bytes(b"\n".join(lines))
        (FOLDER / f"{name}.digest").write_text(f"{digest}\n", encoding="ascii")
        yield name


def _line(entry: FeedEntry) -> bytes:
    said = msgspec.json.decode(entry.body)
    return msgspec.json.encode(GoldenLine(entry.sequence, entry.subject, said))


def _speed() -> str:
    logs = [read(name) for name in names()]
    events, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < _SPEED_S:
        for entries in logs:
            events += len(entries)
            _ = replayed(entries).digest
    return f"{events / took:,.0f} events/s: {len(logs)} golden logs, read, folded and digested"


if __name__ == "__main__":
    for line in [_speed()] if sys.argv[1:] == ["speed"] else _write_missing():
        sys.stdout.write(f"{line}\n")
