"""Snapshots of streams by JetStream's own protocol, which nats-py does not speak.

A snapshot is a stream as it is on the disk, sequences, times and durable consumers included, and
never encrypted. It is taken while the stream goes on: what is appended meanwhile may be in it.
(https://github.com/nats-io/nats-architecture-and-design, ADR-1 has the shapes of the API.)
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from turnwire_chassis.jetstream import api

_ANSWER_WITHIN_S: Final = 10.0
_SILENCE_S: Final = 30.0
"""The broker checks a stream before it sends it, and builds its index after it has it."""
_PART: Final = 128 * 1024
_OK: Final = frozenset({"", "204"})
_NO_STREAM: Final = 10059


class SnapshotError(Exception):
    """The broker could not give or take a snapshot; the text says of which stream, and why."""


class StreamState(Struct, frozen=True):
    """How much a stream has."""

    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0
    consumer_count: int = 0


class Snapshot(Struct, frozen=True):
    """What a broker has to be told to make a stream from its snapshot."""

    config: dict[str, Any]
    state: dict[str, Any]

    @property
    def counts(self) -> StreamState:
        """How much there was when it was taken."""
        return msgspec.convert(self.state, StreamState)


async def take_snapshot(client: Client, stream: str, write: Callable[[bytes], None]) -> Snapshot:
    """Give each part of a stream's snapshot to `write`, in order. Raises `SnapshotError`."""
    arriving = _Arriving(client, stream, write)
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=arriving.on_message)
    question = {"deliver_subject": inbox, "jsck": True, "no_consumers": False, "chunk_size": _PART}
    try:
        head = await _ask(client, stream, api.snapshot(stream), question)
        await arriving.whole()
    finally:
        await subscription.unsubscribe()
    return Snapshot(head["config"], head["state"])


async def restore_snapshot(
    client: Client, stream: str, snapshot: Snapshot, parts: Iterable[bytes], replicas: int
) -> StreamState:
    """Make a stream from a snapshot; gives what it has then. Raises `SnapshotError`.

    `replicas`: how many nodes keep it from now on.
    """
    config = {**snapshot.config, "num_replicas": replicas}
    wish = {"config": config, "state": snapshot.state}
    place = (await _ask(client, stream, api.restore(stream), wish))["deliver_subject"]
    try:
        for part in parts:
            for at in range(0, len(part), _PART):
                reply = await client.request(place, part[at : at + _PART], timeout=_SILENCE_S)
                if reply.data:
                    _refuse_error(stream, orjson.loads(reply.data))
        made = orjson.loads((await client.request(place, b"", timeout=_SILENCE_S)).data)
    except NatsError as error:
        raise _failed(stream, error) from error
    _refuse_error(stream, made)
    return msgspec.convert(made["state"], StreamState)


async def stream_state(client: Client, stream: str) -> StreamState | None:
    """Tell how much a stream has; `None` if there is none. Raises `SnapshotError`."""
    try:
        reply = await client.request(api.stream_info(stream), b"", timeout=_ANSWER_WITHIN_S)
    except NatsError as error:
        raise _failed(stream, error) from error
    answer = orjson.loads(reply.data)
    if answer.get("error", {}).get("err_code") == _NO_STREAM:
        return None
    _refuse_error(stream, answer)
    return msgspec.convert(answer["state"], StreamState)


async def delete_stream(client: Client, stream: str) -> None:
    """Remove a stream with all that it has. Raises `SnapshotError`."""
    await _ask(client, stream, api.delete_stream(stream), {})


class _Arriving:
    """The parts of one snapshot as they come."""

    def __init__(self, client: Client, stream: str, write: Callable[[bytes], None]) -> None:
        self._client = client
        self._stream = stream
        self._write = write
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parts = 0

    async def on_message(self, message: Msg) -> None:
        if self._ended.done():
            return
        status = (message.headers or {}).get("Status", "")
        if not message.data:
            if status in _OK:
                self._ended.set_result(None)
            else:
                reason = (message.headers or {}).get("Description", status)
                self._ended.set_exception(SnapshotError(f"{self._stream}: {reason}"))
            return
        try:
            self._write(message.data)
        except OSError as error:
            self._ended.set_exception(error)
            return
        self._parts += 1
        if message.reply:
            # The broker sends more only when what it has sent is there.
            await self._client.publish(message.reply)

    async def whole(self) -> None:
        """Wait for the end. Raises `SnapshotError`, and what `write` raises."""
        parts = -1
        while parts < self._parts and not self._ended.done():
            parts = self._parts
            await asyncio.wait({self._ended}, timeout=_SILENCE_S)
        if not self._ended.done():
            raise SnapshotError(f"{self._stream}: the broker fell silent")
        self._ended.result()


async def _ask(
    client: Client, stream: str, subject: str, question: dict[str, Any]
) -> dict[str, Any]:
    body = orjson.dumps(question) if question else b""
    try:
        reply = await client.request(subject, body, timeout=_ANSWER_WITHIN_S)
    except NatsError as error:
        raise _failed(stream, error) from error
    answer = orjson.loads(reply.data)
    _refuse_error(stream, answer)
    return answer


def _refuse_error(stream: str, answer: dict[str, Any]) -> None:
    if (error := answer.get("error")) is not None:
        raise SnapshotError(f"{stream}: {error.get('description', error)}")


def _failed(stream: str, error: Exception) -> SnapshotError:
    reason = str(error) or type(error).__name__
    return SnapshotError(f"{stream}: {reason}; has the user `operator` the right to do that?")
