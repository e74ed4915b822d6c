"""What every event log promises about conversations, in memory and on JetStream alike."""

import asyncio

import pytest
from nats.aio.client import Client

from turnwire_chassis.event_log import (
    EventLog,
    FencedError,
    RecordedConversation,
    TooLargeError,
)
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_contracts import codec, subjects
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_testing.examples import (
    TENANT,
    closed,
    conversation_created,
    conversation_deleted,
    conversation_purged,
    conversation_updated,
    fresh_conversation_id,
    fresh_id,
    requested,
    turn_added,
)
from turnwire_testing.waiting import eventually


@pytest.fixture
def conversation_id() -> ConversationId:
    return fresh_conversation_id()


async def test_events_are_read_in_the_order_they_were_added(
    log: EventLog, conversation_id: ConversationId
) -> None:
    created = conversation_created(conversation_id=conversation_id)
    added = turn_added(conversation_id=conversation_id)
    first = await log.append(created, 0)
    second = await log.append(added, first)
    assert first < second
    expected = [RecordedConversation(first, created), RecordedConversation(second, added)]
    assert await log.read_conversation(TENANT, conversation_id) == expected


async def test_only_what_came_after_is_read(log: EventLog, conversation_id: ConversationId) -> None:
    first = await log.append(conversation_created(conversation_id=conversation_id), 0)
    await log.append(turn_added(conversation_id=fresh_conversation_id()), 0)
    second = await log.append(turn_added(conversation_id=conversation_id), first)
    everything = await log.read_conversation(TENANT, conversation_id)
    assert await log.read_conversation(TENANT, conversation_id, first - 1) == everything
    assert await log.read_conversation(TENANT, conversation_id, first) == everything[1:]
    assert await log.read_conversation(TENANT, conversation_id, second - 1) == everything[1:]
    assert await log.read_conversation(TENANT, conversation_id, second) == []
    assert await log.read_conversation(TENANT, conversation_id, second + 1000) == []


async def test_a_conversation_that_nobody_began_has_no_events(
    log: EventLog, conversation_id: ConversationId
) -> None:
    assert await log.read_conversation(TENANT, conversation_id) == []


async def test_a_writer_that_has_not_read_the_last_event_is_refused(
    log: EventLog, conversation_id: ConversationId
) -> None:
    first = await log.append(conversation_created(conversation_id=conversation_id), 0)
    await log.append(turn_added(conversation_id=conversation_id), first)
    before = await log.read_conversation(TENANT, conversation_id)
    for expected in (0, first):
        with pytest.raises(FencedError):
            await log.append(conversation_deleted(conversation_id=conversation_id), expected)
    assert await log.read_conversation(TENANT, conversation_id) == before


async def test_of_many_turns_that_want_to_be_next_one_wins(
    log: EventLog, conversation_id: ConversationId
) -> None:
    first = await log.append(conversation_created(conversation_id=conversation_id), 0)
    wishes = [turn_added(conversation_id=conversation_id, response_id=fresh_id()) for _ in range(8)]
    results = await asyncio.gather(
        *(log.append(wish, first) for wish in wishes), return_exceptions=True
    )
    assert [type(result) for result in results].count(int) == 1
    assert [type(result) for result in results].count(FencedError) == 7
    winner = wishes[[type(result) for result in results].index(int)]
    _, added = await log.read_conversation(TENANT, conversation_id)
    assert added.event == winner


async def test_events_of_turns_and_of_other_conversations_do_not_move_the_fence(
    log: EventLog, conversation_id: ConversationId
) -> None:
    response_id = fresh_id()
    first = await log.append(conversation_created(conversation_id=conversation_id), 0)
    other = await log.append(conversation_created(conversation_id=fresh_conversation_id()), 0)
    asked = await log.append(requested(response_id=response_id, conversation=conversation_id), 0)
    added = turn_added(conversation_id=conversation_id, response_id=response_id)
    second = await log.append(added, first)
    await log.append(closed(response_id=response_id), asked)
    assert first < other < asked < second
    assert len(await log.read_conversation(TENANT, conversation_id)) == 2
    assert len(await log.read(TENANT, response_id)) == 2


