"""The console's page and its files, as they were built from `console/`."""

import gzip
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_STATIC: Final = files("turnwire_gateway.console").joinpath("static")
_ASSETS: Final = "assets"
"""The folder of the files whose names hold a digest of their content."""
_TYPES: Final = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
    "woff2": "font/woff2",
}
_NOT_FOUND: Final = 404
_NOT_MODIFIED: Final = 304

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
)
"""No server but this one is asked, nothing inline runs, and text never becomes markup."""

_SECURITY: Final = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_KEPT: Final = {"cache-control": "public, max-age=31536000, immutable"}
_ASKED_AGAIN: Final = {"cache-control": "no-cache"}


class PageHandlers:
    """Every address below `/console` that is no file is the one page; it reads its own address."""

    async def page(self, request: Request) -> Response:
        """`GET /console` and `GET /console/…`.

        The page names its files relative to the address that the browser asked for, which a proxy
        may have put under a prefix of its own.
        """
        path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        root = "../" * (path.count(b"/") - 1) + "console/"
        body = _read("index.html").replace(b'"./', f'"{root}'.encode())
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {**_SECURITY, **_ASKED_AGAIN, "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        return Response(body, headers=headers, media_type="text/html")

    async def asset(self, request: Request) -> Response:
        """`GET /console/assets/{name}`; 404 for a name of another release."""
        name = f"{_ASSETS}/{request.path_params['name']}"
        if name not in _names():
            raise HTTPException(_NOT_FOUND)
        headers = {**_SECURITY, **_KEPT, "vary": "accept-encoding"}
        kind = _TYPES[name.rpartition(".")[2]]
        if _takes_gzip(request.headers):
            headers["content-encoding"] = "gzip"
            return Response(_compressed(name), headers=headers, media_type=kind)
        return Response(_read(name), headers=headers, media_type=kind)


@cache
def _names() -> frozenset[str]:
    return frozenset(f"{_ASSETS}/{each.name}" for each in _STATIC.joinpath(_ASSETS).iterdir())


@cache
def _read(name: str) -> bytes:
    return _STATIC.joinpath(name).read_bytes()


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(_read(name), mtime=0)


def _takes_gzip(headers: Headers) -> bool:
    return any(
        coding.strip().partition(";")[0] == "gzip" and "q=0" not in coding.replace(" ", "")
        for coding in headers.get("accept-encoding", "").split(",")
    )
