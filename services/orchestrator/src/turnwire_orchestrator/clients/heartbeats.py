"""Signs of life from tool-runners: one subscription for all questions of this process.

A subscription for each question would cost more than the question (three messages and two tasks).
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from turnwire_contracts import subjects


@dataclass(slots=True)
class Heartbeat:
    """When a question was last heard of, by the loop's clock."""

    at: float

    def give(self) -> None:
        """Note that it is now."""
        self.at = asyncio.get_running_loop().time()


class Heartbeats:
    """Hears what runners say of all questions, and notes it for those that are asked here."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._watched: dict[str, Heartbeat] = {}
        self._hearing: asyncio.Task[Subscription] | None = None

    async def hear(self) -> None:
        """Listen; done once, and then as good as nothing."""
        if self._hearing is None:
            everything = subjects.tool_progress("*")
            subscribing = self._client.subscribe(everything, cb=self._note)
            self._hearing = asyncio.create_task(subscribing)
        await asyncio.shield(self._hearing)

    @contextmanager
    def of(self, call_id: str) -> Generator[Heartbeat]:
        """Watch one question."""
        sign = self._watched[call_id] = Heartbeat(asyncio.get_running_loop().time())
        try:
            yield sign
        finally:
            self._watched.pop(call_id, None)

    async def _note(self, message: Msg) -> None:
        sign = self._watched.get(message.subject.rpartition(".")[2])
        if sign is not None:
            sign.give()
