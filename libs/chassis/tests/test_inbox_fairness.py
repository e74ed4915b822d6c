"""Two inboxes and a tenant that floods: who is quiet waits for a place, and not in its line."""

import asyncio
import os
import sys
import uuid
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

import turnwire_testing
from turnwire_chassis.jetstream.delivery import Delivery
from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_contracts.subjects import TURNS_STREAM
from turnwire_testing.inboxes import HEARTBEAT_S, consumer_of
from turnwire_testing.waiting import eventually

WITHIN_S = 20.0
PLACES = 4


class Worker:
    """Works on each delivery until that, or everything, is told to end."""

    def __init__(self) -> None:
        """Nothing has come."""
        self.running: dict[str, asyncio.Event] = {}
        self.finished: list[str] = []
        self.overdue: list[str] = []
        self.most_busy = 0
        self._all_end = False

    async def __call__(self, delivery: Delivery) -> None:
        """Work."""
        name = delivery.body.decode()
        if delivery.overdue:
            self.overdue.append(name)
            return
        ended = self.running[name] = asyncio.Event()
        self.most_busy = max(self.most_busy, len(self.running))
        try:
            if not self._all_end:
                await asyncio.wait_for(ended.wait(), WITHIN_S)
            self.finished.append(name)
        finally:
            del self.running[name]

    def end(self, name: str) -> None:
        """Let one end."""
        self.running[name].set()

    def end_all(self) -> None:
        """Let all end, those that come later too."""
        self._all_end = True
        for ended in self.running.values():
            ended.set()

    def tenants(self) -> Counter[str]:
        """Count what runs, by tenant."""
        return Counter(name.partition("-")[0] for name in self.running)


