"""The inbox of turns: durable pull consumers, fair places, and no more held than can be kept alive.

FastStream's workers fetch ahead of their capacity and run long messages twice (faststream#2563), so
this is our own: it asks for its free places, tells the broker that it still works on what it holds,
and gives up what it cannot finish. While all places of all processes are taken it holds a few
messages of each consumer ahead, so that the next place goes to the tenant that has the fewest, and
not to the one that came first (ADR-0036).
"""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import orjson
import structlog
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig

from turnwire_chassis.crash_points import reached
from turnwire_chassis.jetstream.broker_clock import BrokerClock
from turnwire_chassis.jetstream.delivery import (
    Delivery,
    Held,
    MayRefuse,
    OwnershipLostError,
    PostponedError,
    Work,
    is_given_out_first,
)
from turnwire_chassis.jetstream.fair_queue import FairQueue
from turnwire_chassis.jetstream.inbox_watch import InboxWatch, Report, unreported
from turnwire_chassis.jetstream.pull import AHEAD, FOR_FREE_PLACES, Pull

log = structlog.get_logger()

_TICK_S = 0.5
_GIVE_BACK_DELAY_S = 1.0
_LEAST_AHEAD = 4
_PLACES_A_HELD = 8
"""Ahead of its places an inbox holds an eighth of them, of each consumer: little enough that what
it holds has its place soon, should another process become free meanwhile. It asks for no more at
once, even while it has free places."""


async def _refuse(delivery: Delivery) -> None:
    """Refuse deliveries until `run` sets the handler."""
    raise RuntimeError(f"no handler for {delivery.subject}: the inbox does not run")


