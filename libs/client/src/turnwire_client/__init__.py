"""A client for what Turnwire has beside OpenAI's API.

    from turnwire_client import Turnwire

    with Turnwire("http://127.0.0.1:8080/v1", "local") as turnwire:
        for event in turnwire.responses.stream({"model": "smollm2", "input": "Say hello."}):
            print(event["type"])

OpenAI's SDK creates, retrieves and deletes as well; this package adds streams that outlive their
connection, waiting, lists, events, forks, approvals and what admins may do.
"""

from turnwire_client.client import TenantOpening, Turnwire
from turnwire_client.errors import (
    ConnectionFailedError,
    MissingRouteError,
    RefusedError,
    StreamRefusedError,
    TurnwireError,
    WaitTimeoutError,
)
from turnwire_client.objects import JSON, ListPage
from turnwire_client.resuming import ResumedStream

__all__ = [
    "JSON",
    "ConnectionFailedError",
    "ListPage",
    "MissingRouteError",
    "RefusedError",
    "ResumedStream",
    "StreamRefusedError",
    "TenantOpening",
    "Turnwire",
    "TurnwireError",
    "WaitTimeoutError",
]