async def test_an_append_that_is_repeated_is_added_once(
    log: EventLog, conversation_id: ConversationId
) -> None:
    first = await log.append(conversation_created(conversation_id=conversation_id), 0)
    added = turn_added(conversation_id=conversation_id)
    second = await log.append(added, first)
    await log.append(conversation_updated(conversation_id=conversation_id), None)
    assert await log.append(added, first) == second
    assert len(await log.read_conversation(TENANT, conversation_id)) == 3


async def test_an_event_without_an_expectation_is_always_added(
    log: EventLog, conversation_id: ConversationId
) -> None:
    await log.append(conversation_created(conversation_id=conversation_id), 0)
    await log.append(conversation_deleted(conversation_id=conversation_id), None)
    await log.append(conversation_deleted(conversation_id=conversation_id), None)
    assert len(await log.read_conversation(TENANT, conversation_id)) == 3


async def test_a_purged_conversation_is_erased_to_its_last_event(
    log: EventLog, conversation_id: ConversationId
) -> None:
    secret = {"topic": "my secret"}
    await log.append(conversation_created(conversation_id=conversation_id, metadata=secret), 0)
    await log.append(conversation_updated(conversation_id=conversation_id, metadata=secret), None)
    last = await log.append(conversation_purged(conversation_id=conversation_id), None)
    *before, end = await log.read_conversation(TENANT, conversation_id)
    for _ in range(2):
        # Twice: whoever carries on after a crash erases again.
        for recorded in before:
            await log.erase(recorded)
    assert await log.read_conversation(TENANT, conversation_id) == [end]
    with pytest.raises(FencedError):
        await log.append(conversation_created(conversation_id=conversation_id), 0)
    await log.append(turn_added(conversation_id=conversation_id), last)


async def test_one_tenant_does_not_see_the_conversations_of_another(
    log: EventLog, conversation_id: ConversationId
) -> None:
    other = TenantId("other")
    await log.append(conversation_created(conversation_id=conversation_id), 0)
    assert await log.read_conversation(other, conversation_id) == []
    await log.append(conversation_created(conversation_id=conversation_id, tenant=other), 0)
    assert len(await log.read_conversation(TENANT, conversation_id)) == 1


async def test_a_background_turn_is_fenced_and_read_as_any_other(log: EventLog) -> None:
    response_id: ResponseId = fresh_id()
    event = requested(response_id=response_id, background=True)
    first = await log.append(event, 0)
    assert await log.append(event, 0) == first
    with pytest.raises(FencedError):
        await log.append(requested(response_id=response_id), 0)
    found = await log.read(TENANT, response_id)
    assert [(each.sequence, each.event) for each in found] == [(first, event)]


async def test_an_event_that_is_too_large_is_refused(
    jetstream_log: JetStreamEventLog, client: Client, conversation_id: ConversationId
) -> None:
    huge = {"topic": "x" * client.max_payload}
    with pytest.raises(TooLargeError):
        await jetstream_log.append(
            conversation_created(conversation_id=conversation_id, metadata=huge), 0
        )


async def test_an_event_that_this_version_does_not_know_is_said_to_be_unreadable(
    jetstream_log: JetStreamEventLog, client: Client, conversation_id: ConversationId
) -> None:
    subject = subjects.conversation_event(TENANT, conversation_id, "exploded")
    await client.jetstream().publish(subject, b"{}")
    with pytest.raises(UnreadableEventError, match="exploded"):
        await jetstream_log.read_conversation(TENANT, conversation_id)


async def test_a_conversation_with_more_events_than_one_read_holds_is_read_whole(
    jetstream_log: JetStreamEventLog, client: Client, conversation_id: ConversationId
) -> None:
    subject = subjects.conversation_event(TENANT, conversation_id, "deleted")
    for number in range(1100):
        event = conversation_deleted(at=number, conversation_id=conversation_id)
        await client.publish(subject, codec.encode(event))

    async def all_there() -> bool:
        return len(await jetstream_log.read_conversation(TENANT, conversation_id)) == 1100

    await eventually(all_there)
    recorded = await jetstream_log.read_conversation(TENANT, conversation_id)
    assert [each.event.at for each in recorded] == list(range(1100))
    rest = await jetstream_log.read_conversation(TENANT, conversation_id, recorded[40].sequence)
    assert rest == recorded[41:]
