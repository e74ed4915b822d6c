"""`/v1/admin/keys/{key_id}/webhook`: where the ends of a key's responses are told."""

import secrets
from typing import Final, Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.administration.key_acts import UnknownKeyError, change_webhook, find_key
from turnwire_chassis.api_keys.record import KeyRecord, KeyWebhook
from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.tool_servers.secret_envelope import SealError
from turnwire_chassis.webhooks.endpoint import (
    SECRET_BYTES,
    SigningSecret,
    WebhookEndpoint,
    new_secret,
    purpose_of_key,
    seal_endpoint,
)
from turnwire_contracts.audit.acts import KeyWebhookChanged
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.json_values import JSON
from turnwire_contracts.webhooks.subscription import WEBHOOK_EVENT_TYPES, WebhookEventType
from turnwire_gateway.api.admin.keys import KeyPorts, key_in_path, no_such_key, refuse, shown_once
from turnwire_gateway.api.admin_acts import actor
from turnwire_gateway.api.request_context import answered, fields
from turnwire_gateway.api.requests.admin_requests import SecretRotation, WebhookSet
from turnwire_gateway.api.requests.validation import read
from turnwire_gateway.api.requests.webhooks import webhook_url
from turnwire_gateway.errors import ApiError

_CHANGES: Final = "see and change the webhooks of API keys"
_HINT: Final = 4
"""Letters of a secret by which people know it again."""

Change = Literal["set", "secret_rotated", "removed"]
Found = tuple[KeyRecord, int]
"""A key, and the place of what is kept of it."""


class WebhookHandlers:
    """The routes of the webhooks of API keys."""

    def __init__(self, ports: KeyPorts) -> None:
        self._ports = ports

    async def retrieve(self, request: Request) -> Response:
        """`GET …/webhook`: neither its secret is told nor the path of its URL."""
        record, _ = await self._found(request)
        webhook = _webhook_of(record)
        await self._ports.acts.note(request, "see_keys", record.id, record.holder.tenant)
        return answered(self._object(record, webhook.events, self._opened(record)))

    async def set_up(self, request: Request) -> Response:
        """`PUT …/webhook`: a secret is made, and shown, only where there is none that signs."""
        found = await self._found(request, changes=True)
        given = read(WebhookSet, await fields(request, self._ports.largest_body))
        url = webhook_url(given.url, "url")
        before = self._opened(found[0])
        secret = None if before is not None else _made_secret()
        signing = before.secrets if before is not None else (SigningSecret(secret or ""),)
        events = WEBHOOK_EVENT_TYPES if given.events is None else tuple(dict.fromkeys(given.events))
        endpoint = WebhookEndpoint(url, signing)
        await self._keep(request, found, self._sealed(found[0], endpoint, events), "set")
        return _shown(self._object(found[0], events, endpoint), secret)

    async def rotate(self, request: Request) -> Response:
        """`POST …/webhook/rotate_secret`: this answer alone has the new secret."""
        found = await self._found(request, changes=True)
        given = read(SecretRotation, await fields(request, self._ports.largest_body, optional=True))
        events, before = _webhook_of(found[0]).events, self._opened(found[0])
        if before is None:
            # Its URL went with the key that sealed it.
            raise _no_webhook(found[0].id)
        secret, keep_old = _made_secret(), given.keep_old_secret_active_for_24_hours
        endpoint = before.rotated(secret, self._ports.now_ms(), keep_old=keep_old)
        sealed = self._sealed(found[0], endpoint, events)
        await self._keep(request, found, sealed, "secret_rotated")
        return _shown(self._object(found[0], events, endpoint), secret)

    async def remove(self, request: Request) -> Response:
        """`DELETE …/webhook`: what waits for it is not sent; again it is the same."""
        found = await self._found(request)
        if found[0].webhook is not None:
            await self._keep(request, found, None, "removed")
        return answered({"object": "admin.webhook", "key_id": found[0].id, "deleted": True})

    async def _found(self, request: Request, *, changes: bool = False) -> Found:
        """Give the key in the path, of the caller's tenant unless an operator asks.

        `changes`: only one that is still good. Raises `ApiError` (403, 404, 503).
        """
        key_id, tenant = key_in_path(request, _CHANGES)
        try:
            found = await find_key(self._ports.acting.keys, key_id, tenant)
        except UnknownKeyError as error:
            raise no_such_key(key_id) from error
        except LogUnavailableError as error:
            refuse(error)
        if changes and found[0].revoked_ms is not None:
            raise no_such_key(key_id)
        return found

    async def _keep(
        self, request: Request, found: Found, webhook: KeyWebhook | None, change: Change
    ) -> None:
        """Note a change, make it, and know of it here. Raises `ApiError` (503)."""
        record, ports = found[0], self._ports
        note = KeyWebhookChanged(
            tenant=record.holder.tenant,
            at=ports.now_ms(),
            by=actor(request),
            key_id=record.id,
            change=change,
        )
        try:
            await change_webhook(ports.acting, found, webhook, note)
        except (AuditUnavailableError, LogUnavailableError) as error:
            refuse(error)
        await ports.take_up()

    def _sealed(
        self, record: KeyRecord, endpoint: WebhookEndpoint, events: tuple[WebhookEventType, ...]
    ) -> KeyWebhook:
        """Raises `ApiError` (503) without a key that seals."""
        if self._ports.sealer is None:
            raise ApiError(failure("seal_key_missing"))
        tenant = record.holder.tenant
        return KeyWebhook(seal_endpoint(self._ports.sealer, endpoint, tenant, record.id), events)

    def _opened(self, record: KeyRecord) -> WebhookEndpoint | None:
        """Give a key's URL and secrets; `None`: it has none, or none that can still be read."""
        if record.webhook is None or self._ports.sealer is None:
            return None
        purpose = purpose_of_key(record.holder.tenant, record.id)
        try:
            return self._ports.sealer.open(
                record.webhook.sealed, WebhookEndpoint, purpose, self._ports.now_ms()
            )
        except SealError:
            return None

    def _object(
        self,
        record: KeyRecord,
        events: tuple[WebhookEventType, ...],
        endpoint: WebhookEndpoint | None,
    ) -> JSON:
        leads: JSON = dict.fromkeys(("receiver", "secret_ending", "old_secret_until"))
        if endpoint is not None:
            now = self._ports.now_ms()
            until = [each.until_ms for each in endpoint.secrets if each.until_ms is not None]
            leads = {
                "receiver": _receiver(endpoint.url),
                "secret_ending": endpoint.secrets[0].text.rstrip("=")[-_HINT:],
                "old_secret_until": until[0] // 1000 if until and now < until[0] else None,
            }
        return {"object": "admin.webhook", "key_id": record.id, "events": [*events], **leads}


def _receiver(url: str) -> str:
    """Say where a URL leads, without what is behind the host: some hide a key in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _made_secret() -> str:
    return new_secret(secrets.token_bytes(SECRET_BYTES))


def _shown(about: JSON, secret: str | None) -> Response:
    return shown_once({**about, "secret": secret})


def _webhook_of(record: KeyRecord) -> KeyWebhook:
    """Raises `ApiError` (404) for a key without one."""
    if record.webhook is None:
        raise _no_webhook(record.id)
    return record.webhook


def _no_webhook(key_id: str) -> ApiError:
    return ApiError(failure("webhook_not_found", key_id=key_id))
