"""The fold of a conversation: what it is called, and on which turn the next one builds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.conversation import (
    ConversationState,
    State,
    evolve_conversation,
    fold_conversation,
)
from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationDeleted,
    ConversationRestored,
    ConversationUpdated,
    TurnAdded,
)
from turnwire_contracts.event_kinds import CONVERSATION_EVENT_KINDS
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_testing.examples import (
    AT,
    CONVERSATION_ID,
    OTHER_ID,
    OWNER,
    RESPONSE_ID,
    TENANT,
    conversation_created,
    conversation_deleted,
    conversation_purged,
    conversation_restored,
    conversation_updated,
    turn_added,
)

times = st.integers(AT, AT + 10**6)
metadata = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)
responses = st.sampled_from([RESPONSE_ID, OTHER_ID])
changes: st.SearchStrategy[AnyConversationEvent] = st.one_of(
    st.builds(conversation_updated, at=times, metadata=metadata),
    st.builds(turn_added, at=times, response_id=responses, base=st.none() | responses),
    st.builds(conversation_deleted, at=times),
    st.builds(conversation_restored, at=times),
)
lives = st.lists(changes, max_size=8)
EXAMPLES: list[AnyConversationEvent] = [
    conversation_created(),
    conversation_updated(),
    turn_added(),
    conversation_deleted(),
    conversation_restored(),
    conversation_purged(),
]


def begun(*after: AnyConversationEvent) -> ConversationState:
    """Fold a conversation, and what came after its beginning."""
    state = fold_conversation([conversation_created(), *after])
    assert isinstance(state, ConversationState)
    return state


def test_the_examples_have_every_kind_of_event() -> None:
    assert {type(event) for event in EXAMPLES} == {
        row.event for row in CONVERSATION_EVENT_KINDS.values()
    }


def test_a_conversation_begins_without_a_turn() -> None:
    assert begun() == ConversationState(
        CONVERSATION_ID, TENANT, OWNER, created_at=AT, updated_at=AT, metadata={"a": "b"}
    )


@given(lives)
def test_a_conversation_keeps_who_began_it_and_when(after: list[AnyConversationEvent]) -> None:
    state = begun(*after)
    assert (state.conversation_id, state.tenant, state.owner, state.created_at) == (
        CONVERSATION_ID,
        TENANT,
        OWNER,
        AT,
    )


@given(lives)
def test_a_conversation_was_updated_when_something_happened_to_it_last(
    after: list[AnyConversationEvent],
) -> None:
    assert begun(*after).updated_at == [conversation_created(), *after][-1].at


@given(lives)
def test_the_last_word_counts(after: list[AnyConversationEvent]) -> None:
    state = begun(*after)
    named = [event for event in after if isinstance(event, ConversationUpdated)]
    assert state.metadata == (named[-1].metadata if named else {"a": "b"})
    moved = [e for e in after if isinstance(e, ConversationDeleted | ConversationRestored)]
    assert state.deleted == (bool(moved) and isinstance(moved[-1], ConversationDeleted))


@given(lives)
def test_the_turn_that_was_added_last_is_the_one_to_build_on(
    after: list[AnyConversationEvent],
) -> None:
    state = begun(*after)
    turns = [event for event in after if isinstance(event, TurnAdded)]
    if turns:
        last = turns[-1]
        assert (state.last, state.last_at, state.base) == (last.response_id, last.at, last.base)
    else:
        assert (state.last, state.last_at, state.base) == (None, 0, None)


@given(lives, changes)
def test_a_change_that_is_repeated_changes_nothing_more(
    before: list[AnyConversationEvent], change: AnyConversationEvent
) -> None:
    once = begun(*before, change)
    assert evolve_conversation(once, change) == once


@given(lives, st.integers(0, 9))
def test_a_fold_goes_on_from_where_it_stopped(
    after: list[AnyConversationEvent], place: int
) -> None:
    events: list[AnyConversationEvent] = [conversation_created(), *after]
    so_far = fold_conversation(events[:place])
    assert fold_conversation(events[place:], so_far) == fold_conversation(events)


@given(lives)
def test_a_view_of_a_conversation_gives_the_conversation_back(
    after: list[AnyConversationEvent],
) -> None:
    state = begun(*after)
    assert msgspec.json.decode(msgspec.json.encode(state), type=ConversationState) == state


@given(lives, lives)
def test_a_purged_conversation_is_gone_whatever_came_before_or_comes_late(
    before: list[AnyConversationEvent], late: list[AnyConversationEvent]
) -> None:
    events = [conversation_created(), *before, conversation_purged(), *late]
    assert fold_conversation(events) is None
    # Every other event is erased, at last.
    assert fold_conversation([conversation_purged(), *late]) is None


@pytest.mark.parametrize("event", EXAMPLES[1:], ids=lambda event: type(event).__name__)
def test_nothing_begins_a_conversation_but_its_creation(event: AnyConversationEvent) -> None:
    nothing: State = None
    assert evolve_conversation(nothing, event) is None


def test_a_conversation_that_begins_twice_shows_a_damaged_log() -> None:
    with pytest.raises(ImpossibleEventError, match="created once"):
        evolve_conversation(begun(), conversation_created())
