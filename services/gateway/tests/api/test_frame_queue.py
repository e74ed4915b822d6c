"""What waits for a reader is bounded, for it alone and for all of a gateway."""

import asyncio

import pytest

from turnwire_contracts.wire.frames import FrameMessage
from turnwire_gateway.api.frames.backfill import messages_of
from turnwire_gateway.api.frames.frame_queue import MOST_QUEUED_BYTES, FrameQueue, QueuedBytes

HALF = MOST_QUEUED_BYTES // 2


def frames(first: int, size: int, epoch: int = 1) -> FrameMessage:
    """One frame of a size."""
    return FrameMessage("F", epoch, first, 1, b"x" * size)


@pytest.fixture
def of_all() -> QueuedBytes:
    return QueuedBytes()


@pytest.fixture
def queue(of_all: QueuedBytes) -> FrameQueue:
    return FrameQueue(of_all, 0)


def test_what_does_not_fit_is_missed_until_it_was_fetched(
    queue: FrameQueue, of_all: QueuedBytes
) -> None:
    for number in range(4):
        queue.hear(frames(number, HALF))
    assert (len(queue), queue.missed, of_all.count) == (2, 4, MOST_QUEUED_BYTES)
    queue.drop_first()
    queue.next = 1
    queue.hear(frames(4, 1))
    assert (len(queue), queue.missed) == (1, 5)
    queue.drop_first()
    queue.put_first([frames(number, 1) for number in range(1, 5)])
    assert queue.has_next
    queue.next = 5
    assert not queue.has_missed
    queue.hear(frames(5, 1))
    assert (len(queue), queue.missed) == (5, 5)


def test_the_first_message_of_an_owner_is_never_missed(queue: FrameQueue) -> None:
    queue.hear(frames(0, MOST_QUEUED_BYTES))
    queue.hear(frames(1, 10))
    queue.hear(frames(1, 10, epoch=2))
    queue.hear(frames(2, 10, epoch=2))
    assert len(queue) == 2
    assert queue.missed == 3


async def test_a_reader_that_waits_gets_a_message_of_any_size(queue: FrameQueue) -> None:
    queue.hear(frames(0, 1))
    queue.drop_first()
    queue.next = 1
    waiting = asyncio.create_task(queue.wait())
    await asyncio.wait({waiting}, timeout=0)
    queue.hear(frames(1, 3 * MOST_QUEUED_BYTES))
    queue.hear(frames(2, 1))
    await waiting
    assert (len(queue), queue.missed) == (1, 3)


def test_all_readers_together_are_bounded(of_all: QueuedBytes) -> None:
    queues = [FrameQueue(of_all, 0) for _ in range(100)]
    for number in range(3):
        for queue in queues:
            queue.hear(frames(number, HALF))
    # The first message of an owner has its place everywhere.
    assert of_all.count <= max(of_all.most, 100 * HALF) + HALF
    assert all(queue.has_missed for queue in queues)
    for queue in queues:
        queue.clear()
    assert of_all.count == 0


def test_what_is_given_up_is_to_be_fetched_again(queue: FrameQueue, of_all: QueuedBytes) -> None:
    queue.put_first([frames(0, 2 * MOST_QUEUED_BYTES), frames(1, 10)])
    assert queue.is_over_full
    queue.give_up()
    assert (len(queue), queue.missed, of_all.count) == (0, 2, 0)


@pytest.mark.parametrize("most_bytes", [1, 100_000, 10_000_000])
def test_the_rest_of_a_response_is_cut_into_messages(most_bytes: int) -> None:
    told = [b"%d" % number * 30_000 for number in range(10)]
    messages = messages_of(told, 7, 2, most_bytes)
    body = b"".join(message.body for message in messages)
    count = sum(message.count for message in messages)
    assert body == b"".join(told[:count])
    assert [message.first for message in messages] == [
        7 + sum(each.count for each in messages[:place]) for place in range(len(messages))
    ]
    assert (messages[-1].kind == "E") == (count == len(told))
    assert count == {1: 1, 100_000: 4, 10_000_000: 10}[most_bytes]
