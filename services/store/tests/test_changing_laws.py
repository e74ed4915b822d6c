"""Laws of what happens after a turn's end, and to conversations: any order, any failure."""

import asyncio
from collections.abc import Callable
from itertools import chain, repeat

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.conversation import State, fold_conversation
from turnwire_contracts.conversation_events import AnyConversationEvent, ConversationEvent
from turnwire_contracts.events import AnyEvent, Purged, TurnChange
from turnwire_contracts.ids import ConversationId, ResponseId, input_item_id
from turnwire_contracts.queries import Running
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, Turn
from turnwire_store.projecting.view_builder import ProjectionLimits
from turnwire_store.queries.conversations import find_conversation
from turnwire_store.queries.freshness import Freshness
from turnwire_store.queries.history import Page, read_history
from turnwire_store.queries.recall import Recall
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.verifying.comparison import Compared, Comparison
from turnwire_store.views import StoredTurn
from turnwire_testing import examples
from turnwire_testing.examples import TENANT
from turnwire_testing.memory_event_log import MemoryEventLog
from turnwire_testing.memory_feed import MemoryFeeds, MemoryWholeLog
from turnwire_testing.memory_views import MemoryViews
from turnwire_testing.projections import (
    MANY,
    FailingFeeds,
    FailingGenerations,
    Log,
    appended,
    project,
)
from turnwire_testing.stored_turns import turn_id

TURNS = 6
CONVERSATIONS = 2

Event = AnyEvent | AnyConversationEvent


def conversation_id(number: int) -> ConversationId:
    return ConversationId(f"conv_{number:032x}")


CHANGES: list[Callable[[ResponseId], AnyEvent]] = [
    lambda one: examples.deleted(response_id=one),
    lambda one: examples.deleted(response_id=one, with_conversation=True),
    lambda one: examples.restored(response_id=one),
    lambda one: examples.item_removed(response_id=one, item_id=input_item_id(one, 0, "message")),
    lambda one: examples.item_removed(response_id=one, item_id=input_item_id(one, 1, "message")),
    lambda one: examples.purged(response_id=one),
]

TOLD: list[Callable[[ConversationId], AnyConversationEvent]] = [
    lambda one: examples.conversation_updated(conversation_id=one),
    lambda one: examples.turn_added(conversation_id=one),
    lambda one: examples.turn_added(conversation_id=one, response_id=turn_id(1), base=turn_id(0)),
    lambda one: examples.conversation_deleted(conversation_id=one),
    lambda one: examples.conversation_restored(conversation_id=one),
    lambda one: examples.conversation_purged(conversation_id=one),
]


@st.composite
def turns(draw: st.DrawFn, number: int) -> list[Event]:
    """One turn with what happens to it, some of it perhaps before its end."""
    parent = draw(st.none() | st.integers(0, number - 1)) if number else None
    place = draw(st.none() | st.integers(0, CONVERSATIONS - 1))
    about = {"response_id": turn_id(number), "cause": f"c{number}"}
    within = {
        "previous_response_id": None if parent is None else turn_id(parent),
        "conversation": None if place is None else conversation_id(place),
    }
    if place is not None and draw(st.booleans()):
        events: list[Event] = [examples.items_added(**about, **within)]
    else:
        end = examples.closed(**about, stored=draw(st.integers(0, 5)) > 0)
        events = [examples.requested(**about, **within), end]
        if draw(st.integers(0, 5)) == 0:
            events.insert(1, draw(st.sampled_from(CHANGES[:-1]))(turn_id(number)))
    changes = draw(st.lists(st.sampled_from(CHANGES), max_size=4))
    return events + [change(turn_id(number)) for change in changes]


