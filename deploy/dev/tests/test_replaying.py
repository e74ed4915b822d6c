"""Turns and conversations told from their events: every state, and what comes next."""

from typing import Any

import pytest

from turnwire_chassis.event_log import Recorded, RecordedConversation
from turnwire_cli.replaying.conversation_views import conversation_event_views
from turnwire_cli.replaying.turn_views import event_views
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_testing.examples import (
    CONVERSATION_ID,
    OTHER_ID,
    RESPONSE_ID,
    cancel_requested,
    closed,
    conversation_created,
    conversation_deleted,
    conversation_purged,
    conversation_restored,
    conversation_updated,
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
    turn_added,
)

BACKGROUND = requested(background=True)
VIOLATION: dict[str, Any] = {"category": "pii"}


def turn(*events: AnyEvent) -> list[Recorded]:
    """Record the events of a turn."""
    return [Recorded(sequence, event) for sequence, event in enumerate(events, start=7)]


def conversation(*events: AnyConversationEvent) -> list[RecordedConversation]:
    """Record the events of a conversation."""
    return [RecordedConversation(sequence, event) for sequence, event in enumerate(events, start=9)]


@pytest.mark.parametrize(
    ("events", "state", "following"),
    [
        ([requested()], "Sampling, 0 abandoned items", "Sample"),
        ([requested(), cancel_requested()], "to be cancelled", "CloseCancelled"),
        ([requested(), taken_over(abandoned=[message("H")])], "1 abandoned items", "Sample"),
        ([requested(screen=True)], "Screening", "ScreenInput"),
        ([requested(screen=True), screened(violations=[VIOLATION])], "Refused", "Refuse"),
        ([BACKGROUND], "queued in the background", ""),
        ([BACKGROUND, cancel_requested()], "in the background, to be cancelled", "CloseCancelled"),
        ([requested(), closed()], "Closed: completed, 1 output items", "nothing"),
        ([BACKGROUND, started(), closed(cuts=[["D"]])], "1 output items, 10 frames", "nothing"),
        ([requested(store=False), closed(stored=False)], "Closed: completed", "Erase"),
        ([items_added()], "Closed: 1 items put into a conversation", "nothing"),
        ([requested(), closed(), deleted()], "1 output items, deleted", "nothing"),
        (
            [requested(), closed(), deleted(with_conversation=True)],
            "deleted with its conversation",
            "nothing",
        ),
        ([requested(), closed(), item_removed()], "1 items removed", "nothing"),
        ([closed(stored=False)], "Erased: completed, its content was not to be kept", "nothing"),
        ([requested(), closed(), purged()], "Erased: purged", "nothing: the turn has ended"),
        ([purged(), deleted()], "Erased: purged", "nothing: the turn has ended"),
        ([cancel_requested()], "NotRequested", "nothing: there is no turn"),
    ],
)
def test_every_state_of_a_turn_is_told_with_what_comes_next(
    events: list[AnyEvent], state: str, following: str
) -> None:
    last = [*event_views(turn(*events))][-1]
    assert state in last.state
    assert last.next_step.startswith(following)


def test_a_background_turn_leaves_the_queue() -> None:
    waiting, running = event_views(turn(BACKGROUND, started()))
    assert "queued" in waiting.state
    assert "queued" not in running.state


def test_a_restored_turn_is_told_as_before() -> None:
    told = [
        event_view.state
        for event_view in event_views(turn(requested(), closed(), deleted(), restored()))
    ]
    assert told[3] == told[1]


@pytest.mark.parametrize(
    ("events", "state", "next_step"),
    [
        ([], "Open: no turn yet, 1 metadata", "its first turn"),
        ([conversation_updated(metadata={})], "Open: no turn yet, 0 metadata", "its first turn"),
        (
            [turn_added()],
            f"Open: last turn {RESPONSE_ID}",
            f"a turn behind {RESPONSE_ID}, or behind none if that comes to nothing",
        ),
        (
            [turn_added(), turn_added(response_id=OTHER_ID, base=RESPONSE_ID)],
            f"Open: last turn {OTHER_ID}",
            f"a turn behind {OTHER_ID}, or behind {RESPONSE_ID} if that comes to nothing",
        ),
        ([conversation_deleted()], "Deleted: no turn yet", "nothing, until it is restored"),
        ([conversation_deleted(), conversation_restored()], "Open", "its first turn"),
        ([conversation_purged()], "Gone", "nothing: the conversation is gone"),
    ],
)
def test_every_state_of_a_conversation_is_told_with_what_comes_next(
    events: list[AnyConversationEvent], state: str, next_step: str
) -> None:
    last = [*conversation_event_views(conversation(conversation_created(), *events))][-1]
    assert last.state.startswith(state)
    assert last.next_step == next_step


def test_an_event_is_told_with_its_place_its_time_its_cause_and_its_facts() -> None:
    (first,) = event_views(turn(requested(background=True, conversation=CONVERSATION_ID)))
    assert first.heading == "#7 requested v1  2023-11-14T22:13:20.123+00:00  cause req_1"
    assert f'conversation: "{CONVERSATION_ID}"' in first.facts
    assert "background: true" in first.facts
    (added,) = conversation_event_views(conversation(turn_added()))
    assert added.heading.startswith("#9 turn_added v1  2023-11-14")
    assert added.facts == [f'response_id: "{RESPONSE_ID}"']


def test_a_long_fact_is_cut_and_its_length_is_told() -> None:
    (first,) = event_views(turn(items_added(input=[{"text": "x" * 500}])))
    assert any(fact.endswith("… (513)") for fact in first.facts)


def test_a_damaged_log_is_told_up_to_where_it_breaks() -> None:
    story = event_views(turn(requested(), closed(), closed()))
    assert next(story).state.startswith("Sampling")
    assert next(story).state.startswith("Closed")
    with pytest.raises(ImpossibleEventError):
        next(story)
