"""When the views are fresh: not before they know what happened while no change was heard."""

import asyncio
from dataclasses import dataclass, field

import pytest

from turnwire_store.feed import FeedLostError
from turnwire_store.queries.freshness import Freshness, ViewsPosition
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import StoredTurn, ViewsUnavailableError
from turnwire_testing.examples import RESPONSE_ID, TENANT, requested
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.memory_views import MemoryGenerations

TURN = StoredTurn(RESPONSE_ID, TENANT, None, None, b"{}")


@dataclass
class World:
    """A log, views that nobody moves but the test, and a connection."""

    log: MemoryFeeds = field(default_factory=MemoryFeeds)
    generations: MemoryGenerations = field(default_factory=MemoryGenerations)
    recent: RecentTurns = field(default_factory=lambda: RecentTurns(100_000))
    connections: int = 0

    def freshness(self, patience_s: float = 5) -> Freshness:
        """Compare these."""
        return Freshness(
            self.log, self.generations, self.recent, lambda: self.connections, patience_s
        )

    async def happen(self) -> int:
        """Let something happen; gives its sequence."""
        return await self.log.append(requested(), None)

    async def project(self) -> None:
        """Bring the views to the end of the log."""
        await self.generations.views(0).advance(await self.log.end())


@pytest.fixture
def world() -> World:
    """A world in which nothing has happened."""
    return World()


async def test_views_are_believed_as_soon_as_they_know_what_happened_before(world: World) -> None:
    freshness = world.freshness()
    await world.happen()
    assert not await freshness.is_fresh()

    await world.project()

    assert await freshness.is_fresh()


async def test_what_happens_later_is_heard_so_views_may_lag_behind(world: World) -> None:
    freshness = world.freshness()
    assert await freshness.is_fresh()

    await world.happen()

    assert await freshness.is_fresh()


async def test_what_happened_after_the_first_question_need_not_be_waited_for(world: World) -> None:
    freshness = world.freshness()
    before = await world.happen()
    assert not await freshness.is_fresh()

    await world.happen()
    await world.generations.views(0).advance(before)

    assert await freshness.is_fresh()


async def test_after_a_reconnection_everything_is_doubted_again(world: World) -> None:
    freshness = world.freshness()
    assert await freshness.is_fresh()
    mark = world.recent.mark()
    world.recent.put(TURN)

    await world.happen()
    world.connections += 1

    assert not await freshness.is_fresh()
    assert world.recent.get(RESPONSE_ID) is None
    world.recent.put(TURN, mark)
    assert world.recent.get(RESPONSE_ID) is None
    await world.project()
    assert await freshness.is_fresh()


async def test_a_connection_that_is_lost_while_views_are_compared_proves_nothing(
    world: World,
) -> None:
    class Losing(MemoryFeeds):
        async def end(self) -> int:
            world.connections += 1
            return 0

    freshness = Freshness(Losing(), world.generations, world.recent, lambda: world.connections)

    assert not await freshness.is_fresh()


async def test_nothing_is_believed_while_log_or_views_are_away(world: World) -> None:
    class Lost(MemoryFeeds):
        async def end(self) -> int:
            raise FeedLostError("away")

    class Unreachable(MemoryGenerations):
        async def serving(self) -> int:
            raise ViewsUnavailableError("away")

    without_log = Freshness(Lost(), world.generations, world.recent, lambda: 0)
    without_views = Freshness(world.log, Unreachable(), world.recent, lambda: 0)

    assert not await without_log.is_fresh()
    assert not await without_views.is_fresh()
    assert await without_log.caught_up() == ViewsPosition(0, whole=False)
    with pytest.raises(ViewsUnavailableError):
        await without_views.caught_up()


async def test_a_list_waits_for_what_has_just_happened(world: World) -> None:
    end = await world.happen()
    waiting = asyncio.create_task(world.freshness().caught_up())
    await asyncio.sleep(0)

    await world.project()
    await world.happen()

    assert await waiting == ViewsPosition(end, whole=True)


async def test_a_list_does_not_wait_for_ever(world: World) -> None:
    await world.happen()

    assert await world.freshness(patience_s=0.05).caught_up() == ViewsPosition(0, whole=False)
