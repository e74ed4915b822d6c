"""The key-value buckets of the broker: streams that keep the last message of a subject."""

from typing import Any, Final

from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from turnwire_chassis.jetstream.publishing import DUPLICATE_WINDOW_S
from turnwire_contracts import subjects

LIMITS_MAX_AGE_S = 86_400
"""A tenant that did nothing for so long has used nothing."""
CONSOLE_SESSION_DAYS = 7.0
"""The longest that a user stays signed in to the console."""
CONSOLE_SESSIONS_MAX_BYTES = 16 * 1024 * 1024

_DAY_S: Final = 86_400.0


def buckets(replicas: int) -> list[StreamConfig]:
    """Give the key-value buckets; each is a stream that keeps the last message of a subject."""
    return [
        _bucket(
            subjects.LIMITS_STREAM,
            subjects.LIMITS,
            replicas,
            storage=StorageType.MEMORY,
            allow_rollup_hdrs=True,
            deny_delete=True,
            max_age=LIMITS_MAX_AGE_S,
        ),
        _console_sessions(replicas),
        api_keys_stream(replicas),
        _bucket(subjects.VIEW_KEYS_STREAM, subjects.VIEW_KEYS, replicas),
    ]


def _console_sessions(replicas: int) -> StreamConfig:
    """Keep who is signed in to the console; where there are too many, the oldest are signed out."""
    return _bucket(
        subjects.CONSOLE_SESSIONS_STREAM,
        subjects.CONSOLE_SESSIONS,
        replicas,
        discard=DiscardPolicy.OLD,
        allow_rollup_hdrs=True,
        deny_delete=True,
        max_age=CONSOLE_SESSION_DAYS * _DAY_S,
        max_bytes=CONSOLE_SESSIONS_MAX_BYTES,
    )


def api_keys_stream(replicas: int) -> StreamConfig:
    """Give the KV bucket of the API keys; no message of it can be removed one by one."""
    return _bucket(
        subjects.API_KEYS_STREAM,
        subjects.API_KEYS,
        replicas,
        allow_rollup_hdrs=True,
        deny_delete=True,
        duplicate_window=DUPLICATE_WINDOW_S,
    )


def _bucket(name: str, subject: str, replicas: int, **more: Any) -> StreamConfig:
    """Give a bucket, on the disk and refusing what is new when it is full unless `more` differs."""
    kept: dict[str, Any] = {"storage": StorageType.FILE, "discard": DiscardPolicy.NEW, **more}
    return StreamConfig(
        name=name,
        subjects=[subject],
        retention=RetentionPolicy.LIMITS,
        allow_direct=True,
        max_msgs_per_subject=1,
        num_replicas=replicas,
        **kept,
    )
