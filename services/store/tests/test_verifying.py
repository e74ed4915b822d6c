"""What is found when views do not say what the log says, and what is no difference."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from turnwire_chassis.event_log import EventLog, Recorded
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.projecting.retrying import retry
from turnwire_store.rebuild import OvertakenError, Quiet, Rebuilding, Rebuilt
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.verifying.comparison import Compared, Comparison, projection_of
from turnwire_store.verifying.digest import Difference
from turnwire_store.views import Generations, Views
from turnwire_testing import examples
from turnwire_testing.examples import CONVERSATION_ID, TENANT, closed, requested
from turnwire_testing.memory_feed import MemoryFeeds, MemoryWholeLog
from turnwire_testing.memory_views import MemoryGenerations, MemoryViews

FIRST, SECOND, THIRD = (ResponseId(f"resp_{number:032x}") for number in range(1, 4))


@dataclass
class Rig:
    """A log of three turns and a conversation, projected once."""

    feeds: MemoryFeeds
    generations: MemoryGenerations

    @property
    def views(self) -> MemoryViews:
        """Those that serve at first."""
        return self.generations.views(0)

    async def compare(self) -> Compared:
        """Compare them with the log."""
        comparison = Comparison(MemoryWholeLog(self.feeds), self.feeds)
        await comparison.read_log(await self.feeds.end(), lambda _: None)
        return await comparison.with_views(self.views)

    async def rebuild(self) -> Rebuilt:
        """Build them anew."""
        ports = ProjectorPorts(self.feeds, self.feeds, self.generations, RecentTurns(0))
        whole = MemoryWholeLog(self.feeds)
        return await Rebuilding(Projector(ports), self.generations, whole, self.feeds).run(Quiet())


@pytest.fixture
async def rig() -> Rig:
    """Everything is right in it."""
    feeds, generations = MemoryFeeds(), MemoryGenerations()
    await feeds.append(examples.conversation_created(), None)
    for one in (FIRST, SECOND, THIRD):
        await feeds.append(requested(response_id=one), None)
        await feeds.append(closed(response_id=one), None)
    await feeds.append(examples.deleted(response_id=THIRD), None)
    await project(feeds, generations, feeds)
    return Rig(feeds, generations)


async def project(feeds: MemoryFeeds, generations: Generations, log: EventLog) -> None:
    """Project all that there is."""
    ports = ProjectorPorts(log, feeds, generations, RecentTurns(0))
    async for behind in Projector(ports).follow(0):
        if behind == 0:
            return


async def test_views_that_are_damaged_are_found_by_their_ids(rig: Rig) -> None:
    kept = rig.views.written
    kept[FIRST] = replace(kept[FIRST], turn=kept[FIRST].turn.replace("hi", "ho"), status="failed")
    gone = kept.pop(SECOND)
    kept[ResponseId("resp_of_nothing")] = replace(gone, response_id=ResponseId("resp_of_nothing"))
    kept[THIRD] = replace(kept[THIRD], deleted=False)
    rig.views.conversations.written.clear()

    found = await rig.compare()

    assert found.differences == (
        Difference(FIRST, "different"),
        Difference(SECOND, "missing"),
        Difference(THIRD, "different"),
        Difference("resp_of_nothing", "unexpected"),
        Difference(CONVERSATION_ID, "missing"),
    )
    assert found.views.digest != found.log.digest


async def test_what_is_appended_while_views_are_read_is_no_difference(rig: Rig) -> None:
    comparison = Comparison(MemoryWholeLog(rig.feeds), rig.feeds)
    await comparison.read_log(await rig.feeds.end(), lambda _: None)
    later = ResponseId(f"resp_{9:032x}")
    await rig.feeds.append(examples.purged(response_id=FIRST), None)
    await rig.feeds.append(requested(response_id=later), None)
    await rig.feeds.append(closed(response_id=later), None)
    await project(rig.feeds, rig.generations, rig.feeds)

    found = await comparison.with_views(rig.views)

    assert found.differences == ()
    assert set(found.views.turns) == {SECOND, THIRD}


async def test_views_that_are_behind_are_compared_as_far_as_they_are_told(rig: Rig) -> None:
    later = ResponseId(f"resp_{9:032x}")
    await rig.feeds.append(requested(response_id=later), None)
    await rig.feeds.append(closed(response_id=later), None)

    found = await rig.compare()

    assert found.differences == ()
    assert later not in found.log.turns


async def test_a_rebuild_serves_and_says_what_it_has_mended(rig: Rig) -> None:
    gone = rig.views.written.pop(SECOND)

    rebuilt = await rig.rebuild()

    assert rebuilt.serves
    assert rebuilt.new.differences == ()
    assert rebuilt.new.views.digest == rebuilt.new.log.digest
    assert rebuilt.old.differences == (Difference(SECOND, "missing"),)
    assert await rig.generations.serving() == 1
    assert rig.generations.views(1).written[SECOND] == gone


async def test_new_views_that_differ_do_not_serve_and_the_next_are_built_whole(rig: Rig) -> None:
    # As a rebuild would find them that was interrupted, and damaged since.
    await project_into(rig, 1)
    del rig.generations.views(1).written[SECOND]

    rebuilt = await rig.rebuild()

    assert not rebuilt.serves
    assert rebuilt.new.differences == (Difference(SECOND, "missing"),)
    assert await rig.generations.serving() == 0
    again = await rig.rebuild()
    assert again.serves
    assert await rig.generations.serving() == 1


@pytest.mark.parametrize("differs", [False, True])
async def test_a_rebuild_that_was_overtaken_touches_nothing_more(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, *, differs: bool
) -> None:
    ports = ProjectorPorts(rig.feeds, rig.feeds, rig.generations, RecentTurns(0))

    class Overtaken(Quiet):
        def comparing(self, done: int, total: int) -> None:
            del done, total
            monkeypatch.setattr(rig.generations, "_serving", 1)

    whole = MemoryWholeLog(rig.feeds)
    await project_into(rig, 1)
    if differs:
        # It would be dropped.
        del rig.generations.views(1).written[SECOND]
    with pytest.raises(OvertakenError, match="Generation 1 of"):
        await Rebuilding(Projector(ports), rig.generations, whole, rig.feeds).run(Overtaken())
    assert FIRST in rig.generations.views(1).written
    assert await rig.generations.serving() == 1


async def test_a_retry_does_not_bring_back_what_is_purged_meanwhile(rig: Rig) -> None:
    class Purging(MemoryFeeds):
        reads = 0

        async def read(
            self, tenant: TenantId, response_id: ResponseId, after: int = 0
        ) -> list[Recorded]:
            found = await rig.feeds.read(tenant, response_id, after)
            self.reads += 1
            if self.reads == 1:
                await rig.feeds.append(examples.purged(response_id=response_id), None)
                await project(rig.feeds, rig.generations, rig.feeds)
            return found

    ports = ProjectorPorts(Purging(), rig.feeds, rig.generations, RecentTurns(0))

    outcome = await retry(ports, TENANT, SECOND)

    assert outcome.result == "gone"
    assert SECOND not in rig.views.written


async def project_into(rig: Rig, generation: int) -> None:
    """Project all that there is into another generation."""
    ports = ProjectorPorts(rig.feeds, rig.feeds, rig.generations, RecentTurns(0))
    async for behind in Projector(ports).follow(generation):
        if behind == 0:
            return


async def test_what_cannot_be_read_is_told_and_is_no_difference(rig: Rig) -> None:
    poison = rig.feeds.entries[-1]
    subject = poison.subject.replace("deleted", "invented_later")
    rig.feeds.entries[-1] = type(poison)(subject, poison.body, poison.sequence)

    found = await rig.compare()

    assert found.differences == ()
    assert "unknown kind of event" in found.unreadable[THIRD]


async def test_every_adapter_gives_all_that_it_keeps(views: Views, rig: Rig) -> None:
    await views.write(list(rig.views.written.values()))
    await views.conversations.write(list(rig.views.conversations.written.values()))

    assert (await projection_of(views)).digest == (await projection_of(rig.views)).digest
