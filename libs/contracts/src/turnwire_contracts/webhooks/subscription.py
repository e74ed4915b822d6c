"""What a turn carries of its webhook: which events are wanted, whose secret signs them."""

from typing import Final, Literal, get_args

from msgspec import Struct

WebhookEventType = Literal[
    "response.completed",
    "response.failed",
    "response.incomplete",
    "response.cancelled",
    "approval.requested",
]
"""OpenAI has the first four; the last one is ours: a tool call waits for a person."""

WEBHOOK_EVENT_TYPES: Final[tuple[WebhookEventType, ...]] = get_args(WebhookEventType)

APPROVAL_REQUESTED: Final = "approval.requested"


class WebhookSubscription(Struct, frozen=True, omit_defaults=True):
    """Where and of what a turn's end is told; the secret stays with the API key."""

    key: str
    """The id of the API key whose secret signs, and whose URL is told unless there is one here."""
    events: list[str]
    url: str | None = None
    """The request's own URL, sealed (`secret_envelope.py`)."""
