"""Keeps the key ring as the broker's bucket is: by its notices, and by a look every second."""

import asyncio
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.api_keys.bucket import KeyBucket
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_contracts import subjects
from turnwire_gateway.auth.key_ring import KeyRing

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
"""Seconds. A notice may be lost on the way; a revoked key is then valid for that much longer."""

_AGAIN_S: Final = 0.25


class KeyWatch:
    """Reads what is new in the bucket. Without the broker the ring stays as it was."""

    def __init__(self, client: Client, ring: KeyRing) -> None:
        self._client = client
        self._bucket = KeyBucket(client)
        self._ring = ring
        self._news = asyncio.Event()
        self._read_up_to = 0
        self._from_start = False
        self._foreign_keys = 0

    async def begin(self) -> None:
        """Subscribe to changes and read all keys, waiting as long as it takes."""

        async def on_change(message: Msg) -> None:
            del message
            self._news.set()

        await self._client.subscribe(subjects.API_KEYS, cb=on_change)
        while not await self._has_all():  # noqa: ASYNC110 -- another process sets no event
            await asyncio.sleep(_AGAIN_S)

    def read_again(self) -> None:
        """Read all keys again soon: after a reconnection it may be another bucket."""
        self._from_start = True
        self._news.set()

    async def take_up(self) -> None:
        """Read what is new now: who has just changed a key expects that it counts."""
        await self._look()

    async def keep(self) -> None:
        """Follow the bucket until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            await self._look()

    async def _has_all(self) -> bool:
        """Tell whether all keys were read: a bucket without keys may mean that no key is needed."""
        try:
            last = await self._bucket.last_sequence()
        except LogUnavailableError as error:
            log.warning("API keys not read", error=str(error))
            return False
        return await self._look() and self._read_up_to >= last

    async def _look(self) -> bool:
        if self._from_start:
            self._from_start, self._read_up_to = False, 0
        try:
            found = await self._bucket.read(self._read_up_to)
        except LogUnavailableError as error:
            log.warning("API keys not read", error=str(error))
            return False
        for entry in found:
            self._ring.learn(entry)
            self._read_up_to = entry.sequence
        self._report_foreign_keys()
        return True

    def _report_foreign_keys(self) -> None:
        foreign_keys = self._ring.of_another_pepper()
        if foreign_keys > self._foreign_keys:
            log.error(
                "API keys were made with another TURNWIRE_KEY_PEPPER and are refused here",
                keys=foreign_keys,
            )
        self._foreign_keys = foreign_keys