@st.composite
def conversations(draw: st.DrawFn, number: int) -> list[Event]:
    """One conversation with what happens to it."""
    told = draw(st.lists(st.sampled_from(TOLD), max_size=4))
    created = examples.conversation_created(conversation_id=conversation_id(number))
    return [created, *(event(conversation_id(number)) for event in told)]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Turns and conversations whose events mix."""
    count = draw(st.integers(1, TURNS))
    waiting = [draw(turns(number)) for number in range(count)]
    waiting += [draw(conversations(number)) for number in range(CONVERSATIONS)]
    mixed: list[Event] = []
    while waiting:
        events = draw(st.sampled_from(waiting))
        mixed.append(events.pop(0))
        waiting = [left for left in waiting if left]
    return mixed


@given(
    logs(),
    st.lists(st.integers(1, 6), max_size=30),
    st.lists(st.integers(0, 7), max_size=12),
    st.builds(ProjectionLimits, st.sampled_from([0, 600, MANY]), st.sampled_from([0, 1, MANY])),
)
def test_batches_crashes_redelivery_and_lost_memory_change_nothing(
    log: Log, sizes: list[int], failures: list[int], limits: ProjectionLimits
) -> None:
    async def both() -> tuple[object, object]:
        calm, shaken = await appended(log), await appended(log, chain(sizes, repeat(2)))
        views = (await project(calm)).only
        others = (await project(shaken, failures, limits)).only
        return (told(views), calm.entries), (told(others), shaken.entries)

    calm, shaken = asyncio.run(both())

    assert shaken == calm


async def test_a_purge_further_on_in_the_log_does_nothing_before_it_is_told() -> None:
    # A change that comes before its turn's end finds no view, and looks into the log.
    first, second = {"response_id": turn_id(0)}, {"response_id": turn_id(1)}
    log: Log = [
        examples.requested(**first),
        examples.deleted(**first),
        examples.closed(**first),
        examples.requested(**second, previous_response_id=turn_id(0)),
        examples.closed(**second),
        examples.purged(**first),
    ]
    at_once = (await project(await appended(log))).only
    in_parts = (await project(await appended(log, repeat(2)))).only
    assert told(in_parts) == told(at_once)


@given(logs())
def test_views_say_what_the_log_says(log: Log) -> None:
    views, _ = asyncio.run(projected(log))

    folded = folded_turns(log)
    assert {
        one: msgspec.json.decode(view.turn, type=ClosedTurn) for one, view in views.written.items()
    } == {
        one: turn
        for one, turn in folded.items()
        if isinstance(turn, ClosedTurn) and turn.closed.stored
    }
    assert all(
        view.deleted == msgspec.json.decode(view.turn, type=ClosedTurn).deleted
        for view in views.written.values()
    )
    kept = {one: view.conversation for one, view in views.conversations.written.items()}
    assert kept == {one: state for one, state in folded_conversations(log).items() if state}


@given(logs())
def test_a_comparison_with_the_log_finds_no_difference_and_one_digest(log: Log) -> None:
    async def compared() -> Compared:
        views, feeds = await projected(log)
        comparison = Comparison(MemoryWholeLog(feeds), feeds)
        await comparison.read_log(await feeds.end(), lambda _: None)
        return await comparison.with_views(views)

    found = asyncio.run(compared())

    assert found.differences == ()
    assert found.views.digest == found.log.digest


@given(logs())
def test_of_what_is_purged_the_log_keeps_one_event_that_says_so(log: Log) -> None:
    async def left() -> dict[ResponseId | ConversationId, list[str]]:
        _, feeds = await projected(log)
        kinds: dict[ResponseId | ConversationId, list[str]] = {}
        for event in log:
            kinds[about(event)] = [type(one).__name__ for one in await events_of(feeds, event)]
        return kinds

    kinds = asyncio.run(left())

    purged = {about(event) for event in log if type(event).__name__.endswith("Purged")}
    for one, kept in kinds.items():
        if one in purged:
            assert kept in (["Purged"], ["ConversationPurged"])
        else:
            assert len(kept) == sum(about(event) == one for event in log)


@given(logs())
def test_views_built_anew_from_what_the_log_still_has_say_the_same(log: Log) -> None:
    async def both() -> tuple[MemoryViews, MemoryViews]:
        views, feeds = await projected(log)
        feeds.sizes = repeat(MANY)
        return views, (await project(feeds)).only

    former, anew = asyncio.run(both())

    assert said(anew) == said(former)
    if not any(isinstance(event, Purged) for event in log):
        # The children of a purged turn may start anew, as nothing tells where it stood.
        assert told(anew) == told(former)


@given(logs(), st.integers(0, 12), st.integers(1, 3), st.sampled_from([0, MANY]))
def test_whoever_heard_of_all_changes_knows_every_turn_however_far_the_views_are(
    log: Log, batches: int, size: int, remembered_bytes: int
) -> None:
    async def recalled() -> dict[ResponseId, object]:
        feeds = await appended(log, repeat(size))
        generations = await project(feeds, batches=batches)
        recall = hearing(log, feeds, generations, RecentTurns(remembered_bytes))
        # Twice, as the first answer may be remembered.
        for one in folded:
            await recall.turn(TENANT, one)
        return {one: readable(await recall.turn(TENANT, one)) for one in folded}

    folded = folded_turns(log)

    assert asyncio.run(recalled()) == {one: readable(turn) for one, turn in folded.items()}


@given(logs(), st.integers(0, 12), st.integers(1, 3), st.sampled_from([0, MANY]))
def test_a_history_leaves_out_what_is_deleted_and_needs_all_the_rest(
    log: Log, batches: int, size: int, remembered_bytes: int
) -> None:
    async def read() -> dict[ResponseId, list[ResponseId] | None]:
        feeds = await appended(log, repeat(size))
        generations = await project(feeds, batches=batches)
        recall = hearing(log, feeds, generations, RecentTurns(remembered_bytes))
        pages = {one: await read_history(recall, TENANT, one) for one in folded}
        return {
            one: [turn.response_id for turn in page.turns] if isinstance(page, Page) else None
            for one, page in pages.items()
        }

    folded = folded_turns(log)

    assert asyncio.run(read()) == {one: naive_history(folded, one) for one in folded}


@given(logs(), st.integers(0, 12), st.integers(1, 3))
def test_a_conversation_is_what_the_log_says_however_far_the_views_are(
    log: Log, batches: int, size: int
) -> None:
    async def found() -> dict[ConversationId, tuple[object, int] | None]:
        feeds = await appended(log, repeat(size))
        generations = await project(feeds, batches=batches)
        views = {one: await find_conversation(feeds, generations, TENANT, one) for one in folded}
        return {one: view and (view.conversation, view.sequence) for one, view in views.items()}

    folded = folded_conversations(log)
    last = {about(event): at for at, event in enumerate(log, 1)}

    assert asyncio.run(found()) == {
        one: state and (state, last[one]) for one, state in folded.items()
    }


def hearing(
    log: Log, feeds: FailingFeeds, generations: FailingGenerations, recent: RecentTurns
) -> Recall:
    """Give who believes the views, as all changes in the log were heard."""
    for event in log:
        if not isinstance(event, ConversationEvent) and is_change(event):
            recent.outdate(event.response_id)
    believing = Freshness(MemoryFeeds(), generations, recent, lambda: 0)
    return Recall(feeds, generations, recent, believing)


def naive_history(folded: dict[ResponseId, Turn], newest: ResponseId) -> list[ResponseId] | None:
    found: list[ResponseId] = []
    wanted: ResponseId | None = newest
    while wanted is not None:
        turn = folded.get(wanted)
        if isinstance(turn, Erased) and isinstance(turn.last, Purged) and wanted != newest:
            wanted = turn.last.previous_response_id
            continue
        if not isinstance(turn, ClosedTurn) or not turn.closed.stored:
            return None
        if turn.deleted and wanted == newest:
            return None
        if not turn.deleted:
            found.insert(0, wanted)
        wanted = turn.request.previous_response_id
    return found


async def projected(log: Log) -> tuple[MemoryViews, FailingFeeds]:
    feeds = await appended(log, repeat(3))
    return (await project(feeds)).only, feeds


async def events_of(log: MemoryEventLog, like: Event) -> list[Event]:
    if isinstance(like, ConversationEvent):
        recorded = await log.read_conversation(TENANT, like.conversation_id)
        return [one.event for one in recorded]
    return [one.event for one in await log.read(TENANT, like.response_id)]


def told(views: MemoryViews) -> object:
    return views.written, views.conversations.written


def said(views: MemoryViews) -> object:
    turns = {one: (view.turn, view.deleted) for one, view in views.written.items()}
    return turns, views.conversations.written


def about(event: Event) -> ResponseId | ConversationId:
    return event.conversation_id if isinstance(event, ConversationEvent) else event.response_id


def is_change(event: AnyEvent) -> bool:
    return isinstance(event, TurnChange)


def folded_turns(log: Log) -> dict[ResponseId, Turn]:
    of: dict[ResponseId, list[AnyEvent]] = {}
    for event in log:
        if not isinstance(event, ConversationEvent):
            of.setdefault(event.response_id, []).append(event)
    return {one: fold(events) for one, events in of.items()}


def folded_conversations(log: Log) -> dict[ConversationId, State]:
    of: dict[ConversationId, list[AnyConversationEvent]] = {}
    for event in log:
        if isinstance(event, ConversationEvent):
            of.setdefault(event.conversation_id, []).append(event)
    return {one: fold_conversation(events) for one, events in of.items()}


def readable(turn: Turn | StoredTurn | Running | None) -> object:
    """Give what a reader is told of a turn, however it was found."""
    match turn:
        case StoredTurn() if turn.turn:
            return msgspec.json.decode(turn.turn, type=ClosedTurn), turn.deleted
        case ClosedTurn() if turn.closed.stored:
            return turn, turn.deleted
        case _:
            return None
