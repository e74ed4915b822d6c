"""The fold: which event may follow which, and what a turn knows after it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.event_kinds import TURN_EVENT_KINDS
from turnwire_contracts.events import AnyEvent, Closed, Requested, TakenOver
from turnwire_contracts.turn import ImpossibleEventError, evolve, fold
from turnwire_contracts.turn_state import (
    ClosedTurn,
    Erased,
    NotRequested,
    RefusedByGuard,
    Sampling,
    Screening,
    Turn,
)
from turnwire_testing.examples import (
    UPDATES,
    cancel_requested,
    closed,
    deleted,
    items_added,
    mcp_call,
    message,
    purged,
    requested,
    sampled,
    screened,
    started,
    taken_over,
    tool_called,
    tool_returned,
    tools_listed,
)

VIOLATION = {"category": "pii", "provider": "regex", "stage": "emails", "step": 0}

STATES: dict[str, list[AnyEvent]] = {
    "not requested": [],
    "screening": [requested(screen=True)],
    "sampling": [requested()],
    "sampling, calling": [requested(), tools_listed(items=[]), sampled()],
    "refused": [requested(screen=True), screened(violations=[VIOLATION])],
    "closed": [requested(), closed()],
    "closed, put away": [requested(), closed(), deleted()],
    "closed, never asked": [items_added()],
    "erased": [closed(stored=False)],
    "erased, purged": [purged()],
}
EVENTS: dict[str, AnyEvent] = {
    "requested": requested(),
    "requested_screened": requested(screen=True),
    "started": started(),
    "items_added": items_added(),
    "screened_safe": screened(),
    "screened_unsafe": screened(violations=[VIOLATION]),
    "tools_listed": tools_listed(),
    "sampled": sampled(output=[mcp_call(7)]),
    "tool_called": tool_called(),
    "tool_returned": tool_returned(),
    "taken_over": taken_over(abandoned=[message("Hal", status="incomplete")], cuts=[["D"]]),
    "cancel_requested": cancel_requested(),
    "closed": closed(),
    "purged": purged(),
    **{kind: update() for kind, update in UPDATES.items()},
}
NEXT: dict[str, dict[str, type[Any]]] = {
    "not requested": {
        "requested": Sampling,
        "requested_screened": Screening,
        "items_added": ClosedTurn,
        "cancel_requested": NotRequested,
        "closed": Erased,
    },
    "screening": {
        "started": Screening,
        "screened_safe": Sampling,
        "screened_unsafe": RefusedByGuard,
        "taken_over": Screening,
        "cancel_requested": Screening,
        "closed": ClosedTurn,
    },
    "sampling": {
        "started": Sampling,
        "tools_listed": Sampling,
        "sampled": Sampling,
        "tool_called": Sampling,
        "taken_over": Sampling,
        "cancel_requested": Sampling,
        "closed": ClosedTurn,
    },
    "refused": {
        "taken_over": RefusedByGuard,
        "cancel_requested": RefusedByGuard,
        "closed": ClosedTurn,
    },
    "closed": {"cancel_requested": ClosedTurn},
    "erased": {"cancel_requested": Erased},
}


REPEATED = {
    ("screening", "requested_screened"),
    ("sampling", "requested"),
    ("sampling, calling", "requested"),
}
"""The request of a turn once more, as an operator has it delivered again: it changes nothing."""


def _next(state: str, event: str) -> type[Any] | None:
    """Say what follows; `None` if the event cannot."""
    if event == "purged":
        return Erased
    if (state, event) == ("sampling, calling", "tool_returned"):
        return Sampling
    if event in UPDATES:
        # They are appended without an expectation, so they may come at any time.
        return type(fold(STATES[state]))
    if state == "sampling" and event.startswith("screened"):
        # An orchestrator may have a policy that the gateway knows nothing of.
        return Sampling if event == "screened_safe" else RefusedByGuard
    if (state, event) in REPEATED:
        return type(fold(STATES[state]))
    return NEXT[state.partition(",")[0]].get(event)


PAIRS = [(state, event) for state in STATES for event in EVENTS]
ALLOWED = [pair for pair in PAIRS if _next(*pair)]
FORBIDDEN = [pair for pair in PAIRS if not _next(*pair)]


@pytest.mark.parametrize(("state", "event"), ALLOWED)
def test_an_event_that_may_follow_leads_to_the_next_state(state: str, event: str) -> None:
    after = evolve(fold(STATES[state]), EVENTS[event])
    assert type(after) is _next(state, event)


def test_a_request_that_is_told_once_more_changes_nothing_and_another_cannot_follow() -> None:
    told = fold([requested(), started()])
    assert evolve(told, requested()) == told
    with pytest.raises(ImpossibleEventError):
        evolve(told, requested(model="another"))


@pytest.mark.parametrize(("state", "event"), FORBIDDEN)
def test_an_event_that_cannot_follow_shows_a_damaged_log(state: str, event: str) -> None:
    with pytest.raises(ImpossibleEventError):
        evolve(fold(STATES[state]), EVENTS[event])


@pytest.mark.parametrize("state", STATES)
def test_the_examples_stand_in_the_state_that_they_are_named_for(state: str) -> None:
    name = type(fold(STATES[state])).__name__.lower()
    assert name.removesuffix("turn").removesuffix("byguard") == state.partition(",")[0].replace(
        " ", ""
    )


def test_the_examples_have_every_kind_of_event() -> None:
    assert {type(event) for event in EVENTS.values()} == {
        row.event for row in TURN_EVENT_KINDS.values()
    }


def _abandoning(items: int) -> TakenOver:
    seen = [message("x", index, "incomplete") for index in range(items)]
    return taken_over(abandoned=seen, cuts=[["B"]] * items)


# Every whole life of a turn: screened or not, taken over any number of times, closed or not yet.
take_overs = st.lists(st.builds(_abandoning, st.integers(0, 2)), max_size=3)


@st.composite
def lives(draw: st.DrawFn) -> list[AnyEvent]:
    """Draw the events of one turn in an order that can happen."""
    screen = draw(st.booleans())
    life: list[AnyEvent] = [requested(screen=screen)]
    if screen:
        life += draw(take_overs)
        life.append(screened())
    life += draw(take_overs)
    if draw(st.booleans()):
        life.append(closed())
    return life


@given(lives(), st.integers(0, 12), st.integers(0, 12))
def test_a_wish_to_cancel_loses_no_content_wherever_it_comes(
    life: list[AnyEvent], first: int, second: int
) -> None:
    disturbed = list(life)
    for place in (first, second):
        disturbed.insert(min(place, len(disturbed) - 1) + 1, cancel_requested(at=place))
    assert content(fold(disturbed)) == content(fold(life))


@given(lives(), st.integers(1, 12))
def test_a_running_turn_remembers_the_first_wish_to_cancel(
    life: list[AnyEvent], place: int
) -> None:
    running = [event for event in life if not isinstance(event, Closed)]
    running.insert(min(place, len(running)), cancel_requested(at=1))
    turn = fold([*running, cancel_requested(at=2)])
    assert isinstance(turn, Screening | Sampling)
    assert turn.cancel is not None
    assert turn.cancel.at == 1


@pytest.mark.parametrize("screen", [False, True])
def test_a_second_wish_to_cancel_changes_nothing(*, screen: bool) -> None:
    once = fold([requested(screen=screen), cancel_requested(at=1)])
    assert evolve(once, cancel_requested(at=2)) == once


@given(lives())
def test_what_was_abandoned_stands_before_the_output_with_its_cuts(life: list[AnyEvent]) -> None:
    turn = fold([*(event for event in life if not isinstance(event, Closed)), closed(cuts=[["D"]])])
    assert isinstance(turn, ClosedTurn)
    assert turn.output == [*turn.so_far.items, message("Hi.")]
    assert turn.cuts == [*turn.so_far.cuts, ["D"]]
    assert len(turn.so_far.items) == len(turn.so_far.cuts) == len(turn.so_far.lost)


@pytest.mark.parametrize(
    ("own", "inherited", "effective"),
    [
        (None, None, None),
        (None, "old", "old"),
        (None, "", ""),
        ("new", None, "new"),
        ("new", "old", "new"),
        ("", "old", ""),
    ],
)
def test_the_requests_own_instructions_beat_inherited_ones(
    own: str | None, inherited: str | None, effective: str | None
) -> None:
    turn = fold([requested(instructions=own), closed(instructions=inherited)])
    assert isinstance(turn, ClosedTurn)
    assert turn.instructions == effective


def content(turn: Turn) -> tuple[Requested | None, list[Any], list[Any]]:
    """What a client could be shown of a turn."""
    match turn:
        case ClosedTurn():
            return turn.request, turn.output, turn.cuts
        case Sampling():
            return turn.request, [*turn.so_far.items], [*turn.so_far.cuts]
        case Screening() | RefusedByGuard():
            return turn.request, [], []
        case NotRequested() | Erased():
            return None, [], []
