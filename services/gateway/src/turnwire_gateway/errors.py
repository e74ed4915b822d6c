"""Errors as clients see them: OpenAI's envelope, whatever went wrong."""

from collections.abc import Iterable, Mapping

from turnwire_chassis.event_log import StorageFullError
from turnwire_contracts.errors.catalogue import CATALOGUE, failure
from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.response import error_envelope

_PART_BACK_S = 3
"""A client that is refused has waited for ten seconds already; the broker elects within nine."""


class ApiError(Exception):
    """Ends a request with an error envelope."""

    def __init__(
        self,
        failure: Failure,
        *,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`retry_after_s`: in how many seconds it may go better. `headers`: what else HTTP says."""
        super().__init__(failure.code)
        self.failure = failure
        self.retry_after_s = retry_after_s or failure.retry_after_s
        self.headers = headers or {}

    @property
    def may_be_repeated(self) -> bool:
        """Whether a client may repeat the request by itself, as the catalogue says of the code.

        A code of a backend's own stands in no row; what refuses a request with it began no turn.
        """
        row = CATALOGUE.get(self.failure.code)
        return row is None or row.may_be_repeated

    @property
    def body(self) -> JSON:
        """The error envelope (OpenAI)."""
        return error_envelope(self.failure)


def invalid(message: str, param: str | None, code: str = "invalid_value") -> ApiError:
    """A field has a value that cannot be (HTTP 400)."""
    return ApiError(failure(code, message, param))


def wrong_credentials() -> ApiError:
    """No token, or one that is not valid; the answer does not say why (HTTP 401)."""
    return ApiError(failure("invalid_api_key"))


def expired_key(expired_at: str) -> ApiError:
    """The API key was good, and its time is over (HTTP 401); `expired_at` as people write it."""
    return ApiError(failure("api_key_expired", expired_at=expired_at))


def insufficient_scope(needed: str, scopes: Iterable[str]) -> ApiError:
    """The API key may not be used for this (HTTP 403)."""
    return ApiError(failure("insufficient_scope", needed=needed, scopes=", ".join(scopes)))


def identity_unavailable() -> ApiError:
    """The issuer's keys could not be read, so its tokens cannot be checked (HTTP 503)."""
    return ApiError(failure("identity_unavailable"))


def not_supported(param: str, message: str) -> ApiError:
    """A field asks for something that this deployment does not do (HTTP 400)."""
    return invalid(message, param, "unsupported_parameter")


def response_not_found(response_id: str) -> ApiError:
    """No such response, or none that the caller may see; both look the same."""
    return ApiError(failure("response_not_found", response_id=response_id))


def conversation_not_found(conversation_id: str, param: str | None = None) -> ApiError:
    """No such conversation, or none that the caller may see; both look the same."""
    return ApiError(failure("conversation_not_found", "", param, conversation_id=conversation_id))


def no_such_item(item_id: str) -> ApiError:
    """No such item in the conversation that was named."""
    return ApiError(failure("item_not_found", item_id=item_id))


def in_progress(response_id: str) -> ApiError:
    """The response must have ended for what was asked (HTTP 425)."""
    return ApiError(failure("response_in_progress", response_id=response_id))


def too_large(
    limit: int, setting: str = "TURNWIRE_MAX_BODY_BYTES and the broker's max_payload"
) -> ApiError:
    """The body is larger than what is taken (HTTP 413); `setting` says what limits it."""
    return ApiError(failure("request_too_large", limit=limit, setting=setting))


def body_timeout(seconds: float) -> ApiError:
    """The client has sent nothing of its body for `seconds` (HTTP 408)."""
    return ApiError(failure("request_timeout", seconds=seconds))


def unknown_coding(coding: str, supported: Iterable[str]) -> ApiError:
    """The body has an unknown coding (HTTP 415); `Accept-Encoding` lists the `supported`."""
    names = ", ".join(supported)
    refused = failure("unsupported_content_encoding", coding=coding, known=names)
    return ApiError(refused, headers={"accept-encoding": names})


def unavailable(code: str) -> ApiError:
    """A part of Turnwire does not answer (HTTP 503); nothing was done."""
    return ApiError(failure(code), retry_after_s=_PART_BACK_S)


def not_kept(error: Exception, code: str = "event_log_unavailable") -> ApiError:
    """The broker did not keep something (HTTP 503); `code`: unless it lacks the room for it."""
    if isinstance(error, StorageFullError) or isinstance(error.__cause__, StorageFullError):
        return ApiError(failure("storage_full"))
    return unavailable(code)


def no_verdict() -> ApiError:
    """The guard must judge and cannot (HTTP 503): nothing passes."""
    return ApiError(failure("guard_unavailable"))


def unfinished(seconds: float) -> ApiError:
    """The turn did not end within `seconds` (HTTP 504)."""
    return ApiError(failure("turn_timeout", seconds=seconds))


def gateway_stopping(response_id: str) -> ApiError:
    """The gateway ends, and the turn goes on without it (HTTP 503)."""
    return ApiError(failure("gateway_stopping", response_id=response_id))


def internal_error() -> ApiError:
    """A fault of the gateway; the answer does not say which (HTTP 500)."""
    return ApiError(failure("internal_error"))
