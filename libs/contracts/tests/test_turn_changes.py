"""What happens to a turn beside its making: it waits in a queue, is put away, loses items, goes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import AnyEvent, Deleted, ItemRemoved, Purged
from turnwire_contracts.ids import ItemId, input_item_id, output_item_id
from turnwire_contracts.turn import evolve, fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, Sampling, Screening, Turn
from turnwire_testing.examples import (
    CONVERSATION_ID,
    OTHER_ID,
    OWNER,
    RESPONSE_ID,
    cancel_requested,
    closed,
    deleted,
    item_removed,
    items_added,
    message,
    purged,
    requested,
    restored,
    screened,
    started,
    taken_over,
    user,
)

INTO = input_item_id(RESPONSE_ID, 0, "message")
OUT = output_item_id(RESPONSE_ID, 0, "message")

changes: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(deleted, with_conversation=st.booleans()),
    st.builds(restored),
    st.builds(item_removed, item_id=st.sampled_from([INTO, OUT])),
)
many_changes = st.lists(changes, max_size=8)
running = st.sampled_from(
    [
        [requested()],
        [requested(screen=True)],
        [requested(screen=True), screened(violations=[{"category": "pii"}])],
        [requested(background=True), started(), taken_over()],
    ]
)


def ended(*after: AnyEvent) -> ClosedTurn:
    """Fold a turn that has ended, and what came after its end."""
    turn = fold([requested(), closed(), *after])
    assert isinstance(turn, ClosedTurn)
    return turn


@given(many_changes, changes)
def test_a_change_that_is_repeated_changes_nothing_more(
    before: list[AnyEvent], change: AnyEvent
) -> None:
    once = ended(*before, change)
    assert evolve(once, change) == once


@given(many_changes)
def test_no_change_touches_what_was_said(after: list[AnyEvent]) -> None:
    turn = ended(*after)
    assert (turn.request, turn.closed, turn.output) == (requested(), closed(), [message("Hi.")])


@given(many_changes)
def test_a_turn_is_put_away_when_the_last_word_on_it_says_so(after: list[AnyEvent]) -> None:
    words = [event for event in after if not isinstance(event, ItemRemoved)]
    assert ended(*after).deleted == (bool(words) and isinstance(words[-1], Deleted))


@given(many_changes)
def test_a_restored_turn_is_as_it_was_but_for_the_items_it_lost(after: list[AnyEvent]) -> None:
    lost = [event for event in after if isinstance(event, ItemRemoved)]
    assert ended(*after, restored()) == ended(*lost)


@given(many_changes)
def test_the_items_that_a_turn_lost_are_named_once_in_the_order_they_went(
    after: list[AnyEvent],
) -> None:
    lost: dict[ItemId, None] = {}
    for event in after:
        if isinstance(event, ItemRemoved):
            lost[event.item_id] = None
    assert ended(*after).removed == tuple(lost)


def test_a_turn_that_was_put_away_by_itself_does_not_come_back_with_its_conversation() -> None:
    by_itself = ended(deleted(), deleted(with_conversation=True))
    assert not by_itself.deleted_with_conversation
    with_it = ended(deleted(with_conversation=True))
    assert with_it.deleted_with_conversation
    again = ended(deleted(with_conversation=True), restored(), deleted())
    assert (again.deleted, again.deleted_with_conversation) == (True, False)


@given(running, changes)
def test_a_turn_that_runs_is_not_changed(life: list[AnyEvent], change: AnyEvent) -> None:
    assert fold([*life, change]) == fold(life)


@given(many_changes)
def test_of_a_purged_turn_only_its_end_remains(after: list[AnyEvent]) -> None:
    assert evolve(ended(*after), purged()) == Erased(purged())
    # Every other event is erased, at last.
    assert fold([purged()]) == Erased(purged())


@given(st.lists(changes | st.builds(cancel_requested) | st.builds(purged), max_size=5))
def test_what_comes_after_an_erasure_brings_nothing_back(late: list[AnyEvent]) -> None:
    for first in (purged(), closed(stored=False)):
        turn = fold([first, *late])
        assert isinstance(turn, Erased)
        purge = any(isinstance(event, Purged) for event in (first, *late))
        assert isinstance(turn.last, Purged) == purge


@given(changes)
def test_a_change_of_a_turn_that_is_not_there_makes_none(change: AnyEvent) -> None:
    assert fold([change]) == fold([])


@given(many_changes)
def test_a_view_of_a_turn_gives_the_turn_back(after: list[AnyEvent]) -> None:
    turn = ended(*after)
    assert msgspec.json.decode(msgspec.json.encode(turn), type=ClosedTurn) == turn


@pytest.mark.parametrize("screen", [False, True])
@given(others=st.lists(st.sampled_from([taken_over(), cancel_requested(), started()]), max_size=4))
def test_a_turn_that_left_the_queue_never_stands_in_it_again(
    screen: bool,  # noqa: FBT001 -- a case, not a switch
    others: list[AnyEvent],
) -> None:
    request = requested(background=True, screen=screen)
    waiting = fold([request])
    left = fold([request, started(), *others])
    sampled = fold([request, started(), *others, *([screened()] if screen else [])])
    assert _has_left(sampled)
    assert _has_left(left)
    assert not _has_left(waiting)


def _has_left(turn: Turn) -> bool:
    assert isinstance(turn, Screening | Sampling)
    return turn.started


def test_items_that_were_put_into_a_conversation_are_a_turn_without_an_answer() -> None:
    turn = fold([items_added(previous_response_id=OTHER_ID)])
    assert isinstance(turn, ClosedTurn)
    assert not turn.is_response
    assert not turn.request.watched
    assert turn.request.conversation == CONVERSATION_ID
    assert turn.request.previous_response_id == OTHER_ID
    assert turn.request.owner == OWNER
    assert turn.request.input == [user("Remember this.")]
    assert (turn.closed.status, turn.closed.stored, turn.output) == ("completed", True, [])
    assert turn.request.at == turn.closed.at == items_added().at


def test_a_turn_that_a_model_answered_is_a_response() -> None:
    assert ended().is_response


@pytest.mark.parametrize(
    ("stream", "background", "watched"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_frames_are_written_where_somebody_may_come_to_watch(
    *, stream: bool, background: bool, watched: bool
) -> None:
    assert requested(stream=stream, background=background).watched == watched
