"""An exported log: a file of lines of JSON, from its heading to its checksum.

    {"turnwire_log": 1, "kind": "turn", "id": "resp_…"}     the heading
    {"conversation": {…}}                                   each conversation, as the API has it
    {"sequence": 17, "subject": "turn.…", "event": {…}}     each event, by its place in the log
    {"entries": 2, "sha256": "…"}                           of all bytes before this line

Files that have events alone, as older versions wrote them, are read too.
"""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from turnwire_cli.replaying.event_view import PlacedEvent
from turnwire_contracts import codec
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.event_kinds import subject_of
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import TenantId, is_conversation_id, is_response_id
from turnwire_contracts.json_values import JSON

FORMAT: Final = 1
Kind = Literal["turn", "conversation", "tenant"]

_SECRET: Final = frozenset({"seals", "fingerprint", "metered", "webhook"})
"""Fields of events that no file has. The routes of the API do not tell them at all."""

_ANY_TENANT: Final = TenantId("exported")
"""The API does not say whose an event is; a file stands for itself."""


class LogHeading(msgspec.Struct, frozen=True):
    """The first line of a file: what it is a log of."""

    kind: Kind
    id: str
    """The response or conversation; of a tenant, whatever its key sees: empty."""
    turnwire_log: int = FORMAT


class LogEntry(msgspec.Struct, frozen=True):
    """One event with its place in the log."""

    sequence: int
    event: AnyEvent | AnyConversationEvent


class _EventLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sequence: int
    subject: str
    event: dict[str, Any]


class _ConversationLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    conversation: dict[str, Any]


class _End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entries: int
    sha256: str


class LogFile(msgspec.Struct, frozen=True):
    """What a file has."""

    entries: list[LogEntry]
    """By their place in the log."""
    conversations: list[JSON] = []
    heading: LogHeading | None = None
    """`None`: the file has events alone, and so no checksum."""

    def of(self, id_: str) -> list[LogEntry]:
        """Give the events of one turn or conversation."""
        return [each for each in self.entries if owner_of(each.event) == id_]

    @property
    def owners(self) -> list[str]:
        """The turns and conversations whose events it has, the first first."""
        return [*dict.fromkeys(owner_of(each.event) for each in self.entries)]


class UnreadableLogError(Exception):
    """The file is not an exported log, or not whole; the text says where it stops being one."""


def owner_of(event: AnyEvent | AnyConversationEvent) -> str:
    """Name the turn or conversation that an event is about."""
    return subject_of(event).split(".")[2]


def event_of(response_id: str, logged: JSON) -> LogEntry:
    """Read an event as `GET /v1/responses/{id}/events` tells it.

    Raises `UnreadableEventError` for a kind or a version that is not known here.
    """
    body: JSON = {
        "v": logged["version"],
        "tenant": _ANY_TENANT,
        "response_id": response_id,
        "at": round(logged["created_at"] * 1000),
        "cause": logged["cause"],
        **logged["data"],
    }
    return LogEntry(logged["sequence"], codec.decode(logged["type"], msgspec.json.encode(body)))


def write(path: Path, heading: LogHeading, lines: Iterable[PlacedEvent | JSON]) -> int:
    """Write a file: events, and the objects of conversations; gives the number of these lines.

    It is complete once it has its name. Raises OSError.
    """
    part = path.with_name(f".{path.name}.part")
    seen, entries = hashlib.sha256(), -1
    try:
        with part.open("wb") as file:
            for line in chain((msgspec.json.encode(heading),), map(_encoded, lines)):
                entries += 1
                seen.update(line + b"\n")
                file.write(line + b"\n")
            file.write(msgspec.json.encode(_End(entries, seen.hexdigest())) + b"\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return entries


def read(path: Path) -> LogFile:
    """Read a file and compare it with its checksum.

    Raises `UnreadableLogError`, also for a file that is cut off or was changed, and OSError.
    """
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    heading = _heading(lines[0]) if lines else None
    if heading is None:
        return _parsed(path, enumerate(lines, start=1), None)
    if heading.turnwire_log != FORMAT:
        raise UnreadableLogError(f"{path} has format {heading.turnwire_log}; known is {FORMAT}.")
    if heading.id and not _is_id(heading.id):
        raise UnreadableLogError(f"{path}: {heading.id!r} is no id of a response or conversation.")
    *before, last = lines
    try:
        end = msgspec.json.decode(last, type=_End)
    except msgspec.DecodeError as error:
        raise UnreadableLogError(f"{path} is cut off: its last line is no checksum.") from error
    found = hashlib.sha256(b"".join(before)).hexdigest()
    if (end.entries, end.sha256) != (len(before) - 1, found):
        raise UnreadableLogError(f"{path} was changed: its checksum is not that of its lines.")
    return _parsed(path, enumerate(before[1:], start=2), heading)


def _heading(line: bytes) -> LogHeading | None:
    try:
        said = msgspec.json.decode(line)
        return msgspec.convert(said, LogHeading) if "turnwire_log" in said else None
    except (msgspec.DecodeError, TypeError):
        return None


def _parsed(path: Path, lines: Iterator[tuple[int, bytes]], heading: LogHeading | None) -> LogFile:
    entries: list[LogEntry] = []
    conversations: list[JSON] = []
    for number, text in lines:
        try:
            line = _line(text)
            if isinstance(line, _ConversationLine):
                conversations.append(line.conversation)
            else:
                entries.append(LogEntry(line.sequence, _event(line)))
        except (msgspec.DecodeError, UnreadableEventError) as error:
            raise UnreadableLogError(f"{path}, line {number}: {error}") from error
    entries.sort(key=lambda each: each.sequence)
    return LogFile(entries, conversations, heading)


def _event(line: _EventLine) -> AnyEvent | AnyConversationEvent:
    """Read the event of a line. Raises `UnreadableEventError`, also for what is about no id.

    A file may come from anywhere, and its ids become names of files.
    """
    event = codec.read_event(line.subject, msgspec.json.encode(line.event))
    if not _is_id(owner := owner_of(event)):
        raise UnreadableEventError(f"{owner!r} is no id of a response or conversation")
    return event


def _is_id(text: str) -> bool:
    return is_response_id(text) or is_conversation_id(text)


def _line(text: bytes) -> _EventLine | _ConversationLine:
    if text.startswith(b'{"conversation"'):
        return msgspec.json.decode(text, type=_ConversationLine)
    return msgspec.json.decode(text, type=_EventLine)


def _encoded(line: PlacedEvent | JSON) -> bytes:
    if isinstance(line, dict):
        return msgspec.json.encode(_ConversationLine(line))
    body: JSON = msgspec.json.decode(codec.encode(line.event))
    kept = {name: value for name, value in body.items() if name not in _SECRET}
    return msgspec.json.encode(_EventLine(line.sequence, subject_of(line.event), kept))
