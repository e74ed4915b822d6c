"""The event log on JetStream: fenced appends, one turn read by one batched direct get."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from turnwire_chassis.crash_points import reached
from turnwire_chassis.event_log import (
    FencedError,
    LogUnavailableError,
    Recorded,
    RecordedConversation,
    StorageFullError,
    TooLargeError,
)
from turnwire_chassis.jetstream.publishing import ELECTED_WITHIN_S, NO_LEADER, OUT_OF_SPACE
from turnwire_chassis.jetstream.reading import (
    read_batch,
    sequence_of,
    subject_of_message,
    time_of,
)
from turnwire_chassis.storage_space import (
    ANYWHERE,
    FOR_ANY_EVENT,
    FOR_NEW_TURNS,
    StorageSpace,
)
from turnwire_chassis.telemetry import spans
from turnwire_chassis.telemetry.metrics import APPENDS
from turnwire_contracts import codec, subjects
from turnwire_contracts.conversation_events import (
    AnyConversationEvent,
    ConversationCreated,
    ConversationEvent,
    TurnAdded,
)
from turnwire_contracts.event_kinds import kind_of, subject_of
from turnwire_contracts.events import AnyEvent, ItemsAdded, Requested
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId

Event = AnyEvent | AnyConversationEvent

_BEGINNINGS = (Requested, ItemsAdded, ConversationCreated, TurnAdded)
"""What begins something new; every other event goes on with it, ends it or takes it away."""

_WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
"""The second is said while an append before this one is not through all nodes."""
_TOO_LARGE = 10054
_GONE = frozenset({400, 404})
"""The broker's words for "no such message"."""
_ANSWER_WITHIN_S = 2.0
_AGAIN_S = 0.1
_ENVELOPE_BYTES = 1024
"""More than the headers of an append and its subject."""


class _UndecidedError(Exception):
    """It is not known whether the event is in the log, or why it should not be."""


