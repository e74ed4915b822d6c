"""Errors of inference backends."""

from typing import Final

from turnwire_contracts.errors.error_code import ErrorCode

_INVALID: Final = "invalid_request_error"
_SERVER: Final = "server_error"

OF_BACKENDS: Final = (
    ErrorCode(
        code="unsupported_content",
        status=400,
        type=_INVALID,
        message="The backend speaks chat completions: {what}.",
        param="input",
        what="the backend speaks chat completions, which have no words for something in the input",
        way_out="leave it out, or ask another backend",
    ),
    ErrorCode(
        code="context_length_exceeded",
        status=400,
        type=_INVALID,
        message="The prompt is too long for the model.",
        param="input",
        what="the history is longer than the model's context",
        way_out="shorten it, or start a new chain",
    ),
    ErrorCode(
        code="backend_refused",
        status=400,
        type=_INVALID,
        instead="4xx",
        what="the backend refused the request without a code of its own; its text is in `message`",
        way_out="mend the request",
    ),
    ErrorCode(
        code="backend_unavailable",
        status=502,
        type=_SERVER,
        message="The inference backend at {url} cannot be reached ({detail}).",
        what="no connection to the backend",
        way_out="start it; check `TURNWIRE_BACKEND_URL`",
        retryable=True,
    ),
    ErrorCode(
        code="backend_refused_credentials",
        status=502,
        type=_SERVER,
        message="The inference backend refused Turnwire's own credentials: {reason}",
        what="the backend refused our key",
        way_out="`TURNWIRE_BACKEND_API_KEY`",
    ),
    ErrorCode(
        code="backend_error",
        status=502,
        type=_SERVER,
        also=(503,),
        what="the backend failed; its text is in `message`",
        way_out="look at the backend",
        retryable=True,
    ),
    ErrorCode(
        code="backend_stream_broken",
        status=502,
        type=_SERVER,
        message="The inference backend ended its stream without finishing the response ({detail}).",
        what="the stream broke off, or made no sense; one that ends with `[DONE]` alone is "
        "complete unless a call in it is cut",
        way_out="look at the backend",
        retryable=True,
    ),
    ErrorCode(
        code="server_error",
        status=502,
        type=_SERVER,
        what="the backend ended its stream with an error; it may have a code of its own instead",
        way_out="look at the backend",
        retryable=True,
    ),
    ErrorCode(
        code="output_too_large",
        status=502,
        type=_SERVER,
        message="The model's output is larger than the event log takes. Ask for fewer tokens with "
        "`max_output_tokens`, or raise the broker's max_payload.",
        what="the output does not fit into one event",
        way_out="fewer tokens, or a larger `max_payload`",
    ),
    ErrorCode(
        code="compaction_failed",
        status=502,
        type=_SERVER,
        message="The model gave no summary of the conversation. Try again, or another model.",
        what="the model gave no summary",
        way_out="try again, or another model",
        retryable=True,
    ),
    ErrorCode(
        code="backend_timeout",
        status=504,
        type=_SERVER,
        message="The inference backend sent nothing for {seconds:g} seconds.",
        what="the backend sent nothing for `TURNWIRE_BACKEND_IDLE_TIMEOUT_S`",
        way_out="look at the backend",
        retryable=True,
    ),
)
