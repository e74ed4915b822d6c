"""The ways in which a turn can fail, each with a stable code and a way out in its text."""

from turnwire_contracts.events import Failure

_MOST_NAMES = 20


def store_unavailable() -> Failure:
    """The history could not be read."""
    return Failure(
        http_status=503,
        type="server_error",
        code="store_unavailable",
        message="The store that holds the conversation does not answer. Try again.",
    )


def backend_unreachable(url: str, detail: str) -> Failure:
    """No connection to the backend."""
    return Failure(
        http_status=502,
        type="server_error",
        code="backend_unavailable",
        message=f"The inference backend at {url} cannot be reached ({detail}).",
    )


def backend_encoding(url: str, encoding: str) -> Failure:
    """The backend's answer is packed in a way that cannot be read, or says so wrongly."""
    return Failure(
        http_status=502,
        type="server_error",
        code="backend_error",
        message=f"What answers at {url} sent 'Content-Encoding: {encoding[:80]}', which cannot be "
        "decoded. Turnwire asks for 'identity'; a proxy before the backend must not pack its "
        "answers, or pack them with gzip, deflate, br or zstd.",
    )


def backend_broke_off(detail: str) -> Failure:
    """The backend stopped in the middle of its answer."""
    return Failure(
        http_status=502,
        type="server_error",
        code="backend_stream_broken",
        message=f"The inference backend ended its stream without finishing "
        f"the response ({detail}).",
    )


def backend_silent(seconds: float) -> Failure:
    """The backend sent nothing for too long."""
    return Failure(
        http_status=504,
        type="server_error",
        code="backend_timeout",
        message=f"The inference backend sent nothing for {seconds:g} seconds.",
    )


def turn_too_long(seconds: float) -> Failure:
    """The turn reached its deadline."""
    return Failure(
        http_status=504,
        type="server_error",
        code="turn_timeout",
        message=f"The response was not finished within {seconds:g} seconds.",
    )


def too_many_owners(attempts: int) -> Failure:
    """The turn outlived every orchestrator that tried it."""
    return Failure(
        http_status=500,
        type="server_error",
        code="turn_abandoned",
        message=f"The response could not be finished in {attempts} attempts.",
    )


def too_large() -> Failure:
    """What the model said does not fit into one event."""
    return Failure(
        http_status=502,
        type="server_error",
        code="output_too_large",
        message="The model's output is larger than the event log takes. Ask for fewer tokens with "
        "`max_output_tokens`, or raise the broker's max_payload.",
    )


def nothing_to_compact() -> Failure:
    """The model was asked for a summary and said nothing."""
    return Failure(
        http_status=502,
        type="server_error",
        code="compaction_failed",
        message="The model gave no summary of the conversation. Try again, or another model.",
    )


def model_not_found(model: str, models: list[str]) -> Failure:
    """No backend serves the model that was asked for."""
    shown = ", ".join(models[:_MOST_NAMES]) + (", …" if len(models) > _MOST_NAMES else "")
    return Failure(
        http_status=404,
        type="invalid_request_error",
        code="model_not_found",
        message=f"The model '{model}' does not exist. There are: {shown or 'none'}.",
        param="model",
    )


def unsayable(what: str) -> Failure:
    """The input holds something that the backend's API has no words for."""
    return Failure(
        http_status=400,
        type="invalid_request_error",
        code="unsupported_content",
        message=f"The backend speaks chat completions: {what}.",
        param="input",
    )


def backend_not_clear(url: str, why: str) -> Failure:
    """The backend does not say which API it speaks; `why`: what it answers."""
    return Failure(
        http_status=502,
        type="server_error",
        code="backend_error",
        message=f"What answers at {url} does not tell which API it speaks: {why}.",
    )


def backend_speaks_nothing(url: str, why: str) -> Failure:
    """What answers at the backend's address is no inference server; `why`: what it answers."""
    return Failure(
        http_status=502,
        type="server_error",
        code="backend_error",
        message=f"What answers at {url} speaks neither Responses nor chat completions: {why}. "
        "Its address must be the base of its API, which ends in /v1.",
    )


def approval_not_found(request_id: str) -> Failure:
    """The input answers a request for approval that the history does not have."""
    return Failure(
        http_status=400,
        type="invalid_request_error",
        code="approval_request_not_found",
        message=f"No approval request with id '{request_id}' found. Continue the response that "
        "asked for it by `previous_response_id`.",
        param="input",
    )
