"""Events are read as they were written, by this version and by later ones."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from turnwire_contracts import subjects
from turnwire_contracts.codec import (
    UPCASTERS,
    UnreadableEventError,
    Upcaster,
    decode,
    decode_conversation,
    encode,
    read_event,
)
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.event_kinds import (
    CONVERSATION_EVENT_KINDS,
    TURN_EVENT_KINDS,
    EventKind,
    kind_of,
    subject_of,
)
from turnwire_contracts.events import AnyEvent, CancelRequested

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
# What may stand in a subject: no dots, no blanks, no wildcards.
words = st.text("abcXYZ019_-", min_size=1, max_size=6)
IN_SUBJECTS = {"tenant", "response_id", "conversation_id"}


def of_type(annotation: Any) -> st.SearchStrategy[Any]:
    """Draw what a field of an event may hold, by the field's type."""
    annotation = getattr(annotation, "__supertype__", annotation)
    if annotation in SIMPLE:
        return SIMPLE[annotation]
    inner = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return st.builds(annotation, **fields_of(annotation))
    return COMPOSED[get_origin(annotation)](*inner)


SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: st.integers(0, 2**53),
    bool: st.booleans(),
    type(None): st.none(),
    Any: values,
}
COMPOSED: dict[Any, Callable[..., st.SearchStrategy[Any]]] = {
    list: lambda *of: st.lists(of_type(of[0]), max_size=2),
    dict: lambda *of: st.dictionaries(texts, of_type(of[1]), max_size=3),
    tuple: lambda *of: st.tuples(*map(of_type, of)),
    Literal: lambda *of: st.sampled_from(of),
    Union: lambda *of: st.one_of(*map(of_type, of)),
    UnionType: lambda *of: st.one_of(*map(of_type, of)),
}


def fields_of(struct: type[Struct]) -> dict[str, st.SearchStrategy[Any]]:
    """Draw the fields of a struct by their types."""
    hints = get_type_hints(struct)
    return {name: of_type(hints[name]) for name in struct.__struct_fields__} | dict.fromkeys(
        IN_SUBJECTS & hints.keys(), words
    )


def of_kind(row: EventKind[Any]) -> st.SearchStrategy[Any]:
    """Draw events of one kind, as they are written today."""
    return st.builds(row.event, **{**fields_of(row.event), "v": st.just(row.version)})


events: st.SearchStrategy[AnyEvent] = st.one_of(*map(of_kind, TURN_EVENT_KINDS.values()))
conversation_events: st.SearchStrategy[AnyConversationEvent] = st.one_of(
    *map(of_kind, CONVERSATION_EVENT_KINDS.values())
)


@contextmanager
def upcaster(kind: str, version: int, lift: Upcaster) -> Generator[None]:
    """Know an older version for a while."""
    UPCASTERS[kind, version] = lift
    try:
        yield
    finally:
        del UPCASTERS[kind, version]


def test_every_kind_of_event_has_one_row() -> None:
    rows = [row.event for row in (*TURN_EVENT_KINDS.values(), *CONVERSATION_EVENT_KINDS.values())]
    assert len(rows) == len(set(rows))
    assert set(rows) == {*get_args(AnyEvent), *get_args(AnyConversationEvent)}


@given(events)
def test_every_event_is_read_as_it_was_written(event: AnyEvent) -> None:
    assert decode(kind_of(event), encode(event)) == event


@given(conversation_events)
def test_every_event_of_a_conversation_is_read_as_it_was_written(
    event: AnyConversationEvent,
) -> None:
    assert decode_conversation(kind_of(event), encode(event)) == event


@given(events)
def test_the_subject_of_an_event_says_whose_it_is_and_of_which_kind(event: AnyEvent) -> None:
    found = subjects.parse_turn_event(subject_of(event))
    assert found == (event.tenant, event.response_id, kind_of(event))
    assert TURN_EVENT_KINDS[found[2]].event is type(event)


@given(conversation_events)
def test_the_subject_of_a_conversations_event_says_whose_it_is_and_of_which_kind(
    event: AnyConversationEvent,
) -> None:
    found = subjects.parse_conversation_event(subject_of(event))
    assert found == (event.tenant, event.conversation_id, kind_of(event))
    assert CONVERSATION_EVENT_KINDS[found[2]].event is type(event)