class Inbox:
    """Runs `work` for each delivery, at most `places` at once, shared fairly by tenants."""

    def __init__(
        self,
        client: Client,
        jetstream: JetStreamContext,
        consumers: Sequence[ConsumerConfig],
        stream: str,
        report: Report = unreported,
    ) -> None:
        """Pull from `consumers` of `stream`; nothing is pulled before `run`.

        `report` is told how many wait, twice a second while any does.
        """
        self._client = client
        self._clock = BrokerClock()
        self._pulls = [Pull(client, jetstream, each, stream, self._clock) for each in consumers]
        self._owned: dict[str, asyncio.Task[None]] = {}
        self._queue: FairQueue[Held] = FairQueue(0)
        self._ahead = 0
        self._max_wait_s = math.inf
        self._may_refuse: MayRefuse = is_given_out_first
        self._finishing = False
        self._work: Work = _refuse
        self._watch = InboxWatch(self._pulls, report)

    async def run(
        self,
        work: Work,
        places: int,
        heartbeat_s: float,
        max_wait_s: float = math.inf,
        may_refuse: MayRefuse = is_given_out_first,
    ) -> None:
        """Work until cancelled; then everything that is owned is cancelled and given back.

        Every `heartbeat_s` the broker is told of what is owned; it must be well below `ack_wait`.
        What found no place within `max_wait_s` of its publication is handed to `work` as overdue,
        without a place, if `may_refuse`; the rest may have begun, and waits for a place.
        """
        self._work, self._max_wait_s, self._may_refuse = work, max_wait_s, may_refuse
        self._queue = FairQueue(places)
        self._ahead = max(_LEAST_AHEAD, places // _PLACES_A_HELD)
        for pull in self._pulls:
            await pull.open(partial(self._on_message, pull), self._pull)
        # Says the broker's time, before anything is pulled.
        await self._pulls[0].backlog()
        watching = asyncio.create_task(self._watch.run(self._queue))
        tick_s = min(_TICK_S, heartbeat_s)
        ticks = round(heartbeat_s / tick_s)
        try:
            while True:
                for _ in range(ticks):
                    _end_if_cancelled()
                    await self._tick()
                    await asyncio.sleep(tick_s)
                await self._say_in_progress()
        finally:
            watching.cancel()
            for pull in self._pulls:
                await pull.close()
            await self._give_up()

    async def finish(self) -> None:
        """Take no more deliveries, and return when all that run are done; `run` goes on.

        What the broker has already sent is still taken: it would lie until its time is over. What
        has no place then is given back.
        """
        self._finishing = True
        for pull in self._pulls:
            await pull.drain()
        self._queue.close()
        await self._give_back_held()
        while self._owned:
            await asyncio.wait(self._owned.values())

    def holds(self, subject: str) -> bool:
        """Tell whether a delivery whose subject begins so waits here for a place."""
        return any(held.delivery.subject.startswith(subject) for held in self._queue.waiting())

    async def give_way(self, free: int) -> None:
        """Give back what another process has `free` places for, the oldest first, if none is here.

        The broker hands it to the pulls for free places, which come before those of this inbox.
        """
        if self._queue.free:
            return
        waiting = sorted(self._queue.waiting(), key=lambda held: held.delivery.published)
        for held in waiting[:free]:
            await self._give_up_held(held)

    async def redeclare(self) -> None:
        """Make sure the broker knows the consumers, and ask them anew: it may have restarted."""
        for pull in self._pulls:
            await pull.redeclare()

    async def _tick(self) -> None:
        for pull in self._pulls:
            await pull.mend()
        self._refuse_overdue()
        await self._pull()

    async def _pull(self, *, all_wanted: bool = True) -> None:
        """Ask for what has a place, or ahead of places; all of it, or only if half is wanting.

        For free places too each consumer is asked for a few at a time, and for more before those
        have come: all may have work at once, and what has no place then is held.
        """
        if self._finishing:
            return
        free = self._queue.free
        priority = FOR_FREE_PLACES if free else AHEAD
        for pull in self._pulls:
            most = min(free, self._ahead) if free else self._ahead - pull.held
            if all_wanted or pull.wanting(most, priority) * 2 >= most:
                await pull.ask(most, priority)

    async def _on_message(self, pull: Pull, message: Msg) -> None:
        held = _held(pull, message, self._clock)
        if self._queue.is_closed:
            await self._give_back(held.reply)
        elif self._queue.enter(held.tenant):
            self._start(held)
        elif self._is_overdue(held):
            self._start(held, overdue=True)
        else:
            self._queue.add(held.tenant, held.delivery.sequence, held)
            pull.held += 1
            self._start_waiting()
        await self._pull(all_wanted=False)

    def _start(self, held: Held, *, overdue: bool = False) -> None:
        if not overdue:
            held.pull.started += 1
        task = asyncio.create_task(self._handle(held, overdue=overdue))
        self._owned[held.reply] = task

    def _start_waiting(self) -> None:
        while (held := self._queue.next()) is not None:
            held.pull.held -= 1
            self._start(held)

    def _is_overdue(self, held: Held) -> bool:
        waited_s = asyncio.get_running_loop().time() - held.delivery.published
        return waited_s > self._max_wait_s and self._may_refuse(held.delivery)

    def _refuse_overdue(self) -> None:
        for held in self._queue.waiting():
            if self._is_overdue(held):
                self._queue.remove(held.tenant, held)
                held.pull.held -= 1
                self._start(held, overdue=True)

    async def _handle(self, held: Held, *, overdue: bool) -> None:
        delivery, reply = held.delivery, held.reply
        reached("delivery.taken")
        try:
            await self._work(replace(delivery, overdue=True) if overdue else delivery)
            reached("delivery.before_ack")
            await self._client.publish(reply, b"+ACK")
            reached("delivery.after_ack")
        except OwnershipLostError:
            log.warning("turn has another owner", subject=delivery.subject)
        except PostponedError as postponed:
            await self._give_back(reply, postponed.delay_s)
        except asyncio.CancelledError:
            await self._give_back(reply)
            raise
        except Exception:
            log.exception("delivery failed", subject=delivery.subject, attempt=delivery.attempt)
            await self._give_back(reply, _GIVE_BACK_DELAY_S * delivery.attempt)
        finally:
            self._owned.pop(reply, None)
            if not overdue:
                self._queue.leave(held.tenant)
                self._start_waiting()
            await self._pull(all_wanted=False)

    async def _say_in_progress(self) -> None:
        for reply in [*self._owned, *(held.reply for held in self._queue.waiting())]:
            await self._client.publish(reply, b"+WPI")

    async def _give_back_held(self) -> None:
        for held in self._queue.waiting():
            await self._give_up_held(held)

    async def _give_up_held(self, held: Held) -> None:
        self._queue.remove(held.tenant, held)
        held.pull.held -= 1
        await self._give_back(held.reply)

    async def _give_back(self, reply: str, delay_s: float = 0.0) -> None:
        said = b"-NAK " + orjson.dumps({"delay": int(delay_s * 1e9)}) if delay_s else b"-NAK"
        with suppress(NatsError):
            await self._client.publish(reply, said)

    async def _give_up(self) -> None:
        self._finishing = True
        self._queue.close()
        tasks = list(self._owned.values())
        for task in tasks:
            task.cancel()
        await self._give_back_held()
        await asyncio.gather(*tasks, return_exceptions=True)


def _end_if_cancelled() -> None:
    """End a task that was cancelled while `asyncio.wait_for` had its result: that loses it (3.11).

    A group of tasks cancels each once.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _held(pull: Pull, message: Msg, clock: BrokerClock) -> Held:
    metadata = message.metadata
    delivery = Delivery(
        message.subject,
        message.data,
        metadata.sequence.stream,
        metadata.num_delivered,
        clock.to_monotonic(metadata.timestamp),
    )
    tenant = message.subject.split(".", 2)[1]
    return Held(pull, tenant, delivery, message.reply)
