"""Errors of webhooks: of requests that name one, and of the routes that keep one for a key."""

from typing import Final

from turnwire_contracts.errors.error_code import ErrorCode

OF_WEBHOOKS: Final = (
    ErrorCode(
        code="webhook_secret_missing",
        status=400,
        type="invalid_request_error",
        param="webhook",
        message="A webhook is signed with the secret of the API key that asks, and this caller has "
        "none. An admin makes one: PUT /v1/admin/keys/{{key_id}}/webhook.",
        what="the caller's API key has no webhook, and so no secret that signs; or the caller has "
        "no API key",
        way_out="have an admin give the key one ([webhooks](webhooks.md))",
    ),
    ErrorCode(
        code="webhook_not_found",
        status=404,
        type="not_found_error",
        message="The API key '{key_id}' has no webhook. Give it one: PUT "
        "/v1/admin/keys/{key_id}/webhook.",
        what="the API key has no webhook",
        way_out="`PUT /v1/admin/keys/{key_id}/webhook`",
    ),
    ErrorCode(
        code="seal_key_missing",
        status=503,
        type="server_error",
        message="This gateway has no TURNWIRE_SEAL_KEY, so it can keep no secret of a webhook. "
        "Give all gateways and tool-runners the same: openssl rand -hex 32",
        what="nothing seals the URLs and secrets of webhooks",
        way_out="set `TURNWIRE_SEAL_KEY` for all gateways and tool-runners",
    ),
)
