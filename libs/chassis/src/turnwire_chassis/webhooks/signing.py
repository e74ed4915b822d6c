"""Signs what is sent to a webhook, as Standard Webhooks says and OpenAI does. Pure.

Any library for either checks it, `client.webhooks.unwrap` of OpenAI's among them.
"""

import base64
import hmac
from collections.abc import Sequence

from turnwire_chassis.webhooks.endpoint import SECRET_PREFIX


def signature_headers(
    event_id: str, at_s: int, body: bytes, secrets: Sequence[str]
) -> dict[str, str]:
    """Give the headers of one attempt at `at_s` (Unix seconds): one signature for each secret.

    The id is the same for every attempt, the time is not, so a receiver can refuse old ones.
    """
    signed = f"{event_id}.{at_s}.".encode() + body
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{_signature(each, signed)}" for each in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")
