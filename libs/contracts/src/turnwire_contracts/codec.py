"""Events to bytes and back; older versions are lifted to today's by upcasters, one step each."""

from collections.abc import Callable
from typing import Final

import msgspec

from turnwire_contracts.conversation_events import (
    CONVERSATION_KINDS,
    CONVERSATION_VERSIONS,
    AnyConversationEvent,
)
from turnwire_contracts.events import KINDS, VERSIONS, AnyEvent
from turnwire_contracts.json_values import JSON, mapping

Upcaster = Callable[[JSON], JSON]

UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {}
"""(kind, version) → how to write that body in the next version."""

_ENCODER = msgspec.json.Encoder()
_DECODERS = {kind: msgspec.json.Decoder(event) for kind, event in KINDS.items()}
_CONVERSATIONS = {kind: msgspec.json.Decoder(each) for kind, each in CONVERSATION_KINDS.items()}


class UnreadableEventError(Exception):
    """A message in `TURNS` that this version cannot read: unknown kind, newer version, bad body."""


def encode(event: AnyEvent | AnyConversationEvent) -> bytes:
    """Write the body of an event."""
    return _ENCODER.encode(event)


def decode(kind: str, body: bytes) -> AnyEvent:
    """Read an event, whatever version wrote it.

    Raises `UnreadableEventError` when this version of Turnwire does not know it.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise UnreadableEventError(f"unknown kind of event: {kind}")
    try:
        event = decoder.decode(body)
        if event.v == VERSIONS[kind]:
            return event
    except msgspec.ValidationError:
        # A body of an older version may miss what today's requires: lift it first, then judge.
        pass
    except msgspec.DecodeError as error:
        raise UnreadableEventError(f"{kind}: {error}") from error
    try:
        return decoder.decode(_ENCODER.encode(_lifted(kind, mapping(msgspec.json.decode(body)))))
    except msgspec.DecodeError as error:
        raise UnreadableEventError(f"{kind}: {error}") from error


def decode_conversation(kind: str, body: bytes) -> AnyConversationEvent:
    """Read an event of a conversation; raises `UnreadableEventError`."""
    decoder = _CONVERSATIONS.get(kind)
    if decoder is None:
        raise UnreadableEventError(f"unknown kind of event: conversation {kind}")
    try:
        event = decoder.decode(body)
    except msgspec.DecodeError as error:
        raise UnreadableEventError(f"conversation {kind}: {error}") from error
    if event.v != CONVERSATION_VERSIONS[kind]:
        raise UnreadableEventError(f"conversation {kind}: version {event.v} is not known here")
    return event


def _lifted(kind: str, body: JSON) -> JSON:
    while (version := body.get("v")) != VERSIONS[kind]:
        if not isinstance(version, int) or (kind, version) not in UPCASTERS:
            raise UnreadableEventError(f"{kind}: version {version} is not known here")
        body = UPCASTERS[kind, version](body)
    return body