@given(st.one_of(events, conversation_events))
def test_a_message_of_the_log_is_read_by_its_subject(
    event: AnyEvent | AnyConversationEvent,
) -> None:
    assert read_event(subject_of(event), encode(event)) == event


@pytest.mark.parametrize(
    "subject",
    [
        "output.t.resp_1",
        "turn.t.resp_1",
        "conversation.t.conv_1",
        "turn.other.resp_1.purged",
        "turn.t.resp_2.purged",
        "conversation.other.conv_1.purged",
        "conversation.t.conv_2.purged",
    ],
)
def test_a_message_whose_subject_speaks_of_something_else_is_unreadable(subject: str) -> None:
    body = (
        b'{"v":1,"tenant":"t","response_id":"resp_1","conversation_id":"conv_1","at":1,"cause":"c"}'
    )
    with pytest.raises(UnreadableEventError):
        read_event(subject, body)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("exploded", b"{}"),
        ("closed", b'{"v":2,"tenant":"t","response_id":"r","at":1,"cause":"c","status":"failed"}'),
        ("closed", b'{"v":0,"tenant":"t","response_id":"r","at":1,"cause":"c","status":"failed"}'),
        ("closed", b'{"v":1,"tenant":"t","response_id":"r","at":1,"cause":"c","status":"odd"}'),
        ("closed", b'{"v":"1","tenant":"t","response_id":"r","at":1,"cause":"c"}'),
        ("closed", b'{"v":1}'),
        ("closed", b"{}"),
        ("closed", b'{"v":1,'),
        ("closed", b""),
        ("closed", b"\xff"),
    ],
)
def test_what_this_version_cannot_read_is_said_to_be_unreadable(kind: str, body: bytes) -> None:
    with pytest.raises(UnreadableEventError, match=kind):
        decode(kind, body)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("requested", b"{}"),
        ("deleted", b'{"v":2,"tenant":"t","conversation_id":"c","at":1,"cause":"c"}'),
        ("deleted", b'{"v":0,"tenant":"t","conversation_id":"c","at":1,"cause":"c"}'),
        ("created", b'{"v":1,"tenant":"t","conversation_id":"c","at":1,"cause":"c"}'),
        ("created", b'{"v":1,'),
        ("created", b"[]"),
        ("created", b""),
        ("created", b"\xff"),
    ],
)
def test_what_this_version_cannot_read_of_a_conversation_is_said_to_be_unreadable(
    kind: str, body: bytes
) -> None:
    with pytest.raises(UnreadableEventError, match=f"conversation {kind}"):
        decode_conversation(kind, body)


def test_an_older_event_is_lifted_step_by_step_to_todays_version() -> None:
    def from_minus_one(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "v": 0, "why": body["because"]}

    def from_zero(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "v": 1, "reason": body["why"]}

    old = b'{"v":-1,"tenant":"t","response_id":"r","at":1,"cause":"c","because":"asked"}'
    with (
        upcaster("cancel_requested", -1, from_minus_one),
        upcaster("cancel_requested", 0, from_zero),
    ):
        event = decode("cancel_requested", old)
    assert isinstance(event, CancelRequested)
    assert (event.v, event.at, event.reason) == (1, 1, "asked")
    with pytest.raises(UnreadableEventError):
        decode("cancel_requested", old)


def test_an_older_event_that_todays_shape_would_accept_is_lifted_too() -> None:
    def from_zero(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "v": 1, "at": body["at"] * 1000}

    old = b'{"v":0,"tenant":"t","response_id":"r","at":7,"cause":"c","reason":"asked"}'
    with upcaster("cancel_requested", 0, from_zero):
        assert decode("cancel_requested", old).at == 7000


@pytest.mark.parametrize("subject", ["turn.t.resp_1.requested", "conversation.t.conv_1.created"])
def test_a_body_that_is_nested_too_deep_is_unreadable(subject: str) -> None:
    with pytest.raises(UnreadableEventError):
        read_event(subject, b'{"v":1,"input":' + b"[" * 5000)
