"""A connection to the simulated broker, with the face of nats-py's client."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from nats.aio.msg import Msg
from nats.errors import (
    BadSubscriptionError,
    ConnectionClosedError,
    MaxPayloadError,
    NoRespondersError,
)
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext

from simulation.subscriptions import OnMessage, SimSubscription
from turnwire_chassis.broker import BrokerConnection
from turnwire_chassis.broker_access.refusals import Refusals
from turnwire_chassis.broker_wire.transport import Take

if TYPE_CHECKING:
    from simulation.broker import Broker
    from simulation.connections import Arriving, Connection
    from simulation.loop import Process, SimFuture
    from simulation.processes import Life

_MAX_PAYLOAD = 1024 * 1024
_RECONNECT_S = 0.25


class _Version(NamedTuple):
    major: int = 2
    minor: int = 12
    patch: int = 0


class SimClient(BrokerConnection):
    """What the product uses of `nats.aio.client.Client`."""

    def __init__(
        self,
        broker: "Broker",
        life: "Life",
        reconnected: Callable[[], Awaitable[None]] | None,
    ) -> None:
        """`life`: of the process that this belongs to."""
        # Nothing of nats-py's own beginning: it would look for a loop and a socket.
        self.refusals = Refusals()
        self.parting = False
        self.lost: Callable[[], None] = _do_nothing
        self.options: dict[str, Any] = {}
        self.broker = broker
        self.loop = broker.loop
        self.life = life
        self.process: Process = life.process
        self.reconnects = 0
        self.drops_until = 0.0
        """Until when frames do not reach it."""
        self._reconnected = reconnected
        self._connection: Connection | None = broker.connect(self)
        self._subscribed: dict[int, SimSubscription] = {}
        self._asked: dict[str, SimFuture] = {}
        self._outbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._over = False
        self._sids = 0
        self._tokens = 0
        self._prefix = f"_INBOX_{life.name}"
        broker.subscribe(self._connection, 0, f"{self._prefix}.r.*", "")

    # What the product reads.

    @property
    def is_clustered(self) -> bool:
        """See `BrokerConnection`."""
        return self.broker.clustered

    @property
    def max_payload(self) -> int:
        """See nats-py."""
        return _MAX_PAYLOAD

    @property
    def is_connected(self) -> bool:
        """See nats-py."""
        return self._connection is not None

    @property
    def is_closed(self) -> bool:
        """See nats-py."""
        return self._over

    @property
    def stats(self) -> dict[str, int]:
        """See nats-py."""
        return {"reconnects": self.reconnects}

    @property
    def connected_server_version(self) -> Any:
        """See nats-py."""
        return _Version()

    def new_inbox(self) -> str:
        """See nats-py."""
        self._tokens += 1
        return f"{self._prefix}.{self._tokens}"

    def jetstream(self, **opts: Any) -> JetStreamContext:
        """See nats-py: its own context, which only asks and publishes."""
        return JetStreamContext(self, **opts)

    # What the product sends.

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        reply: str = "",
        headers: dict[str, Any] | None = None,
    ) -> None:
        """See nats-py: without a connection, what is published waits for the next."""
        if self._over:
            raise ConnectionClosedError
        if len(payload) > _MAX_PAYLOAD:
            raise MaxPayloadError
        await self.life.before_step()
        self._send(self.broker.publish, subject, reply, headers, payload)
        await self.life.after_step()

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,  # noqa: ASYNC109 -- nats-py's own signature
        old_style: bool = False,  # noqa: FBT001, FBT002 -- nats-py's own signature
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """See nats-py."""
        del old_style
        self._tokens += 1
        inbox = f"{self._prefix}.r.{self._tokens}"
        answered = self._asked[inbox] = self.loop.create_future()
        timer = self.loop.call_later(timeout, self._give_up, inbox)
        try:
            await self.publish(subject, payload, reply=inbox, headers=headers)
            message: Msg = await answered
        finally:
            timer.cancel()
            self._asked.pop(inbox, None)
        if message.headers and message.headers.get("Status") == "503":
            raise NoRespondersError
        return message

    def _give_up(self, inbox: str) -> None:
        answered = self._asked.get(inbox)
        if answered is not None and not answered.done():
            answered.set_exception(NatsTimeoutError())

    async def subscribe(  # pyright: ignore[reportIncompatibleMethodOverride] -- as much as is used
        self, subject: str, queue: str = "", cb: OnMessage | None = None
    ) -> SimSubscription:
        """See nats-py."""
        if self._over:
            raise ConnectionClosedError
        if cb is None:
            raise NotImplementedError("a subscription without a callback")
        self._sids += 1
        subscription = SimSubscription(self, self._sids, subject, queue, cb)
        self._subscribed[self._sids] = subscription
        if self._connection is not None:
            self._send(self.broker.subscribe, self._sids, subject, queue)
        return subscription

    async def listen(self, subject: str, take: Take) -> SimSubscription:  # pyright: ignore[reportIncompatibleMethodOverride] -- as above
        """See `DirectClient`."""

        async def on_message(message: Msg) -> None:
            take(message.subject.encode(), message.data)

        return await self.subscribe(subject, cb=on_message)

    async def unsubscribe(self, sid: int, *, keep: bool = False) -> None:
        """End a subscription; `keep`: what has come is still handled."""
        if self._over:
            raise ConnectionClosedError
        if sid not in self._subscribed:
            raise BadSubscriptionError
        if not keep:
            del self._subscribed[sid]
        if self._connection is not None:
            self._send(self.broker.unsubscribe, sid)
            if keep:
                self.loop.call_later(0.05, self._subscribed.pop, sid, None)

    async def flush(self, timeout: int = 10) -> None:  # noqa: ASYNC109 -- nats-py's own signature
        """See nats-py; order is kept without it."""

    async def drain(self) -> None:
        """See nats-py."""
        await self.close()

    async def close(self) -> None:
        """See nats-py: what was sent before still arrives."""
        self.parting = self._over = True
        if self._connection is not None:
            self._send(self.broker.disconnect)
            self._connection = None

    def _send(self, callback: Callable[..., None], *args: Any) -> None:
        if self._connection is None:
            self._outbox.append((callback, args))
        else:
            self.broker.send(self._connection, callback, *args)

    # What the broker does.

    def receive(self, connection: "Connection", batch: "list[Arriving]") -> None:
        """Take what has come over a connection; of a former one nothing comes."""
        if batch is connection.down_batch:
            connection.down_batch = []
        for sid, subject, reply, headers, data in batch:
            if connection is not self._connection or not connection.is_open:
                return
            message = Msg(self, subject, reply, data, dict(headers) if headers else None)
            if sid == 0:
                answered = self._asked.get(subject)
                if answered is not None and not answered.done():
                    answered.set_result(message)
            elif (subscription := self._subscribed.get(sid)) is not None:
                subscription.take(message)

    def hold_back(self, until: float, *, up: bool, down: bool) -> None:
        """Let what is sent arrive at a time, in either direction or both, and not before."""
        if self._connection is not None:
            self._connection.up_at = until if up else self._connection.up_at
            self._connection.down_at = until if down else self._connection.down_at

    def broken(self) -> None:
        """Lose the connection; what is sent before the process notices goes nowhere."""
        connection = self._connection
        if connection is not None and connection.is_open:
            self.broker.disconnect(connection)
            self.loop.at(self.loop.now, self.process, self._notice, connection)

    def _notice(self, connection: "Connection") -> None:
        """Look for another connection."""
        if self._connection is connection:
            self._connection = None
            self.lost()
            self._try_later()

    def _try_later(self) -> None:
        when = self.loop.now + _RECONNECT_S * (1 + self.broker.random.random())
        self.loop.at(when, self.process, self._try_again)

    def _try_again(self) -> None:
        if self._over:
            return
        if not self.broker.is_up or self.life.is_cut_off:
            self._try_later()
            return
        self._connection = connection = self.broker.connect(self)
        self.reconnects += 1
        self.broker.subscribe(connection, 0, f"{self._prefix}.r.*", "")
        for sid, subscription in self._subscribed.items():
            self.broker.send(
                connection, self.broker.subscribe, sid, subscription.subject, subscription.queue
            )
        outbox, self._outbox = self._outbox, []
        for callback, args in outbox:
            self.broker.send(connection, callback, *args)
        if self._reconnected is not None:
            self.loop.create_task(_run(self._reconnected))


def _do_nothing() -> None:
    """Do nothing: no part of this process asked to be told of a loss."""


async def _run(reconnected: Callable[[], Awaitable[None]]) -> None:
    await reconnected()
