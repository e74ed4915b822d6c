"""What every event log promises; the double in memory keeps the same promises as JetStream."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import PubAck

from turnwire_chassis.event_log import EventLog, FencedError, TooLargeError
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_contracts import codec, subjects
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_testing.examples import (
    TENANT,
    cancel_requested,
    closed,
    fresh_id,
    requested,
    taken_over,
    user,
)
from turnwire_testing.waiting import eventually


@pytest.fixture
def response_id() -> ResponseId:
    return fresh_id()


async def test_events_are_read_in_the_order_they_were_added(
    log: EventLog, response_id: ResponseId
) -> None:
    events = [requested(response_id=response_id), closed(response_id=response_id)]
    first = await log.append(events[0], 0)
    second = await log.append(events[1], first)
    assert first < second
    found = await log.read(TENANT, response_id)
    assert [(each.sequence, each.event) for each in found] == [
        (first, events[0]),
        (second, events[1]),
    ]


async def test_a_turn_that_nobody_requested_has_no_events(
    log: EventLog, response_id: ResponseId
) -> None:
    assert await log.read(TENANT, response_id) == []


async def test_a_writer_that_has_not_read_the_last_event_is_refused(
    log: EventLog, response_id: ResponseId
) -> None:
    first = await log.append(requested(response_id=response_id), 0)
    await log.append(taken_over(response_id=response_id), first)
    before = await log.read(TENANT, response_id)
    with pytest.raises(FencedError):
        await log.append(closed(response_id=response_id), first)
    with pytest.raises(FencedError):
        await log.append(closed(response_id=response_id), 0)
    assert await log.read(TENANT, response_id) == before


async def test_events_of_other_turns_do_not_move_the_fence(
    log: EventLog, response_id: ResponseId
) -> None:
    first = await log.append(requested(response_id=response_id), 0)
    await log.append(requested(response_id=fresh_id()), 0)
    await log.append(closed(response_id=response_id), first)
    assert len(await log.read(TENANT, response_id)) == 2


async def test_of_many_writers_with_the_same_expectation_one_wins(
    log: EventLog, response_id: ResponseId
) -> None:
    first = await log.append(requested(response_id=response_id), 0)
    results = await asyncio.gather(
        *(log.append(taken_over(response_id=response_id, cause=f"{n}"), first) for n in range(8)),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(int) == 1
    assert [type(result) for result in results].count(FencedError) == 7
    assert len(await log.read(TENANT, response_id)) == 2


async def test_an_append_that_is_repeated_is_added_once(
    log: EventLog, response_id: ResponseId
) -> None:
    event = requested(response_id=response_id)
    first = await log.append(event, 0)
    assert await log.append(event, 0) == first
    assert len(await log.read(TENANT, response_id)) == 1


async def test_an_append_is_known_again_after_others_have_followed_it(
    log: EventLog, response_id: ResponseId
) -> None:
    first = await log.append(requested(response_id=response_id), 0)
    second = await log.append(taken_over(response_id=response_id), first)
    await log.append(cancel_requested(response_id=response_id), None)
    assert await log.append(taken_over(response_id=response_id), first) == second
    assert len(await log.read(TENANT, response_id)) == 3


async def test_an_equal_event_from_before_is_not_taken_for_ones_own(
    log: EventLog, response_id: ResponseId
) -> None:
    wish = cancel_requested(response_id=response_id)
    await log.append(requested(response_id=response_id), 0)
    second = await log.append(wish, None)
    await log.append(taken_over(response_id=response_id), second)
    with pytest.raises(FencedError):
        await log.append(wish, second)


async def test_an_event_without_an_expectation_is_always_added(
    log: EventLog, response_id: ResponseId
) -> None:
    await log.append(requested(response_id=response_id), 0)
    await log.append(cancel_requested(response_id=response_id), None)
    await log.append(cancel_requested(response_id=response_id), None)
    assert len(await log.read(TENANT, response_id)) == 3


async def test_an_event_that_was_erased_is_gone_and_the_others_stay(
    log: EventLog, response_id: ResponseId
) -> None:
    first = await log.append(requested(response_id=response_id, input=[user("secret")]), 0)
    await log.append(closed(response_id=response_id), first)
    recorded = await log.read(TENANT, response_id)
    await log.erase(recorded[0])
    assert await log.read(TENANT, response_id) == recorded[1:]


async def test_erasing_twice_is_erasing_once(log: EventLog, response_id: ResponseId) -> None:
    await log.append(requested(response_id=response_id), 0)
    (recorded,) = await log.read(TENANT, response_id)
    await log.erase(recorded)
    await log.erase(recorded)
    assert await log.read(TENANT, response_id) == []


async def test_one_tenant_does_not_see_the_turns_of_another(
    log: EventLog, response_id: ResponseId
) -> None:
    other = TenantId("other")
    await log.append(requested(response_id=response_id), 0)
    assert await log.read(other, response_id) == []
    await log.append(requested(response_id=response_id, tenant=other), 0)
    assert len(await log.read(TENANT, response_id)) == 1


async def test_an_event_that_is_too_large_is_refused_and_the_log_goes_on(
    jetstream_log: JetStreamEventLog, client: Client, response_id: ResponseId
) -> None:
    huge = requested(response_id=response_id, input=[user("x" * client.max_payload)])
    with pytest.raises(TooLargeError):
        await jetstream_log.append(huge, 0)
    await jetstream_log.append(requested(response_id=response_id), 0)
    assert len(await jetstream_log.read(TENANT, response_id)) == 1


async def test_a_turn_with_more_events_than_one_read_holds_is_read_whole(
    jetstream_log: JetStreamEventLog, client: Client, response_id: ResponseId
) -> None:
    subject = subjects.turn_event(TENANT, response_id, "cancel_requested")
    for number in range(1100):
        event = cancel_requested(at=number, response_id=response_id)
        await client.publish(subject, codec.encode(event))

    async def all_there() -> bool:
        return len(await jetstream_log.read(TENANT, response_id)) == 1100

    await eventually(all_there)
    recorded = await jetstream_log.read(TENANT, response_id)
    assert [each.event.at for each in recorded] == list(range(1100))


class UnconfirmedPublishes(JetStreamContext):
    """JetStream that keeps one message without confirming it, after something else happened."""

    def __init__(self, client: Client, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(client)
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def publish(self, *args: Any, **options: Any) -> PubAck:
        ack = await super().publish(*args, **options)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
            raise NatsTimeoutError
        return ack


async def test_a_request_that_was_not_confirmed_is_not_appended_behind_the_end_of_its_turn(
    client: Client, jetstream_log: JetStreamEventLog, response_id: ResponseId
) -> None:
    """Found by the simulation (c3t2f2s121): what the guard refuses is erased at once."""
    end = closed(response_id=response_id, stored=False)

    async def refused() -> None:
        (request,) = await jetstream_log.read(TENANT, response_id)
        await jetstream_log.append(end, request.sequence)
        await jetstream_log.erase(request)

    log = JetStreamEventLog(client, UnconfirmedPublishes(client, refused))
    with pytest.raises(FencedError):
        await log.append(requested(response_id=response_id), None)
    assert [each.event for each in await log.read(TENANT, response_id)] == [end]
