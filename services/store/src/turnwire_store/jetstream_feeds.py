"""Feeds on JetStream: a consumer that starts where the views are, and that one process has.

Not FastStream's batch subscriber: it cannot start after our own checkpoint nor linger for a fuller
batch.

- The checkpoint beside the views is the only acknowledgement, so the broker is told of none:
  nothing can be redelivered, be pending too long, or be given up. A gap in the consumer's own
  numbers, a reconnection or a silence ends the feed; the next one starts after the checkpoint.
- The consumer is also the lease: its name says the generation, creating it twice is refused, and
  the broker forgets it soon after its reader is gone. So one process projects, others stand by.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
import orjson
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream import api, topology
from turnwire_chassis.jetstream.reading import last_of_each, sequence_of
from turnwire_chassis.settings import OUTPUT_MAX_BYTES
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_contracts.ids import ResponseId
from turnwire_store.feed import FeedLostError
from turnwire_store.jetstream_feed import FORGOTTEN_AFTER_S, SECOND, JetStreamFeed

log = structlog.get_logger()

_API_TIMEOUT_S: Final = 2.0
_EXISTS: Final = 10148
_STAND_BY_S: Final = 1.0
_REASON: Final = "unprojectable"


class JetStreamFeeds:
    """`Feeds` on the streams `TURNS` and `DEAD`."""

    def __init__(
        self,
        client: Client,
        replicas: int,
        holder: str,
        output_max_bytes: int = OUTPUT_MAX_BYTES,
    ) -> None:
        """Use a connection; `holder` names this process, and no other one.

        `replicas` and `output_max_bytes`: how streams are declared that the broker has lost.
        """
        self._client = client
        self._jetstream = JetStreamContext(client, timeout=_API_TIMEOUT_S)
        self._replicas = replicas
        self._output_max_bytes = output_max_bytes
        self._holder = holder
        self._feed: JetStreamFeed | None = None

    def interrupt(self) -> None:
        """End the open feed: the connection was lost, and perhaps messages with it."""
        if self._feed is not None:
            self._feed.fail("the broker was lost")

    @asynccontextmanager
    async def open(self, generation: int, start: int) -> AsyncGenerator[JetStreamFeed]:
        """See `Feeds.open`."""
        # A broker that lost its disk needs its streams again from the first service that notices.
        await topology.declare(self._client, self._replicas, self._output_max_bytes)
        name = f"store-{generation}"
        behind = await self._claim(name, start)
        await self._compare(start)
        self._feed = feed = JetStreamFeed(self._client, name, behind)
        try:
            await feed.start()
            yield feed
        finally:
            self._feed = None
            # Not awaited: who stops has no time, and the broker forgets the consumer anyway.
            with suppress(NatsError):
                await feed.stop()
                await self._client.publish(api.delete_consumer(subjects.TURNS_STREAM, name))

    async def end(self) -> int:
        """See `Feeds.end`."""
        try:
            return (await self._jetstream.stream_info(subjects.TURNS_STREAM)).state.last_seq
        except (NatsError, JetStreamError) as error:
            raise FeedLostError(str(error) or type(error).__name__) from error

    async def unerased(self, purges: Mapping[str, int]) -> Collection[str]:
        """See `Feeds.unerased`."""
        try:
            last = await last_of_each(self._client, subjects.TURNS_STREAM, list(purges))
        except LogUnavailableError as error:
            raise FeedLostError(str(error)) from error
        found = {about: list(map(sequence_of, messages)) for about, messages in last.items()}
        # A node that is behind does not know the purge yet, and may lack more.
        return {about for about, sequence in purges.items() if found[about] != [sequence]}

    async def keep_dead_letter(self, letter: DeadLetter) -> None:
        """See `Feeds.keep_dead_letter`."""
        # The broker forgets message ids after a while; a letter that comes later is kept twice.
        headers = {"Nats-Msg-Id": f"store-{letter.sequence}"}
        subject = subjects.dead(_REASON, ResponseId(letter.about))
        try:
            await self._jetstream.publish(subject, msgspec.json.encode(letter), headers=headers)
        except (NatsError, JetStreamError) as error:
            raise FeedLostError(str(error)) from error

    async def _claim(self, name: str, start: int) -> int:
        """Create the consumer, waiting while another process has it; gives how much is behind."""
        waiting = False
        while True:
            answer = await self._ask(api.create_consumer, name, self._wish(name, start))
            error = answer.get("error")
            if error is None:
                return answer["num_pending"]
            if error.get("err_code") != _EXISTS:
                raise FeedLostError(error["description"])
            if await self._is_own(name):
                await self._ask(api.delete_consumer, name, {})
                continue
            if not waiting:
                log.info("another store projects; standing by", consumer=name)
                waiting = True
            await asyncio.sleep(_STAND_BY_S)

    async def _compare(self, start: int) -> None:
        """Refuse a log that was replaced by a shorter one: what is appended would have no view."""
        end = await self.end()
        if end < start - 1:
            raise FeedLostError(
                f"the log ends at {end}, before the views do ({start - 1}): they are of another "
                "log. Run turnwire rebuild, or drop the database, and they are made of this one"
            )

    async def _is_own(self, name: str) -> bool:
        answer = await self._ask(api.consumer_info, name, {})
        metadata = answer.get("config", {}).get("metadata", {})
        return metadata.get("holder") == self._holder

    async def _ask(
        self, about: Callable[[str, str], str], name: str, question: dict[str, Any]
    ) -> dict[str, Any]:
        subject = about(subjects.TURNS_STREAM, name)
        body = orjson.dumps(question) if question else b""
        try:
            reply = await self._client.request(subject, body, timeout=_API_TIMEOUT_S)
        except NatsError as error:
            raise FeedLostError(str(error) or type(error).__name__) from error
        return orjson.loads(reply.data)

    def _wish(self, name: str, start: int) -> dict[str, Any]:
        # nats-py has no `action`; without it the broker would update the consumer of another.
        config = {
            "name": name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": start,
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": FORGOTTEN_AFTER_S * SECOND,
            "mem_storage": True,
            "num_replicas": 1,
            "metadata": {"holder": self._holder},
        }
        return {"stream_name": subjects.TURNS_STREAM, "action": "create", "config": config}
