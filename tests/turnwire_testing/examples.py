"""Examples of events and turns: a plain one of each, to be changed where a test wants it."""

import os
import time
from typing import Any

from turnwire_contracts.events import (
    CancelRequested,
    Closed,
    Item,
    Requested,
    Screened,
    TakenOver,
)
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId, new_response_id

TENANT = TenantId("acme")
OWNER = OwnerId("ada")
RESPONSE_ID = ResponseId("resp_019a0000000000000000000000000001")
OTHER_ID = ResponseId("resp_019a0000000000000000000000000002")
AT = 1_700_000_000_123

_ABOUT: dict[str, Any] = {
    "v": 1,
    "tenant": TENANT,
    "response_id": RESPONSE_ID,
    "at": AT,
    "cause": "req_1",
}


def fresh_id() -> ResponseId:
    """Mint an id that no other test has: servers are shared."""
    return new_response_id(time.time_ns() // 1_000_000, os.urandom(10))


def user(text: str) -> Item:
    """A message of the user as the gateway writes it into the log."""
    return {"type": "message", "role": "user", "content": text}


def message(text: str, index: int = 0, status: str = "completed") -> Item:
    """A finished message of the model."""
    part: Item = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{RESPONSE_ID.removeprefix('resp_')}o{index}",
        "type": "message",
        "role": "assistant",
        "content": [part],
        "status": status,
    }


def requested(**changes: Any) -> Requested:
    """A request for a plain response."""
    return Requested(**_facts(changes, owner=OWNER, model="m", input=[user("Hello?")]))


def screened(**changes: Any) -> Screened:
    """A verdict: the input may pass."""
    return Screened(**_facts(changes))


def taken_over(**changes: Any) -> TakenOver:
    """Another owner, who found nothing published."""
    return TakenOver(**_facts(changes, cause="other:2"))


def cancel_requested(**changes: Any) -> CancelRequested:
    """A wish to end the turn."""
    return CancelRequested(**_facts(changes, reason="client_left"))


def closed(**changes: Any) -> Closed:
    """A good end with one message."""
    return Closed(**_facts(changes, status="completed", output=[message("Hi.")]))


def _facts(changes: dict[str, Any], **own: Any) -> dict[str, Any]:
    return {**_ABOUT, **own, **changes}
