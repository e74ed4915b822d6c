"""The key-value buckets of the broker: streams that keep the last message of a subject."""

from typing import Final

from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from turnwire_contracts import subjects

LIMITS_MAX_AGE_S = 86_400
"""A tenant that did nothing for so long has used nothing."""
CONSOLE_SESSION_DAYS = 7.0
"""The longest that a user stays signed in to the console."""
CONSOLE_SESSIONS_MAX_BYTES = 16 * 1024 * 1024

_DUPLICATE_WINDOW_S: Final = 120
_DAY_S: Final = 86_400.0


def buckets(replicas: int) -> list[StreamConfig]:
    """Give the key-value buckets; each is a stream that keeps the last message of a subject."""
    return [
        StreamConfig(
            name=subjects.LIMITS_STREAM,
            subjects=[subjects.LIMITS],
            storage=StorageType.MEMORY,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW,
            allow_direct=True,
            allow_rollup_hdrs=True,
            deny_delete=True,
            max_msgs_per_subject=1,
            max_age=LIMITS_MAX_AGE_S,
            num_replicas=replicas,
        ),
        _console_sessions(replicas),
        api_keys_stream(replicas),
        StreamConfig(
            name=subjects.VIEW_KEYS_STREAM,
            subjects=[subjects.VIEW_KEYS],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.NEW,
            allow_direct=True,
            max_msgs_per_subject=1,
            num_replicas=replicas,
        ),
    ]


def _console_sessions(replicas: int) -> StreamConfig:
    """Keep who is signed in to the console; where there are too many, the oldest are signed out."""
    return StreamConfig(
        name=subjects.CONSOLE_SESSIONS_STREAM,
        subjects=[subjects.CONSOLE_SESSIONS],
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        allow_direct=True,
        allow_rollup_hdrs=True,
        deny_delete=True,
        max_msgs_per_subject=1,
        max_age=CONSOLE_SESSION_DAYS * _DAY_S,
        max_bytes=CONSOLE_SESSIONS_MAX_BYTES,
        num_replicas=replicas,
    )


def api_keys_stream(replicas: int) -> StreamConfig:
    """Give the KV bucket of the API keys; no message of it can be removed one by one."""
    return StreamConfig(
        name=subjects.API_KEYS_STREAM,
        subjects=[subjects.API_KEYS],
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        max_msgs_per_subject=1,
        allow_direct=True,
        allow_rollup_hdrs=True,
        deny_delete=True,
        duplicate_window=_DUPLICATE_WINDOW_S,
        num_replicas=replicas,
    )
