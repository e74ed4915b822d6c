"""Where the end of a response is told: what its request says, and what its API key says. No I/O."""

from typing import Final

from turnwire_chassis.tool_servers.secret_envelope import Sealer
from turnwire_chassis.webhooks.endpoint import seal_url
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.events import Requested
from turnwire_contracts.tool_rounds.tool_calls import uses_mcp
from turnwire_contracts.webhooks.subscription import APPROVAL_REQUESTED, WebhookSubscription
from turnwire_gateway.admission.admission import Origin
from turnwire_gateway.api.requests.client_urls import client_url
from turnwire_gateway.api.requests.create_request import WebhookParam
from turnwire_gateway.api.requests.shapes import wrong
from turnwire_gateway.errors import ApiError

_SIGNED: Final = "a webhook is signed, which tells its receiver who sends it"


def subscription_of(
    given: WebhookParam | None, request: Requested, origin: Origin, sealer: Sealer | None
) -> WebhookSubscription | None:
    """Give where the end of a response is told, and which events are; `None`: nowhere.

    The webhook of a key hears of the ends of background responses (OpenAI: "Sent when a background
    response …"), as others wait for theirs, and of every call that waits for a person. A request
    that has a webhook of its own is told of however it runs. Raises `ApiError` (400).
    """
    url = None if given is None or given.url is None else webhook_url(given.url, "webhook.url")
    if origin.key is None or origin.webhook is None:
        if given is None:
            return None
        raise ApiError(failure("webhook_secret_missing"))
    events = [*origin.webhook.events]
    if given is None and not request.background:
        events = [each for each in events if each == APPROVAL_REQUESTED and uses_mcp(request)]
    if not events:
        return None
    if url is None:
        return WebhookSubscription(origin.key, events)
    if sealer is None:
        raise ApiError(failure("seal_key_missing"))
    sealed = seal_url(sealer, url, request.tenant, request.response_id, request.at)
    return WebhookSubscription(origin.key, events, sealed)


def webhook_url(given: str, place: str) -> str:
    """Read the URL of a receiver; it is not quoted. Raises `ApiError` (400) naming the place."""
    url = client_url(given, place, _SIGNED)
    if "#" in url:
        raise wrong(place, "must not have a fragment ('#…')")
    return url
