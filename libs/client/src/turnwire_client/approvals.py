"""The routes of approvals: calls of tools that wait for a person's word."""

from collections.abc import Iterator

from turnwire_client.objects import JSON, ListPage, present
from turnwire_client.responses import new_key, pages
from turnwire_client.transport import Sending, Transport, in_path


class ApprovalRoutes:
    """What waits for approval, and the answer to it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, **params: object) -> ListPage:
        """Give a page of calls that wait."""
        return ListPage.of(self._transport.call(Sending("GET", "/approvals", present(**params))))

    def iterate(self, most: int | None = None, **params: object) -> Iterator[JSON]:
        """Give calls that wait page by page, `most` of them at most."""
        return pages(self.list, most, params)

    def decide(
        self, approval_id: str, *, approve: bool, reason: str = "", changes: JSON | None = None
    ) -> JSON:
        """Approve or deny a call; gives the response that goes on, either way.

        `reason`: what the model is told; `changes`: fields of it, `background` for one, and `tools`
        where servers need credentials again (docs/branching.md).
        """
        body = {**(changes or {}), "approve": approve, **({"reason": reason} if reason else {})}
        path = f"/approvals/{in_path(approval_id)}"
        sending = Sending("POST", path, body=body, idempotency_key=new_key())
        return self._transport.call(sending)
