"""An exported log: one event a line, as JSON, with its place in the stream and its subject."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from turnwire_chassis.event_log import Recorded, RecordedConversation
from turnwire_contracts import codec, subjects
from turnwire_contracts.conversation_events import ConversationEvent
from turnwire_contracts.event_kinds import subject_of

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


def read(path: Path, id_: str | None) -> list[AnyRecorded]:
    """Read the events of the turn or conversation `id_`; `None`: of the first in the file.

    Raises `UnreadableLogError`, `UnreadableEventError`, OSError.
    """
    recorded: list[AnyRecorded] = []
    for number, text in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            line = msgspec.json.decode(text, type=Line)
            owner = _owner(line.subject)
        except (msgspec.DecodeError, ValueError) as error:
            raise UnreadableLogError(f"{path}, line {number}: {error}") from error
        id_ = id_ or owner
        if owner == id_:
            recorded.append(_recorded(line))
    return sorted(recorded, key=lambda each: each.sequence)


def _line(recorded: AnyRecorded) -> Line:
    body = msgspec.json.decode(codec.encode(recorded.event))
    return Line(recorded.sequence, subject_of(recorded.event), body)


def _recorded(line: Line) -> AnyRecorded:
    event = codec.read_event(line.subject, msgspec.json.encode(line.event))
    if isinstance(event, ConversationEvent):
        return RecordedConversation(line.sequence, event)
    return Recorded(line.sequence, event)


def _owner(subject: str) -> str:
    """Name the turn or conversation of a subject; raises `ValueError` for another subject."""
    if codec.is_of_conversation(subject):
        return subjects.parse_conversation_event(subject)[1]
    return subjects.parse_turn_event(subject)[1]
