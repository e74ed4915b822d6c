"""One event on its way to a webhook, as the stream `WEBHOOKS` has it and as its receiver gets it.

It follows from the turn alone, its id too: two owners that tell the end of a turn tell the same.
OpenAI: "Webhooks"; the signature is that of Standard Webhooks.
"""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.inspecting.approvals import approval_requests
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.webhooks.subscription import APPROVAL_REQUESTED, WebhookSubscription

_ID_BYTES: Final = 16


class WebhookDelivery(Struct, frozen=True, omit_defaults=True):
    """One event for one receiver; nothing of what was said is in it."""

    tenant: TenantId
    response_id: ResponseId
    event_id: str
    """`evt_` and 32 hexadecimal digits; the `webhook-id` of every attempt."""
    type: str
    created_at: int
    """When the turn ended, in Unix seconds."""
    key: str
    """The API key whose secret signs."""
    closed: int
    """The place of the turn's end in the log."""
    url: str | None = None
    """The request's own URL, sealed; `None`: that of the key."""
    approval_id: str | None = None
    """The item of the type `mcp_approval_request` that an `approval.requested` is about."""

    @property
    def payload(self) -> JSON:
        """What the receiver is sent (OpenAI: `response.completed` and its like)."""
        about: JSON = {"id": self.response_id}
        if self.approval_id is not None:
            about = {"id": self.approval_id, "response_id": self.response_id}
        return {
            "object": "event",
            "id": self.event_id,
            "type": self.type,
            "created_at": self.created_at,
            "data": about,
        }

    def encode(self) -> bytes:
        """Write it as JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, body: bytes) -> "WebhookDelivery":
        """Read it; raises `msgspec.MsgspecError`."""
        return msgspec.json.decode(body, type=cls)


def deliveries_of(turn: ClosedTurn, closed: int) -> Iterator[WebhookDelivery]:
    """Give what is to be told of a turn that has ended, at the place `closed` of the log."""
    to = turn.request.webhook
    if to is None:
        return
    if (ended := f"response.{turn.closed.status}") in to.events:
        yield _delivery(turn, to, closed, ended)
    if APPROVAL_REQUESTED in to.events:
        for item in approval_requests(turn):
            yield _delivery(turn, to, closed, APPROVAL_REQUESTED, str(item.get("id")))


def _delivery(
    turn: ClosedTurn,
    to: WebhookSubscription,
    closed: int,
    kind: str,
    approval_id: str | None = None,
) -> WebhookDelivery:
    request = turn.request
    name = f"{request.tenant} {request.response_id} {kind} {approval_id or ''}".encode()
    return WebhookDelivery(
        closed=closed,
        tenant=request.tenant,
        response_id=request.response_id,
        event_id=f"evt_{blake2b(name, digest_size=_ID_BYTES).hexdigest()}",
        type=kind,
        created_at=turn.closed.at // 1000,
        key=to.key,
        url=to.url,
        approval_id=approval_id,
    )
