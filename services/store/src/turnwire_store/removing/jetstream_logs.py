"""The log on JetStream as erasing and expiring read it: of one tenant, and the requests of all."""

from contextlib import suppress
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.jetstream.reading import page, sequence_of, subject_of_message
from turnwire_contracts import codec, subjects
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.queues import Queue
from turnwire_store.removing.erasure import ErasedConversationEntry, TurnEntry

_ON_A_PAGE: Final = 100

_ANY_TURN: Final = ResponseId("*")
_ANY_CONVERSATION: Final = ConversationId("*")


class JetStreamTenantLog:
    """`TenantLog` on the stream `TURNS`."""

    def __init__(self, client: Client) -> None:
        """The streams of `client` must be declared."""
        self._client = client

    async def turns(self, tenant: TenantId, after: int) -> list[TurnEntry]:
        """See `TenantLog.turns`."""
        return list(map(_turn_entry, await self._page(subjects.turn(tenant, _ANY_TURN), after)))

    async def conversations(self, tenant: TenantId, after: int) -> list[ErasedConversationEntry]:
        """See `TenantLog.conversations`."""
        subject = subjects.conversation(tenant, _ANY_CONVERSATION)
        return list(map(_conversation, await self._page(subject, after)))

    async def _page(self, subject: str, after: int) -> list[Msg]:
        return await page(self._client, subjects.TURNS_STREAM, subject, after, _ON_A_PAGE)


class JetStreamRequestLog:
    """`RequestLog` on the stream `TURNS`."""

    def __init__(self, client: Client) -> None:
        """The streams of `client` must be declared."""
        self._client = client

    async def requests(self, queue: Queue, after: int) -> list[TurnEntry]:
        """See `RequestLog.requests`."""
        found = await page(self._client, subjects.TURNS_STREAM, queue.subject, after, _ON_A_PAGE)
        return list(map(_turn_entry, found))


def _turn_entry(message: Msg) -> TurnEntry:
    """Read one message of the log about a turn."""
    subject = subject_of_message(message)
    _, response_id, _ = subjects.parse_turn_event(subject)
    event = None
    with suppress(UnreadableEventError):
        event = codec.read_turn_event(subject, message.data)
    return TurnEntry(sequence_of(message), response_id, event)


def _conversation(message: Msg) -> ErasedConversationEntry:
    subject = subject_of_message(message)
    _, about, _ = subjects.parse_conversation_event(subject)
    event = None
    with suppress(UnreadableEventError):
        event = codec.read_conversation_event(subject, message.data)
    return ErasedConversationEntry(sequence_of(message), about, event)
