"""Events are read as they were written, by this version and by later ones."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts import subjects
from turnwire_contracts.codec import (
    UPCASTERS,
    UnreadableEventError,
    Upcaster,
    decode,
    decode_conversation,
    encode,
)
from turnwire_contracts.conversation_events import (
    CONVERSATION_KINDS,
    CONVERSATION_VERSIONS,
    AnyConversationEvent,
    ConversationCreated,
    ConversationDeleted,
    ConversationPurged,
    ConversationRestored,
    ConversationUpdated,
    TurnAdded,
    conversation_kind_of,
    conversation_subject_of,
)
from turnwire_contracts.events import (
    KINDS,
    VERSIONS,
    AnyEvent,
    CancelRequested,
    Closed,
    Deleted,
    Failure,
    ItemRemoved,
    ItemsAdded,
    Purged,
    Requested,
    Restored,
    Sampled,
    Screened,
    Started,
    TakenOver,
    ToolCalled,
    ToolReturned,
    ToolsListed,
    Usage,
    kind_of,
    subject_of,
)

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
maybe = st.none() | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(texts, values, max_size=3)
items = st.lists(objects, max_size=2)
cut_lists = st.lists(st.lists(texts, max_size=2), max_size=2)
failures = st.builds(Failure, st.integers(400, 599), texts, texts, texts, maybe, st.none() | items)
usages = st.builds(Usage, *[st.integers(0, 10**9)] * 5)
statuses = st.sampled_from(["completed", "incomplete", "failed", "cancelled"])
# What may stand in a subject: no dots, no blanks, no wildcards.
words = st.text("abcXYZ019_-", min_size=1, max_size=6)
pairs = st.dictionaries(texts, texts, max_size=3)
everywhere: dict[str, Any] = {"tenant": words, "at": st.integers(0, 2**53), "cause": texts}
about: dict[str, Any] = {**everywhere, "response_id": words}
about_conversation: dict[str, Any] = {**everywhere, "conversation_id": words}
events: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(
        Requested,
        v=st.just(VERSIONS["requested"]),
        owner=texts,
        model=texts,
        input=items,
        instructions=maybe,
        previous_response_id=maybe,
        params=objects,
        stream=st.booleans(),
        store=st.booleans(),
        screen=st.booleans(),
        background=st.booleans(),
        conversation=maybe,
        continues=maybe,
        compact=st.booleans(),
        obfuscate=st.booleans(),
        seals=st.dictionaries(texts, texts, max_size=2),
        fingerprint=maybe,
        **about,
    ),
    st.builds(Started, v=st.just(VERSIONS["started"]), **about),
    st.builds(
        ItemsAdded,
        v=st.just(VERSIONS["items_added"]),
        owner=texts,
        conversation=texts,
        input=items,
        previous_response_id=maybe,
        **about,
    ),
    st.builds(Screened, v=st.just(VERSIONS["screened"]), violations=items, **about),
    st.builds(ToolsListed, v=st.just(VERSIONS["tools_listed"]), items=items, **about),
    st.builds(
        Sampled,
        v=st.just(VERSIONS["sampled"]),
        output=items,
        cuts=cut_lists,
        usage=st.none() | usages,
        instructions=maybe,
        **about,
    ),
    st.builds(ToolCalled, v=st.just(VERSIONS["tool_called"]), item_ids=st.lists(texts), **about),
    st.builds(
        ToolReturned,
        v=st.just(VERSIONS["tool_returned"]),
        item_id=texts,
        output=maybe,
        error=st.none() | objects,
        **about,
    ),
    st.builds(
        TakenOver, v=st.just(VERSIONS["taken_over"]), abandoned=items, cuts=cut_lists, **about
    ),
    st.builds(
        CancelRequested,
        v=st.just(VERSIONS["cancel_requested"]),
        reason=st.sampled_from(["client_left", "asked"]),
        **about,
    ),
    st.builds(
        Closed,
        v=st.just(VERSIONS["closed"]),
        status=statuses,
        output=items,
        cuts=cut_lists,
        usage=st.none() | usages,
        instructions=maybe,
        incomplete_reason=maybe,
        failure=st.none() | failures,
        stored=st.booleans(),
        fields=objects,
        **about,
    ),
    st.builds(Deleted, v=st.just(VERSIONS["deleted"]), with_conversation=st.booleans(), **about),
    st.builds(Restored, v=st.just(VERSIONS["restored"]), **about),
    st.builds(ItemRemoved, v=st.just(VERSIONS["item_removed"]), item_id=texts, **about),
    st.builds(Purged, v=st.just(VERSIONS["purged"]), **about),
)
conversation_events: st.SearchStrategy[AnyConversationEvent] = st.one_of(
    st.builds(
        ConversationCreated,
        v=st.just(CONVERSATION_VERSIONS["created"]),
        owner=texts,
        metadata=pairs,
        **about_conversation,
    ),
    st.builds(
        ConversationUpdated,
        v=st.just(CONVERSATION_VERSIONS["updated"]),
        metadata=pairs,
        **about_conversation,
    ),
    st.builds(
        TurnAdded,
        v=st.just(CONVERSATION_VERSIONS["turn_added"]),
        response_id=words,
        base=maybe,
        **about_conversation,
    ),
    st.builds(
        ConversationDeleted, v=st.just(CONVERSATION_VERSIONS["deleted"]), **about_conversation
    ),
    st.builds(
        ConversationRestored, v=st.just(CONVERSATION_VERSIONS["restored"]), **about_conversation
    ),
    st.builds(ConversationPurged, v=st.just(CONVERSATION_VERSIONS["purged"]), **about_conversation),
)


@contextmanager
def upcaster(kind: str, version: int, lift: Upcaster) -> Generator[None]:
    """Know an older version for a while."""
    UPCASTERS[kind, version] = lift
    try:
        yield
    finally:
        del UPCASTERS[kind, version]


@given(events)
def test_every_event_is_read_as_it_was_written(event: AnyEvent) -> None:
    assert decode(kind_of(event), encode(event)) == event


@given(conversation_events)
def test_every_event_of_a_conversation_is_read_as_it_was_written(
    event: AnyConversationEvent,
) -> None:
    assert decode_conversation(conversation_kind_of(event), encode(event)) == event


@given(events)
def test_the_subject_of_an_event_says_whose_it_is_and_of_which_kind(event: AnyEvent) -> None:
    found = subjects.parse_turn_event(subject_of(event))
    assert found == (event.tenant, event.response_id, kind_of(event))
    assert KINDS[found[2]] is type(event)


@given(conversation_events)
def test_the_subject_of_a_conversations_event_says_whose_it_is_and_of_which_kind(
    event: AnyConversationEvent,
) -> None:
    found = subjects.parse_conversation_event(conversation_subject_of(event))
    assert found == (event.tenant, event.conversation_id, conversation_kind_of(event))
    assert CONVERSATION_KINDS[found[2]] is type(event)


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
