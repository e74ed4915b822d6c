"""The routes below `/v1/admin`: what admins of a tenant and operators may see and do."""

from collections.abc import Iterator

from turnwire_client.objects import JSON, ListPage, present
from turnwire_client.responses import pages
from turnwire_client.transport import Sending, Transport


class AdminRoutes:
    """Keys, limits, audit, erasures and the system; each answers as its route does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, part: str, **params: object) -> JSON:
        """Give what stands at `/v1/admin/<part>`."""
        return self._transport.call(Sending("GET", f"/admin/{part}", present(**params)))

    def list(self, part: str, **params: object) -> ListPage:
        """Give a page of what stands at `/v1/admin/<part>`."""
        return ListPage.of(self.get(part, **params))

    def iterate(self, part: str, most: int | None = None, **params: object) -> Iterator[JSON]:
        """Give what stands at `/v1/admin/<part>` page by page, `most` objects at most."""

        def fetch(**page: object) -> ListPage:
            return self.list(part, **page)

        return pages(fetch, most, params)

    def post(self, part: str, body: JSON) -> JSON:
        """Do what a POST to `/v1/admin/<part>` does."""
        return self._transport.call(Sending("POST", f"/admin/{part}", body=body))

    def put(self, part: str, body: JSON) -> JSON:
        """Set what stands at `/v1/admin/<part>`."""
        return self._transport.call(Sending("PUT", f"/admin/{part}", body=body))

    def delete(self, part: str) -> JSON:
        """Delete what stands at `/v1/admin/<part>`."""
        return self._transport.call(Sending("DELETE", f"/admin/{part}"))
