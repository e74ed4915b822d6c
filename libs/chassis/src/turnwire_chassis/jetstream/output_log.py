"""Frames on the broker: live by core NATS, kept by the memory stream `OUTPUT` without an ack."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import BadSubscriptionError, ConnectionClosedError, MaxPayloadError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from turnwire_chassis.broker import listen
from turnwire_chassis.crash_points import reached
from turnwire_chassis.jetstream.reading import (
    last_message,
    more_follow,
    page_of_bytes,
    read_batch,
    sequence_of,
    time_of,
)
from turnwire_chassis.output_log import KeptFrames, Watcher
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
        self._shared: dict[str, _SharedSubscription] = {}

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
        return _readable(kept)

    async def read_after(self, turn: TurnKey, place: int, most_bytes: int) -> KeptFrames:
        """See `OutputLog.read_after`."""
        subject = subjects.output(*turn)
        found = await page_of_bytes(
            self._client, subjects.OUTPUT_STREAM, subject, place, most_bytes
        )
        if not found:
            return KeptFrames([], place, None)
        last = found[-1]
        if more_follow(found):
            last = await last_message(self._client, subjects.OUTPUT_STREAM, subject) or last
        newest = next(iter(_readable([last])), None)
        return KeptFrames(_readable(found), sequence_of(found[-1]), newest)

    async def end_kept_at(self, turn: TurnKey) -> str | None:
        """See `OutputLog.end_kept_at`."""
        stream = subjects.OUTPUT_STREAM
        message = await last_message(self._client, stream, subjects.output(*turn))
        is_end = message is not None and unpack(message.data).kind == "E"
        return time_of(message) if message is not None and is_end else None

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
        """Share one subscription among all who watch a subject: its messages come once."""
        while (shared := self._shared.get(subject)) is not None:
            if await asyncio.shield(shared.listens) and self._shared.get(subject) is shared:
                shared.watchers = (*shared.watchers, watcher)
                return NatsFrameSubscription(shared, watcher)
        shared = self._shared[subject] = _SharedSubscription(self._shared, subject, watcher)
        try:
            shared.subscription = await listen(self._client, subject, shared.take)
        finally:
            if shared.subscription is None:
                del self._shared[subject]
            shared.listens.set_result(shared.subscription is not None)
        return NatsFrameSubscription(shared, watcher)


class _SharedSubscription:
    """A core subscription with all who watch by it."""

    def __init__(
        self, among: dict[str, "_SharedSubscription"], subject: str, watcher: Watcher
    ) -> None:
        self.watchers: tuple[Watcher, ...] = (watcher,)
        self.subscription: Subscription | None = None
        self.listens: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._among = among
        self._subject = subject

    def take(self, subject: bytes, body: bytes) -> None:
        """Pass frames on; what is none shows as a gap."""
        frames = _unpacked(subject.decode(), body)
        if frames is not None:
            for watcher in self.watchers:
                watcher(frames)

    async def leave(self, watcher: Watcher) -> None:
        """Tell a watcher nothing more; with the last one the subscription ends."""
        self.watchers = tuple(each for each in self.watchers if each != watcher)
        if self.watchers or self._among.get(self._subject) is not self:
            return
        del self._among[self._subject]
        if self.subscription is not None:
            with suppress(BadSubscriptionError, ConnectionClosedError):
                await self.subscription.unsubscribe()


def _readable(messages: Iterable[Msg]) -> list[FrameMessage]:
    """Decode messages; one that is none is left out, and shows as a gap."""
    read = (_unpacked(message.subject, message.data) for message in messages)
    return [frames for frames in read if frames is not None]


def _unpacked(subject: str, body: bytes) -> FrameMessage | None:
    try:
        return unpack(body)
    except ValueError as error:
        log.warning("frames not read", subject=subject, error=str(error))
        return None


class NatsFrameSubscription:
    """One watcher's part in a subscription."""

    def __init__(self, shared: _SharedSubscription, watcher: Watcher) -> None:
        self._shared = shared
        self._watcher = watcher

    async def stop(self) -> None:
        """See `FrameSubscription.stop`."""
        await self._shared.leave(self._watcher)
