"""Frames on the broker: live by core NATS, kept by the memory stream `OUTPUT` without an ack."""

from contextlib import suppress

import structlog
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import BadSubscriptionError, ConnectionClosedError, MaxPayloadError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from turnwire_chassis.broker import listen
from turnwire_chassis.crash_points import reached
from turnwire_chassis.jetstream.reading import read_batch
from turnwire_chassis.output_log import Watcher
from turnwire_contracts import subjects
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.wire.frames import FrameMessage, pack, unpack

log = structlog.get_logger()


class JetStreamOutputLog:
    """`OutputLog` on the stream `OUTPUT`."""

    def __init__(self, client: Client, jetstream: JetStreamContext) -> None:
        """`client` and `jetstream`: a connection on which the streams are declared."""
        self._client = client
        self._jetstream = jetstream

    async def publish(self, turn: TurnKey, message: FrameMessage) -> None:
        """See `OutputLog.publish`."""
        reached("frames.before", message.kind)
        await self._send(subjects.output(*turn), message)
        reached("frames.after", message.kind)

    async def answer(self, turn: TurnKey, message: FrameMessage) -> None:
        """See `OutputLog.answer`."""
        reached("plain.before")
        await self._send(subjects.answer(*turn), message)
        reached("plain.after")

    async def watch(self, turn: TurnKey, watcher: Watcher) -> "NatsFrameSubscription":
        """See `OutputLog.watch`."""
        return await self._listen(subjects.output(*turn), watcher)

    async def await_answer(self, turn: TurnKey, watcher: Watcher) -> "NatsFrameSubscription":
        """See `OutputLog.await_answer`."""
        return await self._listen(subjects.answer(*turn), watcher)

    async def read(self, turn: TurnKey) -> list[FrameMessage]:
        """See `OutputLog.read`; raises `LogUnavailableError`."""
        kept = await read_batch(self._client, subjects.OUTPUT_STREAM, subjects.output(*turn))
        return [unpack(message.data) for message in kept]

    async def forget(self, turn: TurnKey) -> None:
        """See `OutputLog.forget`."""
        try:
            await self._jetstream.purge_stream(
                subjects.OUTPUT_STREAM, subject=subjects.output(*turn)
            )
        except NatsError as error:
            # They age out anyway.
            log.warning("frames not dropped", response_id=turn.response_id, error=str(error))

    async def _send(self, subject: str, message: FrameMessage) -> None:
        try:
            await self._client.publish(subject, pack(message))
        except MaxPayloadError:
            # Readers see a gap, and find the whole in the log once the turn has ended.
            log.warning("frame larger than the broker takes", subject=subject)

    async def _listen(self, subject: str, watcher: Watcher) -> "NatsFrameSubscription":
        def take(_: bytes, body: bytes) -> None:
            watcher(unpack(body))

        return NatsFrameSubscription(await listen(self._client, subject, take))


class NatsFrameSubscription:
    """A core subscription."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def stop(self) -> None:
        """See `FrameSubscription.stop`."""
        with suppress(BadSubscriptionError, ConnectionClosedError):
            await self._subscription.unsubscribe()
