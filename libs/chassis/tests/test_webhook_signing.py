"""Secrets of webhooks, and what is signed with them: OpenAI's own library takes it."""

import time
from typing import cast

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from turnwire_chassis.tool_servers.secret_envelope import Sealer, SealError
from turnwire_chassis.webhooks.endpoint import (
    KEPT_AFTER_ROTATION_MS,
    SealedUrl,
    SigningSecret,
    WebhookEndpoint,
    new_secret,
    purpose_of_key,
    purpose_of_request,
    seal_endpoint,
    seal_url,
)
from turnwire_chassis.webhooks.signing import signature_headers
from turnwire_contracts.ids import ResponseId, TenantId

OLD, NEW = new_secret(bytes(32)), new_secret(bytes(range(32)))
BODY = (
    b'{"object":"event","id":"evt_1","type":"response.completed","created_at":1,"data":{"id":"r"}}'
)
URL = "https://hooks.example/secret-path"
ENDPOINT = WebhookEndpoint(URL, (SigningSecret(OLD),))
ACME, OTHER = TenantId("acme"), TenantId("other")
SEALER = Sealer([bytes(32)])


def unwrapped(secret: str, headers: dict[str, str], body: bytes = BODY) -> str:
    client = OpenAI(api_key="none", base_url="http://127.0.0.1:1/v1", webhook_secret=secret)
    return cast("str", client.webhooks.unwrap(body, headers).type)


def signed(*secrets: str) -> dict[str, str]:
    return signature_headers("evt_1", int(time.time()), BODY, secrets)


def test_the_library_of_openai_takes_what_is_signed() -> None:
    assert unwrapped(OLD, signed(OLD)) == "response.completed"


def test_two_secrets_sign_at_once_and_either_is_enough() -> None:
    assert unwrapped(OLD, signed(NEW, OLD)) == "response.completed"
    assert unwrapped(NEW, signed(NEW, OLD)) == "response.completed"


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body", "secret"])
def test_nothing_that_is_signed_can_be_changed(changed: str) -> None:
    headers = signed(OLD)
    if changed in headers:
        now = str(int(time.time()) + 1)
        headers[changed] = now if changed == "webhook-timestamp" else "evt_2"
    body = BODY.replace(b"completed", b"cancelled") if changed == "body" else BODY
    with pytest.raises(InvalidWebhookSignatureError):
        unwrapped(NEW if changed == "secret" else OLD, headers, body)


def test_a_secret_that_was_rotated_signs_for_a_day_if_it_is_kept() -> None:
    kept = ENDPOINT.rotated(NEW, 1000, keep_old=True)
    assert kept.active_secrets(1000 + KEPT_AFTER_ROTATION_MS - 1) == [NEW, OLD]
    assert kept.active_secrets(1000 + KEPT_AFTER_ROTATION_MS) == [NEW]
    assert ENDPOINT.rotated(NEW, 1000, keep_old=False).active_secrets(1000) == [NEW]


def test_a_secret_that_is_rotated_twice_in_a_day_leaves_two() -> None:
    third = new_secret(b"\x07" * 32)
    twice = ENDPOINT.rotated(NEW, 1000, keep_old=True).rotated(third, 2000, keep_old=True)
    assert twice.active_secrets(2000) == [third, NEW]


def test_a_webhook_opens_for_its_key_and_no_other() -> None:
    sealed = seal_endpoint(SEALER, ENDPOINT, ACME, "key_1")
    opened = SEALER.open(sealed, WebhookEndpoint, purpose_of_key(ACME, "key_1"), 0)
    assert opened == ENDPOINT
    for purpose in (purpose_of_key(OTHER, "key_1"), purpose_of_key(ACME, "key_2")):
        with pytest.raises(SealError):
            SEALER.open(sealed, WebhookEndpoint, purpose, 0)


def test_the_url_of_a_request_opens_for_its_response_and_for_a_while() -> None:
    mine, other = ResponseId("resp_1"), ResponseId("resp_2")
    sealed = seal_url(SEALER, URL, ACME, mine, 0)
    assert SEALER.open(sealed, SealedUrl, purpose_of_request(ACME, mine), 0) == SealedUrl(URL)
    with pytest.raises(SealError):
        SEALER.open(sealed, SealedUrl, purpose_of_request(ACME, other), 0)
    with pytest.raises(SealError):
        SEALER.open(sealed, SealedUrl, purpose_of_request(ACME, mine), 31 * 86_400_000)


def test_neither_urls_nor_secrets_are_printed() -> None:
    printed = f"{ENDPOINT!r} {ENDPOINT.secrets[0]!r} {SealedUrl(URL)!r}"
    assert "hooks.example" not in printed
    assert "whsec_" not in printed
