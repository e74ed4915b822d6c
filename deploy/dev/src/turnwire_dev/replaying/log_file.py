"""An exported log: one event a line, as JSON, with its place in the stream and its subject."""

from pathlib import Path
from typing import Any

import msgspec

from turnwire_chassis.event_log import Recorded
from turnwire_contracts import codec, subjects
from turnwire_contracts.events import kind_of
from turnwire_contracts.ids import ResponseId


class Line(msgspec.Struct, frozen=True):
    """One line of the file."""

    sequence: int
    subject: str
    event: dict[str, Any]


class UnreadableLogError(Exception):
    """The file is not an exported log; the text says where it stops being one."""


def write(path: Path, recorded: list[Recorded]) -> None:
    """Write the events of a turn. Raises OSError."""
    lines: list[bytes] = []
    for each in recorded:
        event = each.event
        subject = subjects.turn_event(event.tenant, event.response_id, kind_of(event))
        body = msgspec.json.decode(codec.encode(event))
        lines.append(msgspec.json.encode(Line(each.sequence, subject, body)))
    path.write_bytes(b"\n".join([*lines, b""]))


def read(path: Path, response_id: ResponseId | None) -> list[Recorded]:
    """Read the events of one turn; without `response_id`, of the first turn in the file.

    Raises `UnreadableLogError`, `UnreadableEventError`, OSError.
    """
    found: list[Recorded] = []
    for number, text in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            line = msgspec.json.decode(text, type=Line)
            _, owner, kind = subjects.parse_turn_event(line.subject)
        except (msgspec.DecodeError, ValueError) as error:
            raise UnreadableLogError(f"{path}, line {number}: {error}") from error
        response_id = response_id or owner
        if owner == response_id:
            event = codec.decode(kind, msgspec.json.encode(line.event))
            found.append(Recorded(line.sequence, event))
    return sorted(found, key=lambda each: each.sequence)
