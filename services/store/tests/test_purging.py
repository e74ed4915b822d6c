"""What is purged is gone: from the views, and from the log but for the event that says so."""

import pytest

from turnwire_chassis.event_log import Recorded
from turnwire_contracts import codec
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_store.chain_position import ChainPosition, ChainStatus
from turnwire_store.feed import FeedEntry
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.log_excerpt import parts, taken_away
from turnwire_store.projecting.projector import Projector
from turnwire_store.projecting.view_builder import ProjectionLimits
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import Generations
from turnwire_testing import examples
from turnwire_testing.examples import CONVERSATION_ID, TENANT
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.projections import MANY, appended, project
from turnwire_testing.stored_turns import turn_id


def turn(number: int, previous: int | None = None) -> list[AnyEvent]:
    about = {"response_id": turn_id(number)}
    parent = None if previous is None else turn_id(previous)
    return [examples.requested(**about, previous_response_id=parent), examples.closed(**about)]


async def follow(feeds: MemoryFeeds, generations: Generations) -> RecentTurns:
    recent = RecentTurns(MANY)
    projector = Projector(ProjectorPorts(feeds, feeds, generations, recent))
    async for behind in projector.follow(0):
        if behind == 0:
            break
    return recent


async def kinds(feeds: MemoryFeeds, response_id: ResponseId) -> list[str]:
    return [type(one.event).__name__ for one in await feeds.read(TENANT, response_id)]


async def test_a_purged_turn_is_gone_from_views_log_and_memory(all_views: Generations) -> None:
    change = examples.deleted(response_id=turn_id(1))
    feeds = await appended([*turn(1), change, examples.purged(response_id=turn_id(1)), *turn(2)])

    recent = await follow(feeds, all_views)

    assert await all_views.views(0).find(turn_id(1)) is None
    assert recent.get(turn_id(1)) is None
    assert await kinds(feeds, turn_id(1)) == ["Purged"]
    assert await kinds(feeds, turn_id(2)) == ["Requested", "Closed"]


async def test_what_comes_after_a_purge_goes_as_well(all_views: Generations) -> None:
    feeds = await appended([*turn(1), examples.purged(response_id=turn_id(1))])
    await follow(feeds, all_views)

    for late in (*examples.UPDATES.values(), examples.purged):
        await feeds.append(late(response_id=turn_id(1)), None)
    await feeds.append(examples.conversation_created(), None)
    await feeds.append(examples.conversation_purged(), None)
    await follow(feeds, all_views)
    await feeds.append(examples.turn_added(), None)
    await follow(feeds, all_views)

    assert await kinds(feeds, turn_id(1)) == ["Purged"]
    left = await feeds.read_conversation(TENANT, CONVERSATION_ID)
    assert [type(one.event).__name__ for one in left] == ["ConversationPurged"]


async def test_a_turn_that_is_not_purged_keeps_all_of_its_events(all_views: Generations) -> None:
    unstored = examples.closed(response_id=turn_id(1), stored=False)
    feeds = await appended([unstored, examples.deleted(response_id=turn_id(1))])

    await follow(feeds, all_views)

    assert await kinds(feeds, turn_id(1)) == ["Closed", "Deleted"]


@pytest.mark.parametrize("chain_statuses", [0, MANY])
@pytest.mark.parametrize("size", [1, MANY])
async def test_a_child_that_ends_after_its_parent_was_purged_starts_anew(
    chain_statuses: int, size: int
) -> None:
    purge = examples.purged(response_id=turn_id(1))
    feeds = await appended([*turn(1), purge, *turn(2, 1)], iter([size] * 10))

    views = (await project(feeds, limits=ProjectionLimits(chain_statuses=chain_statuses))).only

    assert views.written[turn_id(2)].place == ChainPosition(turn_id(2), 0)


@pytest.mark.parametrize("chain_statuses", [0, MANY])
@pytest.mark.parametrize("size", [1, MANY])
async def test_the_chain_goes_on_where_a_purged_turn_was(chain_statuses: int, size: int) -> None:
    purge = examples.purged(response_id=turn_id(2))
    log = [*turn(1), *turn(2, 1), purge, *turn(3, 1)]
    feeds = await appended(log, iter([size] * 10))

    views = (await project(feeds, limits=ProjectionLimits(chain_statuses=chain_statuses))).only

    assert await views.chain_statuses([turn_id(1)]) == {
        turn_id(1): ChainStatus(2, ChainPosition(turn_id(1), 0), turn_id(3), owner=examples.OWNER)
    }


