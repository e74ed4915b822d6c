"""`/openapi.json` and `/docs`: the API described, made once."""

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from turnwire_gateway.openapi.document import document
from turnwire_gateway.openapi.page.page import page


class DocumentHandlers:
    """The API's own description."""

    def __init__(self) -> None:
        """Write both."""
        described = document()
        self._document = orjson.dumps(described)
        self._page = page(described)

    async def openapi(self, request: Request) -> Response:
        """`GET /openapi.json`."""
        del request
        return Response(self._document, media_type="application/json")

    async def docs(self, request: Request) -> Response:
        """`GET /docs`; needs nothing from any other server."""
        del request
        return HTMLResponse(self._page)
