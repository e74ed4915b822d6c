"""The feed on JetStream: one pull after another, each of which takes what is there.

Not nats-py's `fetch`: it makes a task for each message (25 µs against 9 for a callback). Entries
are fetched in sweeps: a pull that hands over each entry as it comes wakes the process for each.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.jetstream import api
from turnwire_contracts import subjects
from turnwire_store.feed import MOST_IN_A_BATCH, FeedEntry, FeedLostError

SECOND: Final = 1_000_000_000
FORGOTTEN_AFTER_S: Final = 5
"""A consumer of which no process has asked anything for so long is gone."""

STAYS_EVERY_S: Final = 1.5
_NOTHING: Final = {"batch": 1, "no_wait": True, "max_bytes": 1}
"""A pull that every entry is too large for: the broker takes it for a sign of life."""
_EXPIRES_S: Final = 60
_HEARTBEAT: Final = {"idle_heartbeat": 2 * SECOND}
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
        self._asks = False
        self._staying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; nothing is asked for before the first batch."""
        inbox = f"{self._inbox}.*"
        self._subscription = await self._client.subscribe(inbox, cb=self._on_message)  # pyright: ignore[reportUnknownMemberType] -- a bare Future in nats-py

        self._staying = asyncio.create_task(self._stay())

    async def stop(self) -> None:
        """Take no more."""
        if self._staying is not None:
            self._staying.cancel()
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
            await self._pull({"batch": 1, "expires": _EXPIRES_S * SECOND, **_HEARTBEAT})
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
            self._asks = True
            await self._client.publish(self._next, orjson.dumps(question), reply=reply)
            await self._wait_for_end()
            self._asks = False
        if self._failure:
            raise FeedLostError(self._failure)

    async def _stay(self) -> None:
        """Keep the consumer while entries are worked on, which a slow disk makes long."""
        question, nobody = orjson.dumps(_NOTHING), self._client.new_inbox()
        while True:
            await asyncio.sleep(STAYS_EVERY_S)
            if not self._asks and self._client.is_connected:
                await self._client.publish(self._next, question, reply=nobody)

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
