"""The event log on JetStream: fenced appends, one turn read by one batched direct get."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from turnwire_chassis.event_log import (
    FencedError,
    LogUnavailableError,
    Recorded,
    RecordedConversation,
    TooLargeError,
)
from turnwire_chassis.jetstream import api
from turnwire_chassis.telemetry import spans
from turnwire_chassis.telemetry.metrics import APPENDS
from turnwire_contracts import codec, subjects
from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationEvent,
    conversation_subject_of,
)
from turnwire_contracts.events import AnyEvent, kind_of, subject_of
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId

Event = AnyEvent | AnyConversationEvent

_WRONG_LAST_SEQUENCE = 10071
_TOO_LARGE = 10054
_GONE = frozenset({400, 404})
"""The broker's words for "no such message"."""
_APPEND_TIMEOUT_S = 5.0
_READ_TIMEOUT_S = 5.0
_BATCH = 1000
_ENVELOPE_BYTES = 1024
"""More than the headers of an append and its subject."""


class JetStreamEventLog:
    """`EventLog` on the stream `TURNS`."""

    def __init__(self, client: Client, jetstream: JetStreamContext) -> None:
        """Use a connection whose streams are declared."""
        self._client = client
        self._jetstream = jetstream

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        loop = asyncio.get_running_loop()
        began, outcome = loop.time(), "unavailable"
        try:
            with spans.appending(_kind(event)):
                sequence = await self._append(event, expected)
            outcome = "appended"
        except FencedError:
            outcome = "fenced"
            raise
        except TooLargeError:
            outcome = "too_large"
            raise
        finally:
            APPENDS(outcome).observe(loop.time() - began)
        return sequence

    async def _append(self, event: Event, expected: int | None) -> int:
        body = codec.encode(event)
        subject = _subject(event)
        if len(body) + _ENVELOPE_BYTES > self._client.max_payload:
            # The client counts no headers, and the broker ends the connection over them.
            raise TooLargeError(f"{len(body)} bytes")
        headers = None if expected is None else _fence(event, expected)
        try:
            ack = await self._jetstream.publish(
                subject, body, timeout=_APPEND_TIMEOUT_S, headers=headers
            )
        except APIError as error:
            if error.err_code == _TOO_LARGE:
                raise TooLargeError(f"{len(body)} bytes") from error
            if error.err_code != _WRONG_LAST_SEQUENCE or expected is None:
                raise LogUnavailableError(str(error)) from error
            # An append whose confirmation was lost is refused when it is tried again.
            return await self._own(event, body, expected)
        except (NatsError, TimeoutError) as error:
            raise LogUnavailableError(str(error)) from error
        return ack.seq

    async def read(self, tenant: TenantId, response_id: ResponseId) -> list[Recorded]:
        """See `EventLog.read`."""
        found = await read_batch(
            self._client, subjects.TURNS_STREAM, subjects.turn(tenant, response_id)
        )
        return [_recorded(message) for message in found]

    async def read_conversation(
        self, tenant: TenantId, conversation_id: ConversationId, after: int = 0
    ) -> list[RecordedConversation]:
        """See `EventLog.read_conversation`."""
        subject = subjects.conversation(tenant, conversation_id)
        found = await read_batch(self._client, subjects.TURNS_STREAM, subject, after)
        return [_recorded_conversation(message) for message in found]

    async def erase(self, recorded: Recorded | RecordedConversation) -> None:
        """See `EventLog.erase`."""
        try:
            await self._jetstream.delete_msg(subjects.TURNS_STREAM, recorded.sequence)
        except APIError as error:
            if error.code not in _GONE:
                raise LogUnavailableError(str(error)) from error
        except (NatsError, TimeoutError) as error:
            raise LogUnavailableError(str(error)) from error

    async def _own(self, event: Event, body: bytes, expected: int) -> int:
        for recorded in await self._all(event):
            if recorded.sequence > expected and codec.encode(recorded.event) == body:
                return recorded.sequence
        raise FencedError(_subject(event))

    async def _all(self, event: Event) -> Sequence[Recorded | RecordedConversation]:
        if isinstance(event, ConversationEvent):
            return await self.read_conversation(event.tenant, event.conversation_id)
        return await self.read(event.tenant, event.response_id)


def _subject(event: Event) -> str:
    if isinstance(event, ConversationEvent):
        return conversation_subject_of(event)
    return subject_of(event)


def _kind(event: Event) -> str:
    """Name the kind of an event for a trace."""
    if isinstance(event, ConversationEvent):
        return "conversation"
    return kind_of(event)


def _fence(event: Event, expected: int) -> dict[str, str]:
    if isinstance(event, ConversationEvent):
        everything = subjects.conversation(event.tenant, event.conversation_id)
    else:
        everything = subjects.turn(event.tenant, event.response_id)
    return {
        "Nats-Expected-Last-Subject-Sequence": str(expected),
        "Nats-Expected-Last-Subject-Sequence-Subject": everything,
    }


def _recorded(message: Msg) -> Recorded:
    _, _, kind = subjects.parse_turn_event((message.headers or {})["Nats-Subject"])
    return Recorded(_sequence(message), codec.decode(kind, message.data))


def _recorded_conversation(message: Msg) -> RecordedConversation:
    _, _, kind = subjects.parse_conversation_event((message.headers or {})["Nats-Subject"])
    return RecordedConversation(_sequence(message), codec.decode_conversation(kind, message.data))


async def read_batch(client: Client, stream: str, subject: str, after: int = 0) -> list[Msg]:
    """Read all messages of `subject` behind the sequence `after`, by batched direct gets.

    Each message carries its place in the headers `Nats-Sequence` and `Nats-Subject`.
    Raises `LogUnavailableError`.
    """
    return [message async for page in pages(client, stream, subject, after) for message in page]


async def pages(
    client: Client, stream: str, subject: str, after: int = 0
) -> AsyncIterator[list[Msg]]:
    """Give the same page by page, for what may be too much to hold. Raises `LogUnavailableError`.

    `subject` may be a pattern.
    """
    while found := await page(client, stream, subject, after):
        after = _sequence(found[-1])
        yield found


async def page(
    client: Client, stream: str, subject: str, after: int, most: int = _BATCH
) -> list[Msg]:
    """Read the next `most` messages of `subject`; none at the end. Raises `LogUnavailableError`."""
    question = {"seq": after + 1, "next_by_subj": subject, "batch": most}
    found, _ = await _direct_get(client, stream, orjson.dumps(question))
    return found


async def _direct_get(client: Client, stream: str, question: bytes) -> tuple[list[Msg], int]:
    """Give one batch, and how many messages the broker has behind it."""
    batch: list[Msg] = []
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def on_message(message: Msg) -> None:
        headers = message.headers or {}
        if "Nats-Sequence" in headers:
            batch.append(message)
        elif not ended.done():
            # 204 ends the batch, 404 says that there is nothing.
            ended.set_result(int(headers.get("Nats-Num-Pending", 0)) if batch else 0)

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=on_message)
    try:
        await client.publish(api.direct_get(stream), question, reply=inbox)
        async with asyncio.timeout(_READ_TIMEOUT_S):
            return batch, await ended
    except (NatsError, TimeoutError) as error:
        raise LogUnavailableError(str(error)) from error
    finally:
        await subscription.unsubscribe()


def _sequence(message: Msg) -> int:
    return int((message.headers or {})["Nats-Sequence"])
