"""Subscriptions of a simulated connection: their messages are handled as nats-py does."""

import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from nats.aio.msg import Msg

if TYPE_CHECKING:
    from simulation.client import SimClient

OnMessage = Callable[[Msg], Awaitable[None]]


class SimSubscription:
    """One subscription; its messages are handled one after another, as nats-py does."""

    def __init__(
        self, client: "SimClient", sid: int, subject: str, queue: str, cb: OnMessage
    ) -> None:
        self.subject = subject
        self.queue = queue
        self._client = client
        self._sid = sid
        self._cb = cb
        self._waiting: deque[Msg] = deque()
        self._busy = False

    async def unsubscribe(self, limit: int = 0) -> None:
        """Hear no more."""
        del limit
        await self._client.unsubscribe(self._sid)
        self._waiting.clear()

    async def drain(self) -> None:
        """Hear no more; what has come is still handled."""
        await self._client.unsubscribe(self._sid, keep=True)

    def take(self, message: Msg) -> None:
        """Handle a message after those before it; a task is made only if handling it waits."""
        self._waiting.append(message)
        if self._busy:
            return
        self._busy = True
        handling = self._handle()
        try:
            waits_for = handling.send(None)
        except StopIteration:
            return
        self._client.loop.create_task(
            cast("Coroutine[Any, Any, None]", _go_on(handling, waits_for))
        )

    async def _handle(self) -> None:
        while self._waiting:
            message = self._waiting.popleft()
            try:
                await self._cb(message)
            except Exception as error:  # noqa: BLE001 -- nats-py hands it to the error callback
                self._client.loop.errors.append((self._client.process.name, error))
        self._busy = False


@types.coroutine
def _go_on(handling: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that was begun without a task, and waits for something."""
    while True:
        try:
            sent = yield waits_for
        except BaseException as error:  # noqa: BLE001 -- a task's cancellation is the coroutine's
            step = partial(handling.throw, error)
        else:
            step = partial(handling.send, sent)
        try:
            waits_for = step()
        except StopIteration:
            return
