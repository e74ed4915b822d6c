"""The inbox: never more than it can work on, nothing lost, and nothing kept by the dead."""

import asyncio
import os
import sys
import uuid
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

import turnwire_testing
from turnwire_chassis.jetstream.delivery import Delivery, OwnershipLostError, Work
from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_contracts.subjects import TURNS_STREAM
from turnwire_testing.inboxes import ACK_WAIT_S, HEARTBEAT_S, consumer_of
from turnwire_testing.waiting import eventually

LONG_S = 60.0
WITHIN_S = 30.0


class Site:
    """One tenant's requests, and the inboxes that work on them."""

    def __init__(self, client: Client, jetstream: JetStreamContext) -> None:
        """Nobody works yet."""
        self.tenant = self.consumer = f"t{uuid.uuid4().hex}"
        self.acks: list[tuple[int, bytes]] = []
        """Which delivery of the consumer, and what the broker was told about it."""
        self._client = client
        self._jetstream = jetstream
        self._running: list[asyncio.Task[None]] = []

    def open(
        self,
        work: Work,
        places: int = 1,
        heartbeat_s: float = HEARTBEAT_S,
        ack_wait_s: float = ACK_WAIT_S,
    ) -> asyncio.Task[None]:
        """Run an inbox."""
        inbox = self.inbox(ack_wait_s)
        task = asyncio.create_task(inbox.run(work, places, heartbeat_s))
        self._running.append(task)
        return task

    def inbox(self, ack_wait_s: float = ACK_WAIT_S) -> Inbox:
        """Give an inbox that does not run."""
        config = consumer_of(self.tenant, self.consumer, ack_wait_s)
        return Inbox(self._client, self._jetstream, [config], TURNS_STREAM)

    def run(self, inbox: Inbox, work: Work, places: int) -> None:
        """Run an inbox, until the site is closed."""
        self._running.append(asyncio.create_task(inbox.run(work, places, HEARTBEAT_S)))

    async def request(self, *names: str) -> None:
        """Put requests into the stream."""
        for name in names:
            await self._jetstream.publish(f"turn.{self.tenant}.{name}.requested", name.encode())

    async def listen_to_acks(self) -> None:
        """Hear from now on what the broker is told about deliveries."""

        async def on_ack(message: Msg) -> None:
            # $JS.ACK.<stream>.<consumer>.<attempt>.<sequence>.<delivery>.<time>.<pending>
            self.acks.append((int(message.subject.split(".")[6]), message.data))

        await self._client.subscribe(f"$JS.ACK.{TURNS_STREAM}.{self.consumer}.>", cb=on_ack)
        await self._client.flush()

    async def heard(self, is_true: Callable[[list[tuple[int, bytes]]], bool]) -> None:
        """Wait until the broker was told enough."""

        async def enough() -> bool:
            return is_true(self.acks)

        await eventually(enough)

    async def stands(self, *, waiting: int, owned: int) -> None:
        """Wait until the broker has so many requests to give, and so many given."""

        async def is_so() -> bool:
            info = await self._jetstream.consumer_info(TURNS_STREAM, self.consumer)
            return (info.num_pending, info.num_ack_pending) == (waiting, owned)

        await eventually(is_so)

    async def has_pulls(self, number: int) -> None:
        """Wait until so many pulls of inboxes with free places are at the broker."""

        async def are_there() -> bool:
            try:
                info = await self._jetstream.consumer_info(TURNS_STREAM, self.consumer)
            except NotFoundError:
                return False
            return (info.num_waiting or 0) >= number

        await eventually(are_there)

    async def close(self) -> None:
        """End all inboxes."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._jetstream.delete_consumer(TURNS_STREAM, self.consumer)


@pytest.fixture
async def site(client: Client, jetstream: JetStreamContext) -> AsyncGenerator[Site]:
    opened = Site(client, jetstream)
    yield opened
    await opened.close()


class Worker:
    """Works on each delivery until it is told to finish."""

    def __init__(self, *, at_once: bool = False) -> None:
        """`at_once`: finish without being told."""
        self.begun: asyncio.Queue[Delivery] = asyncio.Queue()
        self.finished: list[str] = []
        self.busy = self.most_busy = 0
        self._may_finish = asyncio.Event()
        if at_once:
            self.finish()

    def finish(self) -> None:
        """Let all work end, now and later."""
        self._may_finish.set()

    async def __call__(self, delivery: Delivery) -> None:
        """Work."""
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        self.begun.put_nowait(delivery)
        try:
            await self._may_finish.wait()
            self.finished.append(delivery.body.decode())
        finally:
            self.busy -= 1

    async def next(self) -> Delivery:
        """Wait until work on another delivery begins."""
        async with asyncio.timeout(WITHIN_S):
            return await self.begun.get()


async def test_every_request_is_worked_on_once_and_confirmed(site: Site) -> None:
    worker = Worker(at_once=True)
    await site.request("a", "b")
    site.open(worker, places=4)
    await site.request("c", "d")

    async def all_finished() -> bool:
        return len(worker.finished) == 4

    await eventually(all_finished)
    await site.stands(waiting=0, owned=0)
    assert sorted(worker.finished) == ["a", "b", "c", "d"]


async def test_a_delivery_says_what_and_where_it_is(site: Site) -> None:
    worker = Worker(at_once=True)
    await site.request("a", "b")
    site.open(worker)
    first, second = await worker.next(), await worker.next()
    assert (first.subject, first.body) == (f"turn.{site.tenant}.a.requested", b"a")
    assert (first.attempt, second.attempt) == (1, 1)
    assert first.sequence < second.sequence


async def test_no_more_runs_than_there_are_places_and_few_are_held_ahead(site: Site) -> None:
    worker = Worker()
    await site.request(*"abcdefghij")
    site.open(worker, places=2)
    await worker.next()
    await worker.next()
    await site.listen_to_acks()
    # Long enough for the inbox to ask for more, if it were to.
    await site.heard(lambda acks: acks.count((2, b"+WPI")) >= 3)
    await site.stands(waiting=4, owned=6)
    worker.finish()
    await site.stands(waiting=0, owned=0)
    assert sorted(worker.finished) == [*"abcdefghij"]
    assert worker.most_busy == 2


async def test_an_inbox_that_finishes_takes_no_more_and_confirms_what_it_has(site: Site) -> None:
    worker, inbox = Worker(), site.inbox()
    site.run(inbox, worker, places=2)
    await site.request("a")
    await worker.next()
    await site.listen_to_acks()
    finishing = asyncio.create_task(inbox.finish())
    await site.request("b")
    # It says that it still works on what it has, and asks for nothing.
    await site.heard(lambda acks: acks.count((1, b"+WPI")) >= 3)
    await site.stands(waiting=1, owned=1)
    assert not finishing.done()
    worker.finish()
    async with asyncio.timeout(WITHIN_S):
        await finishing
    await site.stands(waiting=1, owned=0)
    assert worker.finished == ["a"]


async def test_two_inboxes_share_the_requests(site: Site) -> None:
    workers = Worker(), Worker()
    for worker in workers:
        site.open(worker)
    # A full one may hold a request ahead while it is the only one there.
    await site.has_pulls(2)
    await site.request("a", "b")
    deliveries = [await worker.next() for worker in workers]
    assert {delivery.body for delivery in deliveries} == {b"a", b"b"}


async def test_long_work_stays_with_its_worker_while_that_lives(site: Site) -> None:
    worker = Worker()
    await site.request("a")
    site.open(worker, places=2)
    await worker.next()
    await site.listen_to_acks()
    # Twice as long as the broker would wait without a sign of life.
    signs = int(2 * ACK_WAIT_S / HEARTBEAT_S) + 1
    await site.heard(lambda acks: acks.count((1, b"+WPI")) >= signs)
    worker.finish()
    await site.stands(waiting=0, owned=0)
    assert worker.finished == ["a"]


async def test_work_without_a_sign_of_life_is_given_out_again(site: Site) -> None:
    worker = Worker()
    await site.request("a")
    site.open(worker, places=2, heartbeat_s=LONG_S)
    assert [(await worker.next()).attempt for _ in range(2)] == [1, 2]


async def test_an_inbox_that_is_shut_down_gives_back_at_once(site: Site) -> None:
    leaving, staying = Worker(), Worker(at_once=True)
    await site.request("a")
    task = site.open(leaving, ack_wait_s=LONG_S)
    await leaving.next()
    task.cancel()
    await asyncio.wait({task})
    site.open(staying, ack_wait_s=LONG_S)
    assert (await staying.next()).attempt == 2
    assert leaving.finished == []


async def test_work_that_fails_is_tried_again(site: Site) -> None:
    attempts: asyncio.Queue[int] = asyncio.Queue()

    async def fail_once(delivery: Delivery) -> None:
        attempts.put_nowait(delivery.attempt)
        if delivery.attempt == 1:
            raise RuntimeError("once")

    await site.request("a")
    site.open(fail_once, ack_wait_s=LONG_S)
    async with asyncio.timeout(WITHIN_S):
        assert [await attempts.get() for _ in range(2)] == [1, 2]
    await site.stands(waiting=0, owned=0)


async def test_work_that_was_taken_over_is_neither_confirmed_nor_given_back(site: Site) -> None:
    async def lose_the_first(delivery: Delivery) -> None:
        if delivery.body == b"a":
            raise OwnershipLostError

    await site.listen_to_acks()
    site.open(lose_the_first, ack_wait_s=LONG_S)
    await site.request("a", "b")
    await site.heard(lambda acks: (2, b"+ACK") in acks)
    assert site.acks == [(2, b"+ACK")]
    await site.stands(waiting=0, owned=1)


async def test_what_a_killed_process_held_is_given_to_another(site: Site, nats_url: str) -> None:
    arguments = (nats_url, site.consumer, f"turn.{site.tenant}.*.requested")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "turnwire_testing.inboxes", *arguments),
        env={**os.environ, "PYTHONPATH": str(Path(turnwire_testing.__file__).parent.parent)},
        stdout=PIPE,
    )
    assert process.stdout is not None
    await site.request("a")
    async with asyncio.timeout(WITHIN_S):
        assert await process.stdout.readline() == b"working on attempt 1\n"
    worker = Worker(at_once=True)
    site.open(worker)
    process.kill()
    await process.communicate()
    assert (await worker.next()).attempt == 2
    await site.stands(waiting=0, owned=0)


async def test_a_cancellation_that_was_lost_before_it_ran_ends_it_all_the_same(site: Site) -> None:
    asleep = asyncio.Event()

    async def work(delivery: Delivery) -> None:
        raise AssertionError(delivery)

    async def losing() -> None:
        # As `asyncio.wait_for` loses one that comes together with its result.
        with suppress(asyncio.CancelledError):
            asleep.set()
            await asyncio.sleep(LONG_S)
        await site.inbox().run(work, 1, HEARTBEAT_S)

    task = asyncio.create_task(losing())
    await asleep.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=WITHIN_S)
    assert task.cancelled()
