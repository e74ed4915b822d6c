"""Laws of the projection: the views depend on the log alone, not on how it was read."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import chain, repeat

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts import codec
from turnwire_contracts.events import AnyEvent, Closed
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_store.chain_position import ChainPosition
from turnwire_store.feed import FeedEntry
from turnwire_store.projecting.view_builder import ProjectionLimits
from turnwire_store.queries.freshness import Freshness
from turnwire_store.queries.history import Page, read_history
from turnwire_store.queries.recall import Recall
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import View
from turnwire_testing.examples import TENANT, closed, message, requested, screened, taken_over
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.projections import MANY, FailingGenerations, appended, project
from turnwire_testing.stored_turns import turn_id

Log = list[AnyEvent]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Turns whose events mix; a parent may be any turn, ended or not, another's, or a stray one."""
    waiting: list[Log] = []
    for number in range(draw(st.integers(1, 10))):
        parent = draw(st.none() | st.integers(0, number - 1) if number else st.none())
        stray = draw(st.integers(0, 9)) == 0
        about = {"response_id": turn_id(number), "cause": f"c{number}"}
        previous = turn_id(999) if stray else None if parent is None else turn_id(parent)
        owner = draw(st.sampled_from(["ada", "ada", "ada", "bob"]))
        events: Log = [requested(**about, owner=owner, previous_response_id=previous)]
        if draw(st.booleans()):
            abandoned = {"abandoned": [message("lost")], "cuts": [["B"]]}
            events.append(taken_over(**about, **abandoned))
        events.append(closed(**about, stored=draw(st.integers(0, 9)) > 0))
        waiting.append(events)
    mixed: Log = []
    while waiting:
        # Mostly one after another: a child is seldom asked for before its parent has ended.
        events = waiting[min(draw(st.integers(0, 3)) // 2, len(waiting) - 1)]
        mixed.append(events.pop(0))
        waiting = [left for left in waiting if left]
    return mixed


async def views_of(log: Log) -> dict[ResponseId, View]:
    return (await project(await appended(log))).only.written


def ended_turns(log: Log) -> list[ClosedTurn]:
    """All turns that are stored, in the order in which they ended."""
    of: dict[ResponseId, Log] = {}
    for event in log:
        of.setdefault(event.response_id, []).append(event)
    ids = [event.response_id for event in log if isinstance(event, Closed) and event.stored]
    turns = [fold(of[one]) for one in ids]
    return [turn for turn in turns if isinstance(turn, ClosedTurn)]


@given(
    logs(),
    st.lists(st.integers(1, 6), max_size=30),
    st.lists(st.integers(0, 7), max_size=6),
    st.builds(ProjectionLimits, st.sampled_from([0, 600, MANY]), st.sampled_from([0, 1, MANY])),
)
def test_batches_crashes_redelivery_and_lost_memory_change_nothing(
    log: Log, sizes: list[int], failures: list[int], limits: ProjectionLimits
) -> None:
    async def both() -> tuple[object, object]:
        calm = await views_of(log)
        shaken = await appended(log, chain(sizes, repeat(2)))
        return calm, (await project(shaken, failures, limits)).only.written

    calm, shaken = asyncio.run(both())

    assert shaken == calm


@given(logs())
def test_every_stored_turn_that_ended_has_its_view_and_no_other_has(log: Log) -> None:
    views = asyncio.run(views_of(log))

    turns = {one: msgspec.json.decode(view.turn, type=ClosedTurn) for one, view in views.items()}
    assert turns == {turn.request.response_id: turn for turn in ended_turns(log)}


@given(logs())
def test_the_first_child_continues_the_chain_of_its_parent_and_others_start_their_own(
    log: Log,
) -> None:
    views = asyncio.run(views_of(log))

    successors: set[ResponseId] = set()
    for number, turn in enumerate(ended_turns(log)):
        view = views[turn.request.response_id]
        before = {one.request.response_id for one in ended_turns(log)[:number]}
        parent = views[view.parent] if view.parent is not None and view.parent in before else None
        own = ChainPosition(view.response_id, 0)
        if parent is None or parent.owner != view.owner:
            assert (view.place, view.fork) == (own, None)
        elif parent.response_id in successors:
            assert (view.place, view.fork) == (own, parent.place)
        else:
            successors.add(parent.response_id)
            below = ChainPosition(parent.place.chain, parent.place.depth + 1)
            assert (view.place, view.fork) == (below, None)


@given(logs(), st.integers(0, 20), st.sampled_from([1, 2_000, MANY]), st.sampled_from([0, MANY]))
def test_a_history_is_the_walk_from_parent_to_parent_however_far_the_views_are(
    log: Log, batches: int, page_bytes: int, remembered_bytes: int
) -> None:
    async def read() -> dict[ResponseId, list[ClosedTurn] | None]:
        feeds = await appended(log, repeat(1))
        generations = await project(feeds, batches=batches)
        recent = RecentTurns(remembered_bytes)
        believing = Freshness(MemoryFeeds(), generations, recent, lambda: 0)
        recall = Recall(feeds, generations, recent, believing)
        return {one: await whole_history(recall, one, page_bytes) for one in known}

    known = {turn.request.response_id: turn for turn in ended_turns(log)}

    histories = asyncio.run(read())

    assert histories == {one: naive_history(known, one) for one in known}


async def whole_history(
    recall: Recall, wanted: ResponseId | None, page_bytes: int
) -> list[ClosedTurn] | None:
    turns: list[ClosedTurn] = []
    while wanted is not None:
        page = await read_history(recall, TENANT, wanted, page_bytes)
        if not isinstance(page, Page):
            return None
        turns[:0] = [msgspec.json.decode(one.turn, type=ClosedTurn) for one in page.turns]
        wanted = page.before
    return turns


def naive_history(
    known: dict[ResponseId, ClosedTurn], wanted: ResponseId | None
) -> list[ClosedTurn] | None:
    turns: list[ClosedTurn] = []
    while wanted is not None:
        if wanted not in known:
            return None
        if turns and turns[0].request.owner != known[wanted].request.owner:
            return None
        turns.insert(0, known[wanted])
        wanted = known[wanted].request.previous_response_id
    return turns


async def spoilt(spoil: Callable[[MemoryFeeds], Awaitable[object]]) -> FailingGenerations:
    """Project a log with two good turns and something bad between them."""
    feeds = await appended([requested(), closed()])
    await spoil(feeds)
    for event in (requested(response_id=turn_id(2)), closed(response_id=turn_id(2))):
        await feeds.append(event, None)
    generations = await project(feeds)
    assert turn_id(2) in generations.only.written
    assert len(feeds.dead_letters) == 1
    return generations


async def test_an_event_of_an_unknown_kind_is_buried_and_the_rest_goes_on() -> None:
    async def spoil(feeds: MemoryFeeds) -> None:
        sequence = await feeds.append(requested(response_id=turn_id(1)), None)
        feeds.entries[-1] = FeedEntry(f"turn.acme.{turn_id(1)}.dreamt", b"{}", sequence)

    generations = await spoilt(spoil)

    assert turn_id(1) not in generations.only.written


async def test_an_event_that_speaks_of_another_turn_than_its_subject_is_buried() -> None:
    async def spoil(feeds: MemoryFeeds) -> None:
        sequence = await feeds.append(requested(response_id=turn_id(1)), None)
        body = codec.encode(requested())
        feeds.entries[-1] = FeedEntry(f"turn.acme.{turn_id(1)}.requested", body, sequence)

    await spoilt(spoil)


async def test_a_message_that_is_no_event_of_a_turn_is_buried() -> None:
    async def spoil(feeds: MemoryFeeds) -> None:
        sequence = await feeds.append(requested(response_id=turn_id(1)), None)
        feeds.entries[-1] = FeedEntry("turn.x", b"", sequence)

    await spoilt(spoil)


async def test_a_second_end_of_a_turn_is_buried_and_the_first_stays() -> None:
    async def spoil(feeds: MemoryFeeds) -> None:
        await feeds.append(closed(status="failed", output=[]), None)

    generations = await spoilt(spoil)

    assert generations.only.written[requested().response_id].status == "completed"


async def test_a_turn_whose_request_was_erased_has_no_view() -> None:
    feeds = await appended([requested(), screened(), closed()])
    await feeds.erase((await feeds.read(TENANT, requested().response_id))[0])

    generations = await project(feeds)

    assert generations.only.written == {}