class JetStreamEventLog:
    """`EventLog` on the stream `TURNS`."""

    def __init__(
        self, client: Client, jetstream: JetStreamContext, space: StorageSpace = ANYWHERE
    ) -> None:
        """`client` and `jetstream`: a connection on which the streams are declared.

        `space`: the room on the broker's disk, where that is known.
        """
        self._client = client
        self._jetstream = jetstream
        self._space = space

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        loop = asyncio.get_running_loop()
        began, outcome = loop.time(), "unavailable"
        # Nothing begins below it, so it is not entered.
        step = spans.appending(_kind(event))
        reached("append.before", event)
        try:
            sequence = await self._append(event, expected)
            reached("append.after", event)
            outcome = "appended"
        except FencedError as error:
            outcome = "fenced"
            step.fail(spans.error_type(error))
            raise
        except TooLargeError as error:
            outcome = "too_large"
            step.fail(spans.error_type(error))
            raise
        except LogUnavailableError as error:
            outcome = "full" if isinstance(error, StorageFullError) else outcome
            step.fail(spans.error_type(error))
            raise
        finally:
            APPENDS(outcome).observe(loop.time() - began)
            step.end()
        return sequence

    async def _append(self, event: Event, expected: int | None) -> int:
        body = codec.encode(event)
        if len(body) + _ENVELOPE_BYTES > self._client.max_payload:
            # The client counts no headers, and the broker ends the connection over them.
            raise TooLargeError(f"{len(body)} bytes")
        self._space.require(FOR_NEW_TURNS if isinstance(event, _BEGINNINGS) else FOR_ANY_EVENT)
        try:
            return await self._publish(event, body, expected)
        except _UndecidedError as undecided:
            # What begins a turn comes before all else of it. It is there no more, though it was, if
            # the turn has ended since and its content was not to be kept.
            begins = isinstance(event, Requested)
            try:
                return await self._decide(event, body, 0 if begins else expected)
            except StorageFullError as error:
                if not isinstance(event, _BEGINNINGS):
                    raise
                # It may be there, or come yet: who hears that the log is full takes it for undone.
                raise LogUnavailableError(str(error)) from undecided

    async def read(
        self, tenant: TenantId, response_id: ResponseId, after: int = 0
    ) -> list[Recorded]:
        """See `EventLog.read`."""
        subject = subjects.turn(tenant, response_id)
        messages = await read_batch(self._client, subjects.TURNS_STREAM, subject, after)
        return [_recorded(message) for message in messages]

    async def read_conversation(
        self, tenant: TenantId, conversation_id: ConversationId, after: int = 0
    ) -> list[RecordedConversation]:
        """See `EventLog.read_conversation`."""
        subject = subjects.conversation(tenant, conversation_id)
        messages = await read_batch(self._client, subjects.TURNS_STREAM, subject, after)
        return [_recorded_conversation(message) for message in messages]

    async def erase(self, recorded: Recorded | RecordedConversation) -> None:
        """See `EventLog.erase`."""
        reached("erase.before")
        try:
            async with asyncio.timeout(ELECTED_WITHIN_S):
                while not await self._is_erased(recorded.sequence):  # noqa: ASYNC110 -- an election sets no event
                    await asyncio.sleep(_AGAIN_S)
        except TimeoutError as error:
            raise LogUnavailableError(f"not erased within {ELECTED_WITHIN_S:g} s") from error
        reached("erase.after")

    async def _is_erased(self, sequence: int) -> bool:
        """Erase once; whether that was confirmed. Raises `LogUnavailableError`."""
        try:
            await self._jetstream.delete_msg(subjects.TURNS_STREAM, sequence)
        except APIError as error:
            if error.code in _GONE:
                return True
            if error.err_code in NO_LEADER:
                return False
            raise LogUnavailableError(str(error)) from error
        except (NatsError, TimeoutError):
            return False
        return True

    async def _publish(self, event: Event, body: bytes, expected: int | None) -> int:
        headers = None if expected is None else _fence(event, expected)
        try:
            ack = await self._jetstream.publish(
                subject_of(event), body, timeout=_ANSWER_WITHIN_S, headers=headers
            )
        except APIError as error:
            if error.err_code == _TOO_LARGE:
                raise TooLargeError(f"{len(body)} bytes") from error
            if error.err_code in _WRONG_LAST_SEQUENCE | NO_LEADER:
                raise _UndecidedError(str(error)) from error
            if error.err_code in OUT_OF_SPACE:
                raise StorageFullError(str(error)) from error
            raise LogUnavailableError(str(error)) from error
        except (NatsError, TimeoutError) as error:
            raise _UndecidedError(str(error) or type(error).__name__) from error
        return ack.seq

    async def _decide(self, event: Event, body: bytes, expected: int | None) -> int:
        """Find out what became of an append, and append again if nothing did."""
        try:
            async with asyncio.timeout(ELECTED_WITHIN_S):
                while True:
                    # A broker whose disk is full gives no answer at all.
                    self._space.require(FOR_ANY_EVENT)
                    is_there, sequence = await self._look_for(event, body, expected)
                    if is_there:
                        return sequence
                    # From now on with a fence: the append before this one may still arrive.
                    with suppress(_UndecidedError):
                        return await self._publish(event, body, sequence)
                    await asyncio.sleep(_AGAIN_S)
        except TimeoutError as error:
            raise LogUnavailableError(f"not confirmed within {ELECTED_WITHIN_S:g} s") from error

    async def _look_for(self, event: Event, body: bytes, expected: int | None) -> tuple[bool, int]:
        """Tell whether the event is there, with its sequence, or else with that of the last one.

        Raises `FencedError`, `LogUnavailableError`.
        """
        last = 0
        for recorded in await self._all(event):
            last = recorded.sequence
            if last > (expected or 0) and codec.encode(recorded.event) == body:
                return True, last
        if expected is not None and last != expected:
            raise FencedError(subject_of(event))
        return False, last

    async def _all(self, event: Event) -> Sequence[Recorded | RecordedConversation]:
        if isinstance(event, ConversationEvent):
            return await self.read_conversation(event.tenant, event.conversation_id)
        return await self.read(event.tenant, event.response_id)


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
    event = codec.read_turn_event(subject_of_message(message), message.data)
    return Recorded(sequence_of(message), event, time_of(message))


def _recorded_conversation(message: Msg) -> RecordedConversation:
    event = codec.read_conversation_event(subject_of_message(message), message.data)
    return RecordedConversation(sequence_of(message), event)
