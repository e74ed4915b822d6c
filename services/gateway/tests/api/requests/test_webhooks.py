"""Which ends of which requests are told, and what a URL of a request looks like in the log."""

from typing import Any

import msgspec
import pytest

from turnwire_chassis.api_keys.record import KeyWebhook
from turnwire_chassis.tool_servers.secret_envelope import Sealer
from turnwire_chassis.webhooks.endpoint import SealedUrl, purpose_of_request
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.webhooks.subscription import WEBHOOK_EVENT_TYPES, WebhookEventType
from turnwire_gateway.admission.admission import Origin
from turnwire_gateway.api.requests.validation import Rules, SecretSealing, requested
from turnwire_gateway.errors import ApiError

ACME, MINE = TenantId("acme"), ResponseId("resp_" + "1" * 32)
SEALER = Sealer([bytes(32)])
RULES = Rules(screen=False, prompts={}, sealing=SecretSealing(SEALER, 1_000, 60_000))
URL = "https://hooks.example/hidden"
MCP: dict[str, Any] = {
    "tools": [{"type": "mcp", "server_label": "desk", "server_url": "https://desk.example/"}]
}
OF_APPROVALS = ["approval.requested"]


def asked(
    events: tuple[WebhookEventType, ...] | None = WEBHOOK_EVENT_TYPES,
    rules: Rules = RULES,
    **fields: Any,
) -> Requested:
    """Read a request of a key whose webhook wants these events; `None`: that has none."""
    webhook = None if events is None else KeyWebhook("sealed", events)
    origin = Origin(ACME, OwnerId("ada"), "req_1", MINE, 1, key="key_1", webhook=webhook)
    return requested({"model": "m", "input": "Hello?", **fields}, origin, rules)


@pytest.mark.parametrize(
    ("fields", "events"),
    [
        ({}, None),
        ({"stream": True}, None),
        ({"background": True}, [*WEBHOOK_EVENT_TYPES]),
        (MCP, OF_APPROVALS),
        ({**MCP, "background": True}, [*WEBHOOK_EVENT_TYPES]),
        ({"webhook": {}}, [*WEBHOOK_EVENT_TYPES]),
        ({"webhook": {}, "store": False}, [*WEBHOOK_EVENT_TYPES]),
        ({"webhook": None}, None),
    ],
)
def test_who_waits_for_an_answer_is_told_of_it_only_when_that_was_asked_for(
    fields: dict[str, Any], events: list[str] | None
) -> None:
    webhook = asked(**fields).webhook
    assert (webhook and webhook.events) == events


def test_a_key_says_which_events_it_wants() -> None:
    failed = asked(("response.failed",), background=True).webhook
    assert failed is not None
    assert failed.events == ["response.failed"]
    assert asked(("response.failed",), **MCP).webhook is None


def test_a_key_without_a_webhook_has_nothing_told() -> None:
    assert asked(None, background=True).webhook is None
    with pytest.raises(ApiError) as refused:
        asked(None, webhook={"url": URL})
    assert refused.value.failure.code == "webhook_secret_missing"


def test_the_url_of_a_request_is_in_its_event_only_sealed_for_its_response() -> None:
    request = asked(webhook={"url": URL})
    assert request.webhook is not None
    assert b"hidden" not in msgspec.json.encode(request)
    opened = SEALER.open(
        request.webhook.url or "", SealedUrl, purpose_of_request(ACME, MINE), 1_000
    )
    assert opened.url == URL


def test_a_url_that_cannot_be_sealed_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        asked(rules=Rules(screen=False, prompts={}), webhook={"url": URL})
    assert refused.value.failure.code == "seal_key_missing"


def test_metadata_and_what_the_backend_is_sent_are_untouched() -> None:
    assert asked(webhook={"url": URL}, metadata={"a": "b"}).params == {"metadata": {"a": "b"}}
