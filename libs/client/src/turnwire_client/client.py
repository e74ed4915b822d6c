"""The client: where the server is, who is calling, and the routes by what they are about."""

import os
from types import TracebackType
from typing import Final, Self

import httpx2

from turnwire_client.admin import AdminRoutes
from turnwire_client.approvals import ApprovalRoutes
from turnwire_client.conversations import ConversationRoutes
from turnwire_client.objects import JSON
from turnwire_client.responses import ResponseRoutes
from turnwire_client.transport import Sending, Transport

DEFAULT_URL: Final = "http://127.0.0.1:8080/v1"
"""Where `turnwire up` listens."""

_CONNECT_S: Final = 10.0
_TENANT_HEADER: Final = "X-Turnwire-Tenant"
_REASON_HEADER: Final = "X-Turnwire-Reason"


class Turnwire:
    """One server, as one caller. Close it, or use it as a context.

    It is synchronous: what it adds are loops that wait (streams, ends, live events), and one thread
    for each is what scripts, workers and command lines have. Call it by `asyncio.to_thread` from
    where a loop runs. It may be used by several threads.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 600.0,
        retry_s: float = 10.0,
        in_tenant: str | None = None,
        reason: str | None = None,
    ) -> None:
        """`url`, `api_key`: else `TURNWIRE_URL` and `TURNWIRE_API_KEY`, else a local Turnwire.

        `timeout_s`: how long an answer may take; a plain turn takes as long as the model does.
        `retry_s`: how long a call that may be repeated is tried again; 0: once.
        `in_tenant`, `reason`: of an operator, who reads in that tenant as its admins do; each
        request is noted there with the reason (docs/identity.md). ASCII, as headers are.
        """
        self.url = (url or os.environ.get("TURNWIRE_URL") or DEFAULT_URL).rstrip("/")
        key = api_key or os.environ.get("TURNWIRE_API_KEY") or "local"
        self._http = httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}", **_opening(in_tenant, reason)},
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_S),
        )
        self._transport = Transport(self._http, retry_s)
        self.responses = ResponseRoutes(self._transport)
        """Responses: create, stream, wait, list, events, fork, rerun, diff, and how they were."""
        self.conversations = ConversationRoutes(self._transport)
        """Conversations: list, get, their items and responses, delete."""
        self.approvals = ApprovalRoutes(self._transport)
        """Calls of tools that wait for a person's word."""
        self.admin = AdminRoutes(self._transport)
        """What admins and operators may see and do."""

    def models(self) -> list[JSON]:
        """Give the models that the backends serve."""
        return self._transport.call(Sending("GET", "/models"))["data"]

    def health(self) -> JSON:
        """Tell how the server and its parts are: `GET /health`, which needs no key."""
        root = self.url.removesuffix("/v1")
        return self._transport.call(Sending("GET", f"{root}/health"))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Give the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()


def _opening(in_tenant: str | None, reason: str | None) -> dict[str, str]:
    """Write what opens a tenant to an operator."""
    said = {_TENANT_HEADER: in_tenant, _REASON_HEADER: reason}
    return {name: value for name, value in said.items() if value}