async def test_a_purged_turn_that_cannot_be_read_is_told_of_and_the_rest_goes_on(
    all_views: Generations,
) -> None:
    class Unreadable(MemoryFeeds):
        async def read(
            self, tenant: TenantId, response_id: ResponseId, after: int = 0
        ) -> list[Recorded]:
            del tenant, after
            raise codec.UnreadableEventError(response_id)

    feeds = Unreadable()
    for event in (*turn(1), examples.purged(response_id=turn_id(1)), *turn(2)):
        await feeds.append(event, None)

    await follow(feeds, all_views)

    assert [letter.subject for letter in feeds.dead_letters] == [f"turn.acme.{turn_id(1)}.purged"]
    assert await all_views.views(0).find(turn_id(1)) is None
    assert await all_views.views(0).find(turn_id(2)) is not None


async def test_an_event_that_a_conversation_cannot_have_is_buried_and_it_goes_on(
    all_views: Generations,
) -> None:
    feeds = await appended([examples.conversation_created(), examples.conversation_created()])
    sequence = await feeds.append(examples.conversation_updated(), None)
    subject = f"conversation.acme.{CONVERSATION_ID}.dreamt"
    feeds.entries[-1] = FeedEntry(subject, b"{}", sequence)
    await follow(feeds, all_views)

    await feeds.append(examples.turn_added(), None)
    await follow(feeds, all_views)

    assert [letter.about for letter in feeds.dead_letters] == [CONVERSATION_ID] * 2
    kept = (await all_views.views(0).conversations.find([CONVERSATION_ID]))[CONVERSATION_ID]
    assert (kept.created, kept.sequence) == (1, 4)
    assert kept.conversation.last == examples.turn_added().response_id


def test_a_batch_is_cut_behind_what_takes_views_away() -> None:
    subjects = ["turn.a.1.closed", "turn.a.2.purged", "turn.a.3.purged", "conversation.a.1.purged"]
    entries = [FeedEntry(subject, b"", at) for at, subject in enumerate(subjects)]
    two, three = ResponseId("2"), ResponseId("3")

    def cut(taken: set[ResponseId]) -> list[list[int]]:
        return [[one.sequence for one in part] for part in parts(entries, taken)]

    assert cut({two, three}) == [[0, 1, 2], [3]]
    assert cut({two}) == [[0, 1], [2, 3]]
    assert cut(set()) == [[0, 1, 2, 3]]
    assert [len(part) for part in parts(entries[:3], {three})] == [3]
    assert parts([], set()) == []


def test_a_purge_takes_a_view_away_if_there_is_one_or_the_turn_has_just_ended() -> None:
    subjects = ["turn.a.1.closed", *(f"turn.a.{number}.purged" for number in (1, 2, 3)), "turn.x"]
    entries = [
        FeedEntry(subject, b"", at) for at, subject in enumerate([*subjects, "turn.a.3.closed"])
    ]

    assert taken_away(entries, {ResponseId("2")}) == {ResponseId("1"), ResponseId("2")}


async def test_purges_of_turns_without_views_ask_the_log_once_for_all_of_them(
    all_views: Generations,
) -> None:
    class Counting(MemoryFeeds):
        reads = 0

        async def read(
            self, tenant: TenantId, response_id: ResponseId, after: int = 0
        ) -> list[Recorded]:
            self.reads += 1
            return await super().read(tenant, response_id, after)

    feeds = Counting()
    for number in range(20):
        await feeds.append(examples.purged(response_id=turn_id(number)), None)
    half_erased = examples.deleted(response_id=turn_id(20))
    await feeds.append(half_erased, None)
    await feeds.append(examples.purged(response_id=turn_id(20)), None)
    feeds.reads = 0

    await follow(feeds, all_views)

    # The change that came before its turn's purge looks for one, and so does the purge.
    assert feeds.reads == 2
    assert await kinds(feeds, turn_id(20)) == ["Purged"]
