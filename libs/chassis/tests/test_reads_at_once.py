"""How many reads of streams one connection has at the broker."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.broker import MOST_READS_AT_ONCE
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream import api, reading
from turnwire_chassis.jetstream.reading import read_batch
from turnwire_testing.examples import fresh_id
from turnwire_testing.waiting import eventually

WITHIN_S = 30.0


class SlowStream:
    """Stands where the broker answers direct gets, and answers when it is told to."""

    def __init__(self, client: Client) -> None:
        """Hear nothing before `listen`."""
        self.name = fresh_id()
        self.asked: asyncio.Queue[Msg] = asyncio.Queue()
        self._client = client

    async def listen(self) -> None:
        """Take questions."""
        await self._client.subscribe(api.direct_get(self.name), cb=self.asked.put)

    async def has_heard(self, count: int) -> None:
        """Wait until so many questions have come, and make sure that no more are on their way."""

        async def have_come() -> bool:
            await self._client.flush()
            return self.asked.qsize() >= count

        await eventually(have_come)
        await self._client.flush()
        assert self.asked.qsize() == count

    async def answer(self) -> None:
        """Answer the oldest question: there is nothing."""
        question = await self.asked.get()
        await self._client.publish(question.reply, b"", headers={"Status": "404"})


@pytest.fixture
async def stream(client: Client) -> SlowStream:
    slow = SlowStream(client)
    await slow.listen()
    return slow


async def test_a_connection_has_a_few_reads_at_the_broker_and_the_rest_wait_here(
    client: Client, stream: SlowStream
) -> None:
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as reads:
        count = 3 * MOST_READS_AT_ONCE
        for _ in range(count):
            reads.create_task(read_batch(client, stream.name, "x"))
        for answered in range(count):
            await stream.has_heard(min(MOST_READS_AT_ONCE, count - answered))
            await stream.answer()
    assert client.is_connected


async def test_a_read_whose_turn_does_not_come_in_time_fails(
    client: Client, stream: SlowStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "READ_WITHIN_S", 0.2)
    async with asyncio.timeout(WITHIN_S):
        first = [
            asyncio.create_task(read_batch(client, stream.name, "x"))
            for _ in range(MOST_READS_AT_ONCE)
        ]
        await stream.has_heard(MOST_READS_AT_ONCE)
        with pytest.raises(LogUnavailableError, match="before this one"):
            await read_batch(client, stream.name, "x")
        for _ in first:
            await stream.answer()
        assert await asyncio.gather(*first) == [[] for _ in first]