class Site:
    """Queues of two levels, as many inboxes as are opened, and tenants named `<word>-…`."""

    def __init__(self, client: Client, jetstream: JetStreamContext) -> None:
        """No inbox runs."""
        self.mark = uuid.uuid4().hex[:12]
        self.client = client
        self.jetstream = jetstream
        self._running: list[asyncio.Task[None]] = []
        self._inboxes: list[Inbox] = []

    def consumer(self, level: int) -> ConsumerConfig:
        """Describe the consumer of one level; the id of a turn has the mark of this site."""
        lane = f".{level}" if level else ""
        config = consumer_of("*", f"fair-{self.mark}-{level}")
        return config.evolve(
            filter_subject=f"turn.*.{self.mark}.requested{lane}",
            ack_policy=AckPolicy.EXPLICIT,
            max_deliver=-1,
        )

    def open(self, places: int = PLACES, max_wait_s: float = 3600.0) -> Worker:
        """Run one more inbox."""
        consumers = [self.consumer(level) for level in (0, 1)]
        inbox = Inbox(self.client, self.jetstream, consumers, TURNS_STREAM)
        worker = Worker()
        running = inbox.run(worker, places, HEARTBEAT_S, max_wait_s)
        self._running.append(asyncio.create_task(running))
        self._inboxes.append(inbox)
        return worker

    async def request(self, tenant: str, names: range, level: int = 0) -> None:
        """Have a tenant ask."""
        lane = f".{level}" if level else ""
        subject = f"turn.{tenant}.{self.mark}.requested{lane}"
        for name in names:
            await self.client.publish(subject, f"{tenant}-{name}".encode())
        await self.client.flush()

    async def left(self, level: int) -> tuple[int, int]:
        """Tell how many wait in the stream, and how many are given out."""
        info = await self.jetstream.consumer_info(TURNS_STREAM, f"fair-{self.mark}-{level}")
        return info.num_pending or 0, info.num_ack_pending or 0

    async def asking(self, level: int) -> int:
        """Count the pulls that the broker has."""
        info = await self.jetstream.consumer_info(TURNS_STREAM, f"fair-{self.mark}-{level}")
        return info.num_waiting or 0

    async def give_way(self, number: int, free: int) -> None:
        """Tell an inbox that another process has free places."""
        await self._inboxes[number].give_way(free)

    def holds(self, tenant: str) -> bool:
        """Tell whether a turn of a tenant waits at an inbox for a place."""
        subject = f"turn.{tenant}.{self.mark}.requested"
        return any(inbox.holds(subject) for inbox in self._inboxes)

    async def finish_first(self) -> None:
        """Let the first inbox take no more, and give back what has no place."""
        await asyncio.wait_for(self._inboxes[0].finish(), WITHIN_S)

    async def close(self) -> None:
        """End all inboxes."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for level in (0, 1):
            await self.jetstream.delete_consumer(TURNS_STREAM, f"fair-{self.mark}-{level}")


@pytest.fixture
async def site(client: Client, jetstream: JetStreamContext) -> AsyncGenerator[Site]:
    opened = Site(client, jetstream)
    yield opened
    await opened.close()


async def full(*workers: Worker, places: int = PLACES) -> None:
    """Wait until every place is taken."""

    async def is_full() -> bool:
        return all(len(worker.running) == places for worker in workers)

    await eventually(is_full)


async def runs(worker: Worker, tenant: str, number: int) -> None:
    """Wait until a tenant has so many places."""

    async def has() -> bool:
        return worker.tenants()[tenant] == number

    await eventually(has)


async def test_the_next_place_is_the_quiet_tenants_behind_any_backlog(site: Site) -> None:
    await site.request("flood", range(5000), level=1)
    workers = site.open(), site.open()
    await full(*workers)
    await site.request("quiet", range(2))

    async def is_held() -> bool:
        return (await site.left(0))[0] == 0

    await eventually(is_held)
    for worker in workers:
        for name in list(worker.running)[:2]:
            worker.end(name)

    async def both_run() -> bool:
        return sum(worker.tenants()["quiet"] for worker in workers) == 2

    await eventually(both_run)
    waiting, _ = await site.left(1)
    assert waiting > 4900
    assert all(worker.most_busy <= PLACES for worker in workers)


async def test_places_are_shared_alike_while_both_have_work(site: Site) -> None:
    worker = site.open()
    await site.request("flood", range(20), level=1)
    await full(worker)
    await site.request("quiet", range(4))

    async def are_held() -> bool:
        return (await site.left(0))[0] == 0 and site.holds("quiet")

    await eventually(are_held)
    for number in (1, 2):
        worker.end(next(name for name in worker.running if name.startswith("flood")))
        await runs(worker, "quiet", number)
    # Two and two: from here on the flood has its half.
    worker.end(next(name for name in worker.running if name.startswith("flood")))
    await full(worker)
    assert worker.tenants() == {"flood": 2, "quiet": 2}


async def test_a_process_with_a_free_place_is_served_before_one_that_holds_ahead(
    site: Site,
) -> None:
    busy = site.open(places=1)
    await site.request("a", range(1))
    await full(busy, places=1)
    free = site.open(places=PLACES)

    async def both_ask() -> bool:
        return await site.asking(0) == 2

    await eventually(both_ask)
    await site.request("b", range(3))
    await runs(free, "b", 3)
    assert busy.tenants() == {"a": 1}


async def test_little_is_held_though_all_levels_have_work_for_all_places(site: Site) -> None:
    places, ahead = 32, 4
    await site.request("flood", range(100), level=1)
    await site.request("quiet", range(100))
    worker = site.open(places)
    await full(worker, places=places)

    async def is_given_out() -> bool:
        given = [(await site.left(level))[1] for level in (0, 1)]
        return sum(given) == places + 2 * ahead

    await eventually(is_given_out)


async def test_every_turn_of_a_flood_is_worked_on_once(site: Site) -> None:
    workers = site.open(), site.open()
    for worker in workers:
        worker.end_all()
    await asyncio.gather(
        site.request("flood", range(200), level=1), site.request("quiet", range(20))
    )

    async def all_finished() -> bool:
        return sum(len(worker.finished) for worker in workers) == 220

    await eventually(all_finished)
    finished = [name for worker in workers for name in worker.finished]
    assert len(set(finished)) == len(finished)
    assert await site.left(0) == (0, 0)
    assert await site.left(1) == (0, 0)


async def test_what_waits_too_long_is_refused_though_no_place_becomes_free(site: Site) -> None:
    worker = site.open(max_wait_s=0.5)
    await site.request("flood", range(40), level=1)
    await full(worker)

    async def all_refused() -> bool:
        return len(worker.overdue) == 40 - PLACES

    await eventually(all_refused)
    assert len(worker.running) == worker.most_busy == PLACES


async def test_an_inbox_tells_what_it_holds_until_that_has_a_place(site: Site) -> None:
    worker = site.open(places=1)
    await site.request("first", range(1))
    await full(worker, places=1)
    assert not site.holds("second")
    await site.request("second", range(1))

    async def is_held() -> bool:
        return site.holds("second")

    await eventually(is_held)
    assert not site.holds("first")
    worker.end_all()

    async def is_held_no_more() -> bool:
        return not site.holds("second")

    await eventually(is_held_no_more)


async def test_a_full_inbox_leaves_what_it_holds_to_one_that_starts_later(site: Site) -> None:
    full_one = site.open()
    await site.request("flood", range(PLACES + 3))
    await full(full_one)

    async def is_held() -> bool:
        return await site.left(0) == (0, PLACES + 3)

    await eventually(is_held)
    later = site.open()

    async def later_asks() -> bool:
        return await site.asking(0) == 2

    await eventually(later_asks)
    await site.give_way(0, 2)
    await runs(later, "flood", 2)
    # One with a free place keeps what it has, and works on it.
    await site.give_way(1, 2)
    await site.give_way(0, 2)
    await runs(later, "flood", 3)
    assert full_one.tenants() == {"flood": PLACES}


async def test_an_inbox_that_finishes_gives_back_what_it_holds_for_another(site: Site) -> None:
    leaving = site.open()
    await site.request("flood", range(8))
    await full(leaving)

    async def is_held() -> bool:
        return await site.left(0) == (0, 8)

    await eventually(is_held)
    finishing = asyncio.create_task(site.finish_first())
    staying = site.open()
    await full(staying)
    leaving.end_all()
    await finishing
    assert len(leaving.finished) == PLACES


async def test_what_a_killed_process_held_goes_on_elsewhere(site: Site, nats_url: str) -> None:
    process = await _holder(site, nats_url)
    await site.request("flood", range(8))
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        assert await process.stdout.readline() == b"working on attempt 1\n"

    async def is_held() -> bool:
        # One runs there, four are held ahead, three wait in the stream.
        return await site.left(0) == (3, 5)

    await eventually(is_held)
    worker = site.open()
    worker.end_all()
    process.kill()
    await process.communicate()

    async def all_finished() -> bool:
        return len(set(worker.finished)) == 8

    await eventually(all_finished)
    assert sorted(worker.finished) == sorted(f"flood-{number}" for number in range(8))


async def _holder(site: Site, nats_url: str) -> Process:
    """Start a process with one place, which never ends what it has."""
    consumer = site.consumer(0)
    arguments = (nats_url, consumer.durable_name or "", consumer.filter_subject or "")
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "turnwire_testing.inboxes", *arguments),
        env={**os.environ, "PYTHONPATH": str(Path(turnwire_testing.__file__).parent.parent)},
        stdout=PIPE,
    )


async def test_a_consumer_of_an_earlier_version_gets_its_priorities(
    site: Site, jetstream: JetStreamContext
) -> None:
    """An orchestrator of an earlier version may declare it at any time of an upgrade."""
    worker = site.open()
    worker.end_all()
    await site.request("a", range(1))

    async def first_finished() -> bool:
        return worker.finished == ["a-0"]

    await eventually(first_finished)
    consumer = site.consumer(0)
    without = ConsumerConfig(
        durable_name=consumer.durable_name,
        filter_subject=consumer.filter_subject,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=consumer.ack_wait,
        max_deliver=-1,
        max_ack_pending=consumer.max_ack_pending,
    )
    await jetstream.add_consumer(TURNS_STREAM, without)
    await site.request("a", range(1, 9))

    async def all_finished() -> bool:
        return len(worker.finished) == 9

    await eventually(all_finished)
