"""Errors as clients see them: OpenAI's envelope, whatever went wrong."""

from collections.abc import Iterable, Mapping

from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.refusals import guard_unavailable
from turnwire_contracts.wire.response import error_envelope

_ISSUER_BACK_S = 5


class ApiError(Exception):
    """Ends a request with an error envelope."""

    def __init__(
        self,
        failure: Failure,
        *,
        accepted: bool = False,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`accepted`: the turn exists, so trying again would run it twice.

        `retry_after_s`: in how many seconds it may go better. `headers`: what else HTTP says.
        """
        super().__init__(failure.code)
        self.failure = failure
        self.accepted = accepted
        self.retry_after_s = retry_after_s or failure.retry_after_s
        self.headers = headers or {}

    @property
    def body(self) -> JSON:
        """The envelope."""
        return error_envelope(self.failure)


def invalid(message: str, param: str | None, code: str = "invalid_value") -> ApiError:
    """A field has a value that cannot be (HTTP 400)."""
    return ApiError(
        Failure(
            http_status=400,
            type="invalid_request_error",
            code=code,
            message=message,
            param=param,
        )
    )


def wrong_credentials() -> ApiError:
    """No token, or one that is not good; why is not told (HTTP 401)."""
    return ApiError(
        Failure(
            http_status=401,
            type="invalid_request_error",
            code="invalid_api_key",
            message="No valid API key was given. Send one as 'Authorization: Bearer <key>'; "
            "whoever runs this Turnwire makes one with: turnwire keys create",
        )
    )


def identity_unavailable() -> ApiError:
    """Nothing is known by which the issuer's tokens could be judged (HTTP 503)."""
    return ApiError(
        Failure(
            http_status=503,
            type="server_error",
            code="identity_unavailable",
            message="The OIDC issuer does not say by which keys its tokens are known. "
            "Try again later.",
        ),
        retry_after_s=_ISSUER_BACK_S,
    )


def not_supported(param: str, message: str) -> ApiError:
    """A field asks for something that this deployment does not do (HTTP 400)."""
    return invalid(message, param, "unsupported_parameter")


def response_not_found(response_id: str) -> ApiError:
    """No such response, or none that the caller may see; both look the same."""
    return ApiError(
        Failure(
            http_status=404,
            type="not_found_error",
            code="response_not_found",
            message=f"Response with ID '{response_id}' not found.",
        )
    )


def conversation_not_found(conversation_id: str, param: str | None = None) -> ApiError:
    """No such conversation, or none that the caller may see; both look the same."""
    return ApiError(
        Failure(
            http_status=404,
            type="not_found_error",
            code="conversation_not_found",
            message=f"Conversation with ID '{conversation_id}' not found.",
            param=param,
        )
    )


def no_such_item(item_id: str) -> ApiError:
    """No such item in the conversation that was named."""
    return ApiError(
        Failure(
            http_status=404,
            type="not_found_error",
            code="item_not_found",
            message=f"Item with id '{item_id}' not found in this conversation.",
        )
    )


def in_progress(response_id: str) -> ApiError:
    """The response must have ended for what was asked (HTTP 425)."""
    return ApiError(
        Failure(
            http_status=425,
            type="too_early_error",
            code="response_in_progress",
            message=f"Response '{response_id}' is still in progress. Wait for its end, or cancel "
            "it if it runs in the background.",
        )
    )


def conflict(code: str, message: str, param: str | None = None) -> ApiError:
    """Somebody else was first (HTTP 409)."""
    return ApiError(
        Failure(
            http_status=409,
            type="invalid_request_error",
            code=code,
            message=message,
            param=param,
        )
    )


def too_large(
    limit: int, setting: str = "TURNWIRE_MAX_BODY_BYTES and the broker's max_payload"
) -> ApiError:
    """The body is larger than what is taken (HTTP 413); `setting` says what limits it."""
    return ApiError(
        Failure(
            http_status=413,
            type="invalid_request_error",
            code="request_too_large",
            message=f"The request body is larger than {limit} bytes. Send less, or have the "
            f"operator raise {setting}.",
        )
    )


def unknown_coding(coding: str, supported: Iterable[str]) -> ApiError:
    """The body has a coding that is not known (HTTP 415); `Accept-Encoding` says which are."""
    known = ", ".join(supported)
    return ApiError(
        Failure(
            http_status=415,
            type="invalid_request_error",
            code="unsupported_content_encoding",
            message=f"Content-Encoding '{coding}' is not supported. Send the body as it is, or "
            f"with one of: {known}.",
            param="content-encoding",
        ),
        headers={"accept-encoding": known},
    )


def unavailable(what: str) -> ApiError:
    """A part of Turnwire does not answer (HTTP 503)."""
    return ApiError(
        Failure(
            http_status=503,
            type="server_error",
            code=f"{what.replace(' ', '_')}_unavailable",
            message=f"The {what} does not answer. Try again later.",
        )
    )


def no_verdict() -> ApiError:
    """The guard must judge and cannot (HTTP 503): nothing passes."""
    return ApiError(guard_unavailable())


def unfinished(seconds: float) -> ApiError:
    """No end of the turn was heard of in time (HTTP 504)."""
    return ApiError(
        Failure(
            http_status=504,
            type="server_error",
            code="turn_timeout",
            message=f"The response was not finished within {seconds:g} seconds.",
        ),
        accepted=True,
    )


def gateway_stopping(response_id: str) -> ApiError:
    """The gateway ends, and the turn goes on without it (HTTP 503)."""
    return ApiError(
        Failure(
            http_status=503,
            type="server_error",
            code="gateway_stopping",
            message="This gateway was stopped. The response goes on: "
            f"retrieve it as {response_id}.",
        ),
        accepted=True,
    )


def internal_error() -> ApiError:
    """A fault of our own; nothing of it is told outside (HTTP 500)."""
    return ApiError(
        Failure(
            http_status=500,
            type="server_error",
            code="internal_error",
            message="Turnwire failed to handle the request. Its log says why: x-request-id.",
        ),
        # Nobody knows how far it came, so it must not be tried again unasked.
        accepted=True,
    )
