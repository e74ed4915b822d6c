"""What stands in the place of what is outside: the broker, FastStream, HTTP, ids, the clock."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nats.aio.msg import Msg

from simulation.client import SimClient
from simulation.loop import EPOCH_S
from turnwire_chassis.concurrency import BoundedTasks
from turnwire_chassis.request_reply import responder
from turnwire_contracts.queries import Query
from turnwire_gateway.app import GatewayDependencies
from turnwire_gateway.auth.caller import caller_of
from turnwire_gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from simulation.world import World

_FINISH_WITHIN_S = 2.0


class _Installed:
    """The world that runs now; one at a time."""

    world: "World | None" = None


def world() -> "World":
    """Give the world that runs now."""
    if _Installed.world is None:
        raise RuntimeError("no simulation runs")
    return _Installed.world


def install(one: "World | None") -> None:
    """Let the product's services run in a world."""
    _Installed.world = one


def now_ms() -> int:
    """Tell what the wall clock of the process that asks shows."""
    return int((EPOCH_S + world().loop.now + world().wrong_by) * 1000)


async def connect(
    url: str,
    service: str,
    reconnected: Callable[[], Awaitable[None]] | None = None,
    access: object = None,
    refusals: object = None,
) -> SimClient:
    del url, service, access, refusals
    life = world().supervisor.current
    client = SimClient(world().broker, life, reconnected)
    life.clients.append(client)
    if not world().broker.is_up:
        client.broken()
        await asyncio.sleep(0.1)
        while not client.is_connected:  # noqa: ASYNC110 -- as the product, which waits for ever
            await asyncio.sleep(0.1)
    return client


async def connected() -> SimClient:
    """Connect a service of the simulation."""
    return await connect("", "")


_NOTING: Final = responder.__dict__["_noting"]
_REPLY: Final = responder.__dict__["_reply"]
"""What a responder does with each message, whoever brings it."""


class SimResponder:
    """`Responder` without FastStream: the same answers, on the simulated connection."""

    def __init__(self, url: str, service: str, most_at_once: int, access: object = None) -> None:
        """See `Responder`."""
        del url, service, access
        self._running = BoundedTasks(most_at_once)
        self._questions: list[tuple[Query[Any, Any], responder.Answer]] = []
        self._listeners: list[tuple[str, responder.Listener]] = []
        self._subscriptions: list[Any] = []
        self._client: SimClient | None = None

    def respond_to(self, query: Query[Any, Any], answer: responder.Answer) -> None:
        """See `Responder.respond_to`."""
        self._questions.append((query, answer))

    def listen(self, subject: str, listener: responder.Listener) -> None:
        """See `Responder.listen`."""
        self._listeners.append((subject, listener))

    async def start(self) -> None:
        """See `Responder.start`."""
        self._client = client = await connect("", "")
        for subject, listener in self._listeners:
            await client.subscribe(subject, cb=_NOTING(listener))
        for query, answer in self._questions:
            take = partial(self._take, query.subject, answer)
            self._subscriptions.append(await client.subscribe(query.subject, query.queue, take))

    async def _take(self, subject: str, answer: responder.Answer, message: Msg) -> None:
        await self._running.start(lambda: _REPLY(message, subject, answer))

    @property
    def connections(self) -> int:
        """See `Responder.connections`."""
        return self._client.reconnects if self._client is not None else 0

    @property
    def largest_answer(self) -> int:
        """See `Responder.largest_answer`."""
        return 1_000_000

    async def reachable(self) -> str | None:
        """See `Responder.reachable`."""
        return None

    async def refused(self) -> str | None:
        """See `Responder.refused`."""
        return None

    async def finish(self) -> None:
        """See `Responder.finish`."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.drain()
        await self._running.finish()

    async def stop(self) -> None:
        """See `Responder.stop`."""
        self._running.cancel()


class SimHttpServer:
    """In the place of HTTP: requests are functions that run in the gateway's process."""

    def __init__(self, settings: GatewaySettings, deps: GatewayDependencies) -> None:
        """See `serving._http_server`."""
        del settings
        self._deps = deps
        self._life = world().supervisor.current
        self.open: set[asyncio.Task[Any]] = set()

    async def listening(self) -> str | None:
        """See `TaskServer.listening`."""
        return None

    async def finish(self) -> None:
        """See `TaskServer.finish`."""
        self._life.deps = None
        while self.open:
            await asyncio.wait(self.open)

    async def run_until_cancelled(self) -> None:
        """See `TaskServer.run_until_cancelled`."""
        self._life.deps = self
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._life.deps = None
            self._deps.turns.hand_over()
            if self.open:
                await asyncio.wait(self.open, timeout=_FINISH_WITHIN_S)

    @property
    def deps(self) -> GatewayDependencies:
        """What requests are served with."""
        return self._deps


class _NoKeys:
    """The key ring of an API that is open to the machine itself."""

    def read_again(self) -> None:
        """Have nothing to read."""


class OpenIdentities:
    """`Identities` of an API without keys."""

    def __init__(self, *_: object) -> None:
        self.keys = _NoKeys()
        self.bearers = self
        self.identify = caller_of

    def is_open(self) -> bool:
        """Tell that any token will do."""
        return True

    async def begin(self) -> None:
        """Have nothing to read."""

    async def keep(self) -> None:
        """Have nothing to follow."""


class OneId:
    """In the place of `uuid4()`: the process that asks has its own name."""

    @property
    def hex(self) -> str:
        return world().supervisor.current.name


class TimeModule:
    """In the place of the module `time`, where the broker's clock is compared with our own."""

    @staticmethod
    def time() -> float:
        return now_ms() / 1000


class UuidModule:
    """In the place of the module `uuid`."""

    @staticmethod
    def uuid4() -> OneId:
        return OneId()


class OsModule:
    """In the place of the module `os`."""

    @staticmethod
    def getpid() -> int:
        return 1
