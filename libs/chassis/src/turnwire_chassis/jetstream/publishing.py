"""Publishes into a stream that may be without a leader for a while."""

import asyncio
from collections.abc import Mapping
from typing import Final

from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError

from turnwire_chassis.event_log import StorageFullError

DUPLICATE_WINDOW_S: Final = 120
"""For how long a stream knows a message again by its id."""

ELECTED_WITHIN_S: Final = 10.0
"""How long a stream may be without a leader: the broker takes 4 to 9 s to elect one."""

NO_LEADER: Final = frozenset({10008, 10009})
"""What the broker says while it elects."""

OUT_OF_SPACE: Final = frozenset({10002, 10023, 10028, 10047, 10077})
"""What the broker says when it keeps no more: limits of the account, of the server, of its memory
and its storage, and a message that could not be stored. The last is said for a stream that has
reached its `max_bytes`; other reasons have a code of their own, or no answer."""

_ANSWER_WITHIN_S: Final = 2.0
_AGAIN_S: Final = 0.1


def as_full(error: Exception) -> Exception:
    """Give what an error of the broker means: `StorageFullError` if it lacks room, else itself."""
    if isinstance(error, APIError) and error.err_code in OUT_OF_SPACE:
        return StorageFullError(str(error))
    return error


async def publish_when_led(
    jetstream: JetStreamContext, subject: str, body: bytes, headers: Mapping[str, str] | None = None
) -> int:
    """Publish, again and again while the stream has no leader; gives the sequence in the stream.

    Waits `ELECTED_WITHIN_S` at most. Raises what nats-py does; after any error but a time-out it is
    certain that the message was not kept.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + ELECTED_WITHIN_S
    own_headers = dict(headers) if headers else None
    while True:
        try:
            ack = await jetstream.publish(
                subject, body, timeout=_ANSWER_WITHIN_S, headers=own_headers
            )
        except (APIError, NoStreamResponseError) as error:
            is_led = isinstance(error, APIError) and error.err_code not in NO_LEADER
            if is_led or loop.time() >= until:
                raise
            await asyncio.sleep(_AGAIN_S)
        else:
            return ack.seq
