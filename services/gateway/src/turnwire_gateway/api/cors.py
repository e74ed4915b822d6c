"""Lets web pages of the origins that the operator names read the API (Fetch: CORS)."""

from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from turnwire_gateway.api.error_responses import error_response
from turnwire_gateway.api.web_access import not_allowed
from turnwire_gateway.limits.headers import HEADER_NAMES

EXPOSED: Final = (
    "accept-encoding",
    "allow",
    "retry-after",
    "www-authenticate",
    "x-request-id",
    "x-response-id",
    "x-should-retry",
    *HEADER_NAMES,
)
"""Headers of answers that a page may read."""

_OK: Final = 200


class ApiCorsMiddleware(CORSMiddleware):
    """Starlette's, for an API whose callers show a token and no cookie.

    It answers preflights itself, as they carry no token, and only adds headers to other answers.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        """`origins` may hold `*`: pages of all origins."""
        super().__init__(
            app,
            allow_origins=sorted(origins),
            allow_methods=["*"],
            allow_headers=["*"],
            # The API may be on the page reader's own machine (Local Network Access).
            allow_private_network=True,
            expose_headers=EXPOSED,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight; a refusal has the envelope of all other errors."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == _OK:
            return answer
        refused = error_response(
            not_allowed(
                "origin_not_allowed",
                f"{bytes(answer.body).decode()}. TURNWIRE_CORS_ORIGINS names the origins whose "
                "pages may ask.",
            )
        )
        refused.headers["vary"] = answer.headers["vary"]
        return refused
