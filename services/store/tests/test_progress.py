"""What a store says of its projection: how far it is, and why nothing is written."""

from turnwire_contracts.administration.deployment import (
    STORE_PROJECTION,
    AskForProjection,
    ProjectionStatus,
)
from turnwire_contracts.queries import Refusal
from turnwire_store.handlers import QueryHandlers
from turnwire_store.projecting.projector import ProjectionProgress
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import ViewsUnavailableError
from turnwire_testing.examples import OTHER_ID, closed, requested
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.memory_views import MemoryGenerations
from turnwire_testing.query_handlers import query_handlers


class Clock:
    """A time that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_stands_in_the_way_for_long_is_told_until_a_batch_is_written() -> None:
    clock = Clock()
    progress = ProjectionProgress(clock)
    progress.goes_on(0, 7, 3)
    progress.is_interrupted("the disk is full")
    clock.now = 9
    assert await progress.check() is None

    # It begins again and fails again: the first failure counts.
    progress.opens(7)
    progress.goes_on(0, 7, 5)
    progress.is_interrupted("the disk is still full")
    clock.now = 12
    assert await progress.check() == ("no views have been written for 12 s: the disk is still full")

    progress.goes_on(0, 9, 3)
    assert await progress.check() is None
    assert progress.is_active


async def test_who_stands_by_after_an_interruption_is_well() -> None:
    clock = Clock()
    progress = ProjectionProgress(clock)
    progress.goes_on(0, 7, 0)
    progress.is_interrupted("the broker is silent")
    progress.opens(7)

    clock.now = 60

    assert await progress.check() is None
    assert not progress.is_active


class UnreachableGenerations(MemoryGenerations):
    """Views whose server is gone."""

    async def serving(self) -> int:
        raise ViewsUnavailableError("gone")


def handlers_over(log: MemoryFeeds, generations: MemoryGenerations) -> QueryHandlers:
    return query_handlers(log, generations, RecentTurns(0))


async def test_how_far_the_views_are_is_told_to_who_asks_and_to_operators() -> None:
    log = MemoryFeeds()
    generations = MemoryGenerations()
    handlers = handlers_over(log, generations)
    for event in (requested(), closed(), requested(response_id=OTHER_ID)):
        await log.append(event, None)
    await generations.views(0).advance(1)
    handlers.progress.goes_on(0, 1, 2)

    asked = STORE_PROJECTION.encode_question(AskForProjection())
    told = STORE_PROJECTION.decode_answer(await handlers.projection(asked))

    expected = ProjectionStatus(generation=0, checkpoint=1, log_end=3, writes_here=True)
    assert (told, expected.lag) == (expected, 2)
    assert await handlers.tell_position() == (
        "generation 0, checkpoint 1 of the log's 3, at most 2 events behind; "
        "this process writes the views"
    )


async def test_without_a_database_nobody_can_tell_how_far_the_views_are() -> None:
    handlers = handlers_over(MemoryFeeds(), UnreachableGenerations())

    told = await handlers.projection(STORE_PROJECTION.encode_question(AskForProjection()))

    assert isinstance(STORE_PROJECTION.decode_answer(told), Refusal)
    assert await handlers.tell_position() == "cannot be told: gone"
