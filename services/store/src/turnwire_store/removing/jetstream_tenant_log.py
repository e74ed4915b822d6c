"""What the log has of one tenant, on JetStream."""

from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.jetstream.event_log import page
from turnwire_contracts import codec, subjects
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_store.removing.erasure import ConversationEntry, TurnEntry

_ON_A_PAGE: Final = 100

_ANY_TURN: Final = ResponseId("*")
_ANY_CONVERSATION: Final = ConversationId("*")


class JetStreamTenantLog:
    """`TenantLog` on the stream `TURNS`."""

    def __init__(self, client: Client) -> None:
        """Use a connection whose streams are declared."""
        self._client = client

    async def turns(self, tenant: TenantId, after: int) -> list[TurnEntry]:
        """See `TenantLog.turns`."""
        return list(map(turn_entry, await self._page(subjects.turn(tenant, _ANY_TURN), after)))

    async def conversations(self, tenant: TenantId, after: int) -> list[ConversationEntry]:
        """See `TenantLog.conversations`."""
        subject = subjects.conversation(tenant, _ANY_CONVERSATION)
        return list(map(_conversation, await self._page(subject, after)))

    async def _page(self, subject: str, after: int) -> list[Msg]:
        return await page(self._client, subjects.TURNS_STREAM, subject, after, _ON_A_PAGE)


def turn_entry(message: Msg) -> TurnEntry:
    """Read one message of the log about a turn."""
    headers = message.headers or {}
    _, response_id, kind = subjects.parse_turn_event(headers["Nats-Subject"])
    try:
        event = codec.decode(kind, message.data)
    except UnreadableEventError:
        event = None
    return TurnEntry(int(headers["Nats-Sequence"]), response_id, event)


def _conversation(message: Msg) -> ConversationEntry:
    headers = message.headers or {}
    _, about, kind = subjects.parse_conversation_event(headers["Nats-Subject"])
    try:
        event = codec.decode_conversation(kind, message.data)
    except UnreadableEventError:
        event = None
    return ConversationEntry(int(headers["Nats-Sequence"]), about, event)
