"""The feed on a real broker."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from turnwire_chassis.jetstream import api, topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_store import jetstream_feed, jetstream_feeds
from turnwire_store.feed import FeedLostError
from turnwire_store.jetstream_feed import JetStreamFeed
from turnwire_store.jetstream_feeds import JetStreamFeeds
from turnwire_testing.examples import TENANT, closed, deleted, fresh_id, purged, requested
from turnwire_testing.waiting import eventually

WITHIN_S = 20


@pytest.fixture
async def jetstream(client: Client) -> JetStreamContext:
    """The broker with its streams."""
    return await topology.declare(client, 1)


@pytest.fixture
def event_log(client: Client, jetstream: JetStreamContext) -> JetStreamEventLog:
    """The log that the broker keeps; other tests write into it too."""
    return JetStreamEventLog(client, jetstream)


@pytest.fixture
def feeds(client: Client) -> JetStreamFeeds:
    """The feeds of one process."""
    return JetStreamFeeds(client, 1, uuid4().hex)


@pytest.fixture
def generation() -> int:
    """A generation that no other test reads for."""
    return random.randrange(10**9)  # noqa: S311 -- no secret


@pytest.fixture
async def start(jetstream: JetStreamContext) -> int:
    """Where the log goes on after what other tests wrote."""
    info = await jetstream.stream_info(subjects.TURNS_STREAM)
    return info.state.last_seq + 1


@pytest.fixture
async def feed(feeds: JetStreamFeeds, generation: int, start: int) -> AsyncGenerator[JetStreamFeed]:
    """A feed of what this test writes."""
    async with feeds.open(generation, start) as opened:
        yield opened


async def write_turn(event_log: JetStreamEventLog) -> list[int]:
    response_id = fresh_id()
    first = await event_log.append(requested(response_id=response_id), 0)
    return [first, await event_log.append(closed(response_id=response_id), first)]


async def sequences(feed: JetStreamFeed, count: int) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(WITHIN_S):
        while len(found) < count:
            found += [entry.sequence for entry in await feed.next_batch()]
    return found


async def pull_arrived(client: Client, generation: int) -> None:
    """Wait until the consumer holds a pull; one that comes while it is deleted gets no answer."""

    async def waits() -> bool:
        reply = await client.request(f"$JS.API.CONSUMER.INFO.TURNS.store-{generation}", b"")
        return json.loads(reply.data)["num_waiting"] == 1

    await eventually(waits, WITHIN_S)


async def test_entries_come_in_the_order_of_the_log_from_the_start_on(
    feeds: JetStreamFeeds, event_log: JetStreamEventLog, generation: int
) -> None:
    written = [*await write_turn(event_log), *await write_turn(event_log)]

    async with feeds.open(generation, written[1]) as feed:
        assert feed.behind == 3
        assert await sequences(feed, 3) == written[1:]
        assert feed.behind == 0


async def test_what_comes_close_together_is_given_together(
    feed: JetStreamFeed, event_log: JetStreamEventLog
) -> None:
    waiting = asyncio.create_task(feed.next_batch())

    written = await write_turn(event_log)

    async with asyncio.timeout(WITHIN_S):
        assert [entry.sequence for entry in await waiting] == written


async def test_more_entries_than_one_sweep_takes_come_without_a_gap(
    feeds: JetStreamFeeds, event_log: JetStreamEventLog, generation: int, start: int
) -> None:
    written: list[int] = []
    # Not all at once: the last would wait longer for a busy broker than an append may.
    for _ in range(20):
        ids = [fresh_id() for _ in range(50)]
        written += await asyncio.gather(
            *(event_log.append(requested(response_id=one), 0) for one in ids)
        )

    # Only now: the broker forgets who asks for nothing for a while, and writing may take that long.
    async with feeds.open(generation, start) as feed:
        assert await sequences(feed, 1000) == sorted(written)


async def test_an_erased_entry_is_passed_over(
    feed: JetStreamFeed, event_log: JetStreamEventLog
) -> None:
    response_id = fresh_id()
    first = await event_log.append(requested(response_id=response_id), 0)
    await event_log.erase((await event_log.read(TENANT, response_id))[0])
    second = await event_log.append(closed(response_id=response_id), None)

    assert first < second
    assert await sequences(feed, 1) == [second]


async def test_a_gap_ends_the_feed(feed: JetStreamFeed, event_log: JetStreamEventLog) -> None:
    feed._delivered = 1  # pyright: ignore[reportPrivateUsage] -- as if one had not come

    await write_turn(event_log)

    with pytest.raises(FeedLostError, match="lost"):
        await sequences(feed, 1)


async def test_a_reconnection_ends_the_feed(feeds: JetStreamFeeds, feed: JetStreamFeed) -> None:
    waiting = asyncio.create_task(feed.next_batch())
    await asyncio.sleep(0)

    feeds.interrupt()

    with pytest.raises(FeedLostError, match="the broker was lost"):
        await asyncio.wait_for(waiting, WITHIN_S)


async def test_a_consumer_that_the_broker_forgot_ends_the_feed(
    feed: JetStreamFeed, client: Client, generation: int
) -> None:
    waiting = asyncio.create_task(feed.next_batch())
    await pull_arrived(client, generation)

    await client.request(f"$JS.API.CONSUMER.DELETE.TURNS.store-{generation}", b"")

    with pytest.raises(FeedLostError, match=r"409|503"):
        await asyncio.wait_for(waiting, WITHIN_S)


async def test_a_batch_that_takes_long_does_not_cost_the_consumer(
    monkeypatch: pytest.MonkeyPatch,
    client: Client,
    generation: int,
    start: int,
    event_log: JetStreamEventLog,
) -> None:
    monkeypatch.setattr(jetstream_feeds, "FORGOTTEN_AFTER_S", 1)
    monkeypatch.setattr(jetstream_feed, "STAYS_EVERY_S", 0.3)
    async with JetStreamFeeds(client, 1, uuid4().hex).open(generation, start) as feed:
        written = await write_turn(event_log)
        assert await sequences(feed, len(written)) == written
        async with asyncio.timeout(WITHIN_S):
            asked = await client.subscribe(api.next_messages("TURNS", f"store-{generation}"))
            for _ in range(6):
                await asked.next_msg(WITHIN_S)
            await asked.unsubscribe()
        written = await write_turn(event_log)
        assert await sequences(feed, len(written)) == written


async def test_another_process_stands_by_until_the_first_leaves(
    client: Client, generation: int, start: int, event_log: JetStreamEventLog
) -> None:
    first, second = (JetStreamFeeds(client, 1, uuid4().hex) for _ in range(2))

    async def read_as_second(written: int) -> list[int]:
        async with second.open(generation, start) as feed:
            return await sequences(feed, written)

    async with first.open(generation, start) as feed:
        standing_by = asyncio.create_task(read_as_second(2))
        written = await write_turn(event_log)
        assert await sequences(feed, 2) == written
        assert not standing_by.done()

    assert await asyncio.wait_for(standing_by, WITHIN_S) == written


async def test_a_process_takes_the_place_of_its_own_former_feed(
    feeds: JetStreamFeeds, feed: JetStreamFeed, generation: int, start: int
) -> None:
    async with asyncio.timeout(WITHIN_S), feeds.open(generation, start) as following:
        assert following is not feed


async def test_a_log_that_ends_before_the_views_do_is_refused(
    feeds: JetStreamFeeds, generation: int, start: int
) -> None:
    with pytest.raises(FeedLostError, match="before the views do"):
        async with feeds.open(generation, start + 1):
            pass


async def test_a_dead_letter_is_kept_once(
    feeds: JetStreamFeeds, jetstream: JetStreamContext
) -> None:
    response_id = fresh_id()
    letter = DeadLetter("turn.x", random.randrange(10**9), "why", response_id)  # noqa: S311 -- no secret

    await feeds.keep_dead_letter(letter)
    await feeds.keep_dead_letter(letter)

    subject = subjects.dead("unprojectable", response_id)
    info = await jetstream.stream_info(subjects.DEAD_STREAM, subjects_filter=subject)
    counts: dict[str, Any] = info.state.subjects or {}
    assert counts == {subject: 1}


async def test_of_many_purges_those_are_told_of_which_the_log_has_more(
    feeds: JetStreamFeeds, event_log: JetStreamEventLog
) -> None:
    # More than are asked for at once, so that every question has its part.
    ids = [fresh_id() for _ in range(120)]
    last = {one: await event_log.append(purged(response_id=one), None) for one in ids}
    half, again, other = ids[0], ids[60], ids[119]
    last[half] = await event_log.append(deleted(response_id=half), None)
    await event_log.append(purged(response_id=again), None)
    purges = {subjects.turn(TENANT, one): sequence for one, sequence in last.items()}
    never = subjects.turn(TENANT, fresh_id())

    left = await feeds.unerased({**purges, never: 1, subjects.turn(TENANT, other): last[half]})

    assert left == {subjects.turn(TENANT, one) for one in (half, again, other)} | {never}
    assert await feeds.unerased({}) == set()
