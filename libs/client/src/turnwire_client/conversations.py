"""The routes of conversations."""

from collections.abc import Iterator

from turnwire_client.objects import JSON, ListPage, present
from turnwire_client.responses import pages
from turnwire_client.transport import Sending, Transport, in_path


class ConversationRoutes:
    """Conversations, their items and their responses."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, **params: object) -> ListPage:
        """Give a page of conversations. `params`: `after`, `limit`, `order`."""
        return self._page("", params)

    def iterate(self, most: int | None = None, **params: object) -> Iterator[JSON]:
        """Give conversations page by page, `most` of them at most."""
        return pages(self.list, most, params)

    def get(self, conversation_id: str) -> JSON:
        """Give a conversation."""
        return self._transport.call(Sending("GET", f"/conversations/{in_path(conversation_id)}"))

    def items(
        self, conversation_id: str, most: int | None = None, **params: object
    ) -> Iterator[JSON]:
        """Give the items of a conversation page by page, `most` of them at most."""

        def fetch(**page: object) -> ListPage:
            return self._page(f"/{in_path(conversation_id)}/items", page)

        return pages(fetch, most, params)

    def responses(self, conversation_id: str, **params: object) -> Iterator[JSON]:
        """Give all responses of a conversation page by page; branches lie beside each other."""

        def fetch(**page: object) -> ListPage:
            return self._page(f"/{in_path(conversation_id)}/responses", page)

        return pages(fetch, None, params)

    def delete(self, conversation_id: str) -> JSON:
        """Delete a conversation with its responses; admins can restore it."""
        return self._transport.call(Sending("DELETE", f"/conversations/{in_path(conversation_id)}"))

    def _page(self, part: str, params: dict[str, object]) -> ListPage:
        sending = Sending("GET", f"/conversations{part}", present(**params))
        return ListPage.of(self._transport.call(sending))
