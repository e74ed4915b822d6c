"""An exported log: one event a line, as JSON, with its place in the stream and its subject."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from turnwire_chassis.event_log import Recorded, RecordedConversation
from turnwire_contracts import codec, subjects
from turnwire_contracts.conversation_events import conversation_subject_of
from turnwire_contracts.events import subject_of

AnyRecorded = Recorded | RecordedConversation


class Line(msgspec.Struct, frozen=True):
    """One line of the file."""

    sequence: int
    subject: str
    event: dict[str, Any]


class UnreadableLogError(Exception):
    """The file is not an exported log; the text says where it stops being one."""


def write(path: Path, recorded: Iterable[AnyRecorded]) -> None:
    """Write the events of a turn or conversation. Raises OSError."""
    lines = [msgspec.json.encode(_line(each)) for each in recorded]
    path.write_bytes(b"\n".join([*lines, b""]))


def read(path: Path, wanted: str | None) -> list[AnyRecorded]:
    """Read the events of one turn or conversation, `wanted` or the first in the file.

    Raises `UnreadableLogError`, `UnreadableEventError`, OSError.
    """
    found: list[AnyRecorded] = []
    for number, text in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            line = msgspec.json.decode(text, type=Line)
            of_conversation, owner, kind = _names(line.subject)
        except (msgspec.DecodeError, ValueError) as error:
            raise UnreadableLogError(f"{path}, line {number}: {error}") from error
        wanted = wanted or owner
        if owner == wanted:
            body = msgspec.json.encode(line.event)
            found.append(
                RecordedConversation(line.sequence, codec.decode_conversation(kind, body))
                if of_conversation
                else Recorded(line.sequence, codec.decode(kind, body))
            )
    return sorted(found, key=lambda each: each.sequence)


def _line(recorded: AnyRecorded) -> Line:
    body = msgspec.json.decode(codec.encode(recorded.event))
    match recorded:
        case RecordedConversation(sequence, event):
            return Line(sequence, conversation_subject_of(event), body)
        case Recorded(sequence, event):
            return Line(sequence, subject_of(event), body)


def _names(subject: str) -> tuple[bool, str, str]:
    """Tell whether a subject is a conversation's, and name its owner and its kind of event.

    Raises `ValueError` for the subject of something else.
    """
    of_conversation = subject.startswith(subjects.CONVERSATION_EVENTS.removesuffix(">"))
    parse = subjects.parse_conversation_event if of_conversation else subjects.parse_turn_event
    _, owner, kind = parse(subject)
    return of_conversation, owner, kind
