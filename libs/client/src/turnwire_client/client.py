"""The client: where the server is, who is calling, and the routes by what they are about."""

import os
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class TenantOpening:
    """Where an operator reads as an admin of that tenant does, and why (docs/identity.md).

    Each request is noted in the tenant's audit log, with the reason. ASCII, as headers are.
    """

    tenant: str
    reason: str

    @property
    def headers(self) -> dict[str, str]:
        """What a request says of it."""
        return {"X-Turnwire-Tenant": self.tenant, "X-Turnwire-Reason": self.reason}


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
        opening: TenantOpening | None = None,
    ) -> None:
        """`url`, `api_key`: else `TURNWIRE_URL` and `TURNWIRE_API_KEY`, else a local Turnwire.

        `timeout_s`: how long an answer may take; a plain turn takes as long as the model does.
        `retry_s`: how long a call that may be repeated is tried again; 0: once.
        `opening`: an operator's, who reads what was said in a tenant.
        """
        self.url = (url or os.environ.get("TURNWIRE_URL") or DEFAULT_URL).rstrip("/")
        key = api_key or os.environ.get("TURNWIRE_API_KEY") or "local"
        self._http = httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}", **(opening.headers if opening else {})},
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
