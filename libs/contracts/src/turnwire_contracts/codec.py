"""Events to bytes and back; older versions are lifted to today's by upcasters, one step each."""

from collections.abc import Callable
from typing import Final

import msgspec

from turnwire_contracts import subjects
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.event_kinds import CONVERSATION_EVENT_KINDS, TURN_EVENT_KINDS
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.json_values import JSON, mapping

Upcaster = Callable[[JSON], JSON]

UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {}
"""(kind, version) → how to write that body in the next version."""

_UNREADABLE = (msgspec.DecodeError, RecursionError)
"""The second is what msgspec says of a body that is nested a thousand levels deep."""

_ENCODER = msgspec.json.Encoder()
_TURN_EVENTS = {
    kind: (msgspec.json.Decoder(row.event), row.version) for kind, row in TURN_EVENT_KINDS.items()
}
_CONVERSATION_EVENTS = {
    kind: (msgspec.json.Decoder(row.event), row.version)
    for kind, row in CONVERSATION_EVENT_KINDS.items()
}


class UnreadableEventError(Exception):
    """A message in `TURNS` that this version cannot read: unknown kind, newer version, bad body."""


def encode(event: AnyEvent | AnyConversationEvent) -> bytes:
    """Encode the body of an event as JSON."""
    return _ENCODER.encode(event)


def decode(kind: str, body: bytes) -> AnyEvent:
    """Decode an event of any version that this one knows, lifted to today's.

    Raises `UnreadableEventError` for an unknown kind, a newer version, or a body that does not fit.
    """
    row = _TURN_EVENTS.get(kind)
    if row is None:
        raise UnreadableEventError(f"unknown kind of event: {kind}")
    decoder, version = row
    try:
        event = decoder.decode(body)
        if event.v == version:
            return event
    except msgspec.ValidationError:
        # A body of an older version may miss what today's requires: lift it first, then judge.
        pass
    except _UNREADABLE as error:
        raise UnreadableEventError(f"{kind}: {error}") from error
    try:
        lifted = _lifted(kind, version, mapping(msgspec.json.decode(body)))
        return decoder.decode(_ENCODER.encode(lifted))
    except _UNREADABLE as error:
        raise UnreadableEventError(f"{kind}: {error}") from error


def decode_conversation(kind: str, body: bytes) -> AnyConversationEvent:
    """Read an event of a conversation; raises `UnreadableEventError`."""
    row = _CONVERSATION_EVENTS.get(kind)
    if row is None:
        raise UnreadableEventError(f"unknown kind of event: conversation {kind}")
    decoder, version = row
    try:
        event = decoder.decode(body)
    except _UNREADABLE as error:
        raise UnreadableEventError(f"conversation {kind}: {error}") from error
    if event.v != version:
        raise UnreadableEventError(f"conversation {kind}: version {event.v} is not known here")
    return event


def read_turn_event(subject: str, body: bytes) -> AnyEvent:
    """Read a message of the log about a turn: its subject says the kind, and which turn.

    Raises `UnreadableEventError`, also if subject and body speak of two turns.
    """
    try:
        tenant, response_id, kind = subjects.parse_turn_event(subject)
    except ValueError as error:
        raise UnreadableEventError(f"no subject of a turn: {subject}") from error
    event = decode(kind, body)
    if event.response_id != response_id or event.tenant != tenant:
        raise UnreadableEventError("the body speaks of another turn than the subject")
    return event


def read_conversation_event(subject: str, body: bytes) -> AnyConversationEvent:
    """Read a message of the log about a conversation; see `read_turn_event`."""
    try:
        tenant, conversation_id, kind = subjects.parse_conversation_event(subject)
    except ValueError as error:
        raise UnreadableEventError(f"no subject of a conversation: {subject}") from error
    event = decode_conversation(kind, body)
    if event.conversation_id != conversation_id or event.tenant != tenant:
        raise UnreadableEventError("the body speaks of another conversation than the subject")
    return event


def is_of_conversation(subject: str) -> bool:
    """Whether an event's subject is a conversation's, and not a turn's."""
    return subject.startswith("conversation.")


def read_event(subject: str, body: bytes) -> AnyEvent | AnyConversationEvent:
    """Read a message of the log, whatever it is about; see `read_turn_event`."""
    if is_of_conversation(subject):
        return read_conversation_event(subject, body)
    return read_turn_event(subject, body)


def _lifted(kind: str, to_version: int, body: JSON) -> JSON:
    while (version := body.get("v")) != to_version:
        if not isinstance(version, int) or (kind, version) not in UPCASTERS:
            raise UnreadableEventError(f"{kind}: version {version} is not known here")
        body = UPCASTERS[kind, version](body)
    return body
