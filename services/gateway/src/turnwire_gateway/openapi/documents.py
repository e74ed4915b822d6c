"""`/openapi.json` and `/docs`: the API described, for programs and for people."""

import asyncio
import threading
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import fastapi_offline
import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from turnwire_gateway.openapi.document import document

_HERE: Final = files("turnwire_gateway.openapi")
_PAGE: Final = _HERE.joinpath("viewer.html").read_text(encoding="utf-8")
_SCRIPT: Final = _HERE.joinpath("viewer.js").read_bytes()
_SWAGGER_UI: Final = Path(fastapi_offline.__file__).with_name("static")
"""Swagger UI as the package fastapi-offline carries it."""

_POLICY: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
}
"""The page asks no other server, and runs no script that is not a file of this one."""
_KEPT_AN_HOUR: Final = {"cache-control": "public, max-age=3600"}
"""By browsers: the files have 1.7 MB, and change with a new release only."""

_writing: Final = threading.Lock()


class DocumentHandlers:
    """The API's own description."""

    async def openapi(self, request: Request) -> Response:
        """`GET /openapi.json`; written when it is asked for first."""
        del request
        written = await asyncio.to_thread(_written)
        return Response(written, media_type="application/json")

    async def docs(self, request: Request) -> Response:
        """`GET /docs`.

        Its files are named relative to the path that the browser asked for, which a proxy may have
        put under a prefix of its own.
        """
        path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        root = "../" * (path.count(b"/") - 1)
        return HTMLResponse(_PAGE.replace("{root}", root), headers=_POLICY)

    async def script(self, request: Request) -> Response:
        """`GET /docs/viewer.js`: starts the viewer."""
        del request
        return Response(_SCRIPT, media_type="text/javascript")

    async def swagger_ui_script(self, request: Request) -> Response:
        """`GET /docs/swagger-ui-bundle.js`."""
        del request
        return _asset("swagger-ui-bundle.js", "text/javascript")

    async def swagger_ui_style(self, request: Request) -> Response:
        """`GET /docs/swagger-ui.css`."""
        del request
        return _asset("swagger-ui.css", "text/css")


def _asset(name: str, media_type: str) -> Response:
    return Response(_asset_bytes(name), headers=_KEPT_AN_HOUR, media_type=media_type)


@cache
def _asset_bytes(name: str) -> bytes:
    return (_SWAGGER_UI / name).read_bytes()


def _written() -> bytes:
    """Write the document once, however many ask for it at once: it takes half a second."""
    with _writing:
        return _document_bytes()


@cache
def _document_bytes() -> bytes:
    return orjson.dumps(document())
