"""The feed on JetStream: a pull consumer that starts where the views are, and takes what is there.

Not FastStream's batch subscriber: it cannot start after our own checkpoint nor linger for a fuller
batch, and `fetch` below it makes a task for each message (25 µs against 9 for a callback).
Entries are fetched in sweeps: a pull that hands over each entry as it comes wakes the process for
each.

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
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream import api, topology
from turnwire_chassis.jetstream.reading import last_of_each, sequence_of
from turnwire_chassis.settings import OUTPUT_MAX_BYTES
from turnwire_contracts import subjects
from turnwire_contracts.dead_letters import DeadLetter
from turnwire_contracts.ids import ResponseId
from turnwire_store.feed import MOST_IN_A_BATCH, FeedEntry, FeedLostError

log = structlog.get_logger()

_API_TIMEOUT_S: Final = 2.0
_EXISTS: Final = 10148
_STAND_BY_S: Final = 1.0
_REASON: Final = "unprojectable"

_SECOND: Final = 1_000_000_000
_FORGOTTEN_AFTER_S: Final = 5
_EXPIRES_S: Final = 60
_HEARTBEAT: Final = {"idle_heartbeat": 2 * _SECOND}
_SILENCE_S: Final = 5.0
"""The consumer lives on one node, and dies with it without a word."""

_SWEEP_BYTES: Final = 16 * 1024 * 1024
_LINGER_S: Final = 0.2
"""Seconds. No reader waits for a view, and a batch costs two round trips whatever its size."""

_STILL_WAITING: Final = "100"
_NOTHING_LEFT: Final = "404"
_EXPIRED: Final = "408"
_LEFT: Final = "Nats-Pending-Messages"
"""Stands in the status of a pull that was served as far as it could be."""

_PLAIN_REPLY: Final = 9
"""Words of `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`;
behind a domain there are two more in front."""


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
    async def open(self, generation: int, start: int) -> AsyncGenerator["JetStreamFeed"]:
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
            "inactive_threshold": _FORGOTTEN_AFTER_S * _SECOND,
            "mem_storage": True,
            "num_replicas": 1,
            "metadata": {"holder": self._holder},
        }
        return {"stream_name": subjects.TURNS_STREAM, "action": "create", "config": config}


class JetStreamFeed:
    """One pull after another: wait for one entry, let more gather, sweep up what is there."""

    def __init__(self, client: Client, name: str, behind: int) -> None:
        """Read from the consumer `name`, which has `behind` entries to give."""
        self.behind = behind
        self._client = client
        self._next = api.next_messages(subjects.TURNS_STREAM, name)
        self._inbox = client.new_inbox()
        self._entries: list[FeedEntry] = []
        self._ended = asyncio.Event()
        self._failed = asyncio.Event()
        self._failure = ""
        self._heard = True
        self._delivered = 0
        self._pulls = 0
        self._due = 0

    async def start(self) -> None:
        """Listen; nothing is asked for before the first batch."""
        inbox = f"{self._inbox}.*"
        self._subscription = await self._client.subscribe(inbox, cb=self._on_message)  # pyright: ignore[reportUnknownMemberType] -- a bare Future in nats-py

    async def stop(self) -> None:
        """Take no more."""
        await self._subscription.unsubscribe()

    def fail(self, reason: str) -> None:
        """End the feed: `next_batch` raises `FeedLostError`."""
        self._failure = self._failure or reason
        self._failed.set()
        self._ended.set()

    async def next_batch(self) -> list[FeedEntry]:
        """See `Feed.next_batch`."""
        while self.behind == 0 and not self._entries:
            # Heartbeats only here: the other pulls end at once.
            await self._pull({"batch": 1, "expires": _EXPIRES_S * _SECOND, **_HEARTBEAT})
        if self.behind < MOST_IN_A_BATCH:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LINGER_S):
                    await self._failed.wait()
        most = MOST_IN_A_BATCH - len(self._entries)
        await self._pull({"batch": most, "no_wait": True, "max_bytes": self._max_bytes})
        entries, self._entries = self._entries, []
        return entries

    @property
    def _max_bytes(self) -> int:
        # A message that is larger than this would never come.
        return max(_SWEEP_BYTES, 2 * self._client.max_payload)

    async def _pull(self, question: dict[str, Any]) -> None:
        """Ask for entries and wait until the broker has said all; raises `FeedLostError`."""
        self._pulls += 1
        self._due = question["batch"]
        self._ended.clear()
        if not self._failure:
            reply = f"{self._inbox}.{self._pulls}"
            await self._client.publish(self._next, orjson.dumps(question), reply=reply)
            await self._wait_for_end()
        if self._failure:
            raise FeedLostError(self._failure)

    async def _wait_for_end(self) -> None:
        while not self._ended.is_set():
            self._heard = False
            with suppress(TimeoutError):
                async with asyncio.timeout(_SILENCE_S):
                    await self._ended.wait()
            if not self._heard:
                self.fail("the broker is silent")

    async def _on_message(self, message: Msg) -> None:
        self._heard = True
        if not message.reply:
            self._on_status(message)
            return
        words = message.reply.split(".")
        at = 5 if len(words) == _PLAIN_REPLY else 7
        if int(words[at + 1]) != self._delivered + 1:
            self.fail("messages were lost on their way")
            return
        self._delivered += 1
        self.behind = int(words[at + 3])
        self._entries.append(FeedEntry(message.subject, message.data, int(words[at])))
        self._due -= 1
        if self._due == 0:
            self._ended.set()

    def _on_status(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status")
        if status == _STILL_WAITING or message.subject != f"{self._inbox}.{self._pulls}":
            return
        if status == _NOTHING_LEFT:
            self.behind = 0
        if status in (_NOTHING_LEFT, _EXPIRED) or _LEFT in headers:
            self._ended.set()
        else:
            self.fail(f"the pull ended: {status} {headers.get('Description', '')}")
