"""`/v1/admin/keys/{key_id}/webhook`: where the ends of a key's responses are told."""

import secrets
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.administration.key_acts import (
    KeyActPorts,
    UnknownKeyError,
    change_webhook,
    find_key,
)
from turnwire_chassis.api_keys.key_text import is_key_id
from turnwire_chassis.api_keys.record import KeyRecord, KeyWebhook
from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.tool_servers.secret_envelope import Sealer, SealError
from turnwire_chassis.webhooks.endpoint import (
    SECRET_BYTES,
    SECRET_PREFIX,
    SigningSecret,
    WebhookEndpoint,
    new_secret,
    purpose_of_key,
    seal_endpoint,
)
from turnwire_contracts.audit.acts import KeyWebhookChanged
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.json_values import JSON
from turnwire_contracts.webhooks.subscription import WEBHOOK_EVENT_TYPES
from turnwire_gateway.api.admin.keys import KeyPorts, no_such_key, refuse
from turnwire_gateway.api.admin.tenants import tenant_changed
from turnwire_gateway.api.admin_acts import actor
from turnwire_gateway.api.request_context import answered, caller, fields, object_of, read_body
from turnwire_gateway.api.requests.admin_requests import SecretRotation, WebhookSet
from turnwire_gateway.api.requests.validation import read
from turnwire_gateway.api.requests.webhooks import webhook_url
from turnwire_gateway.errors import ApiError

_CHANGES: Final = "change the webhooks of API keys"
_HINT: Final = 4
"""Letters of a secret by which people know it again."""

Change = Literal["set", "secret_rotated", "removed"]
Found = tuple[KeyRecord, int]
