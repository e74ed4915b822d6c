"""The ways in which a turn can fail; the catalogue has their codes, statuses and words."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.events import Failure

STORAGE_FULL: Final = "storage_full"
_MOST_NAMES = 20


class TurnFailedError(Exception):
    """The turn cannot go on, for a reason that its client is told."""

    def __init__(self, failure: Failure) -> None:
        """`failure` becomes that of the turn, where its `closed` is appended."""
        super().__init__(failure.code)
        self.failure = failure


class Overflow(Struct, frozen=True):
    """A prompt that is too long: how many tokens it has and how many are read, where known."""

    tokens: int | None = None
    limit: int | None = None


class PromptTooLongError(TurnFailedError):
    """The prompt has more tokens than the model reads."""

    def __init__(self, failure: Failure, overflow: Overflow | None = None) -> None:
        """`overflow`: how many it has and how many the model reads, where the backend says so."""
        super().__init__(failure)
        self.overflow = overflow or Overflow()


_OF_ONE_SERVER: Final = frozenset({404, 408, 425, 429})
"""Statuses below 500 that speak of the server that was asked, and not of the request."""

_SERVER_ERROR: Final = 500


def is_worth_another_server(failure: Failure) -> bool:
    """Tell whether another server may answer what one of them refused or failed at."""
    return failure.http_status >= _SERVER_ERROR or failure.http_status in _OF_ONE_SERVER


def store_unavailable() -> Failure:
    """The history could not be read."""
    return failure(
        "store_unavailable", "The store that holds the conversation does not answer. Try again."
    )


def backend_unreachable(url: str, detail: str) -> Failure:
    """No connection to the backend."""
    return failure("backend_unavailable", url=url, detail=detail)


def no_backend_can_answer(model: str) -> Failure:
    """Every server of the model was tried for this sample, or wants to be left alone."""
    return failure(
        "backend_error", f"No backend that serves '{model}' can be asked now. Try again."
    )


def backend_encoding(url: str, encoding: str) -> Failure:
    """The backend's answer is packed in a way that cannot be read, or says so wrongly."""
    return failure(
        "backend_error",
        f"What answers at {url} sent 'Content-Encoding: {encoding[:80]}', which cannot be "
        "decoded. Turnwire asks for 'identity'; a proxy before the backend must not pack its "
        "answers, or pack them with gzip, deflate, br or zstd.",
    )


def backend_broke_off(detail: str) -> Failure:
    """The backend stopped in the middle of its answer."""
    return failure("backend_stream_broken", detail=detail)


def backend_silent(seconds: float) -> Failure:
    """The backend sent nothing for too long."""
    return failure("backend_timeout", seconds=seconds)


def turn_too_long(seconds: float) -> Failure:
    """The turn reached its deadline."""
    return failure("turn_timeout", seconds=seconds)


def overloaded(seconds: float) -> Failure:
    """The turn found no place in time, and never began."""
    return failure("overloaded", seconds=seconds)


def too_many_owners(attempts: int) -> Failure:
    """The turn outlived every orchestrator that tried it."""
    return failure("turn_abandoned", attempts=attempts)


def too_large() -> Failure:
    """What the model said does not fit into one event."""
    return failure("output_too_large")


def storage_full() -> Failure:
    """What became of the turn found no room in the log within the turn's time.

    Its model was asked and its tools may have run, so no client is told to repeat it by itself.
    """
    return replace(failure(STORAGE_FULL), retry_after_s=None)


def nothing_to_compact() -> Failure:
    """The model was asked for a summary and said nothing."""
    return failure("compaction_failed")


def model_not_found(model: str, models: list[str]) -> Failure:
    """No backend serves the model that was asked for."""
    shown = ", ".join(models[:_MOST_NAMES]) + (", …" if len(models) > _MOST_NAMES else "")
    return failure("model_not_found", model=model, models=shown or "none")


def unsayable(what: str) -> Failure:
    """The input holds something that the backend's API has no words for."""
    return failure("unsupported_content", what=what)


def backend_not_clear(url: str, why: str) -> Failure:
    """The backend does not say which API it speaks; `why`: what it answers."""
    return failure(
        "backend_error", f"What answers at {url} does not tell which API it speaks: {why}."
    )


def backend_speaks_nothing(url: str, why: str) -> Failure:
    """What answers at the backend's address is no inference server; `why`: what it answers."""
    return failure(
        "backend_error",
        f"What answers at {url} speaks neither Responses nor chat completions: {why}. "
        "Its address must be the base of its API, which ends in /v1.",
    )


def approval_not_found(request_id: str) -> Failure:
    """The input answers a request for approval that the history does not have."""
    return failure("approval_request_not_found", request_id=request_id)
