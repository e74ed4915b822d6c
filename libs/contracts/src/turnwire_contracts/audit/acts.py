"""The events of the audit log: who did what, to what, and when; never content.

The stream `AUDIT` keeps them, one kind per subject: `audit.<tenant>.<kind>`.
"""

from typing import Final, Literal

import msgspec
from msgspec import Struct

from turnwire_contracts import subjects
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import TenantId

AUDIT_VERSION: Final = 1

OPERATOR: Final = "operator"
"""The user of what is done by the `turnwire` command, on the machine itself."""

Act = Literal[
    "see_deleted", "see_others", "change_others", "restore", "purge",
    "see_keys", "see_audit", "see_erasures", "test_guard",
]  # fmt: skip
"""What only an admin or an operator may do."""


class Actor(Struct, frozen=True, omit_defaults=True):
    """The caller who did it."""

    user: str
    key: str | None = None
    """The id of the API key that was shown."""
    request_id: str | None = None


class AuditEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of every event of the audit log."""

    v: int = AUDIT_VERSION
    tenant: TenantId
    at: int
    """Unix time in milliseconds."""
    by: Actor


class AdminActed(AuditEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An admin is about to do what only admins may; `TURNS` says whether it happened."""

    act: Act
    about: str
    """The id of the response or conversation; `conversations` for a list of them."""


class ContentOpened(AuditEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An operator is about to read what was said in a tenant that is not theirs."""

    about: str
    """The id of the response or conversation; else the collection that is read."""
    reason: str
    """Why, as the operator says it."""


class KeyCreated(AuditEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An API key was made."""

    key_id: str
    user: str
    roles: list[str]
    scopes: list[str] = []
    """Empty: every scope."""
    expires_at: int | None = None
    """Unix time in milliseconds; `None`: it does not expire."""


class KeyRevoked(AuditEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An API key is no longer good."""

    key_id: str


class KeyWebhookChanged(AuditEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The webhook of an API key is about to change."""

    key_id: str
    change: Literal["set", "secret_rotated", "removed"]


class ErasureBegun(AuditEvent, frozen=True, kw_only=True, omit_defaults=True):
    """All of a tenant, or of one of its users, is to be erased."""

    user: str | None = None
    """`None`: all users of the tenant."""
    erasure_id: str | None = None
    """Of one that the store does; `None`: the command does it."""


class ErasureFinished(AuditEvent, frozen=True, kw_only=True, omit_defaults=True):
    """All of a tenant, or of one of its users, is erased."""

    user: str | None = None
    turns: int
    conversations: int
    erasure_id: str | None = None


class DeadLetterRetried(AuditEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A dead letter is about to be retried."""

    letter: int
    """Its sequence in `DEAD`."""
    about: str
    """The id of the response or conversation; `unknown` if its subject named none."""


class DeadLetterDropped(AuditEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A dead letter is about to be removed; the entry that it is about stays in the log."""

    letter: int
    about: str


AnyAuditEvent = (
    AdminActed
    | ContentOpened
    | KeyCreated
    | KeyRevoked
    | KeyWebhookChanged
    | ErasureBegun
    | ErasureFinished
    | DeadLetterRetried
    | DeadLetterDropped
)

AUDIT_KINDS: Final[dict[str, type[AnyAuditEvent]]] = {
    "admin_acted": AdminActed,
    "content_opened": ContentOpened,
    "key_created": KeyCreated,
    "key_revoked": KeyRevoked,
    "key_webhook_changed": KeyWebhookChanged,
    "erasure_begun": ErasureBegun,
    "erasure_finished": ErasureFinished,
    "dead_letter_retried": DeadLetterRetried,
    "dead_letter_dropped": DeadLetterDropped,
}
"""The last word of the subject, and what the body then says."""

_NAMES: Final = {event: kind for kind, event in AUDIT_KINDS.items()}
_DECODERS: Final = {kind: msgspec.json.Decoder(event) for kind, event in AUDIT_KINDS.items()}


def audit_kind_of(event: AnyAuditEvent) -> str:
    """Name the kind of an event: the last word of its subject."""
    return _NAMES[type(event)]


def audit_subject_of(event: AnyAuditEvent) -> str:
    """Name the subject an event is published under."""
    return subjects.audit_event(event.tenant, audit_kind_of(event))


def encode_audit(event: AnyAuditEvent) -> bytes:
    """Write the body of an event."""
    return msgspec.json.encode(event)


def decode_audit(subject: str, body: bytes) -> AnyAuditEvent:
    """Read an event; raises `UnreadableEventError` for one that this version does not know."""
    kind = subject.rpartition(".")[2]
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise UnreadableEventError(f"unknown kind of event: audit {kind}")
    try:
        event = decoder.decode(body)
    except msgspec.DecodeError as error:
        raise UnreadableEventError(f"audit {kind}: {error}") from error
    if event.v != AUDIT_VERSION:
        raise UnreadableEventError(f"audit {kind}: version {event.v} is not known here")
    return event
