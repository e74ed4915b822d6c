"""Errors of Turnwire itself: a service that is away or broken, and turns that came to no end."""

from typing import Final

from turnwire_contracts.errors.error_code import ErrorCode

_SERVER: Final = "server_error"
_GUARD_BACK_S: Final = 2
"""A guard that was restarted is back in about that time."""
_QUEUE_BACK_S: Final = 2
_ROOM_AFTER_S: Final = 10
"""Room is made by people, or by what ages out."""

OF_SERVICES: Final = (
    ErrorCode(
        code="internal_error",
        status=500,
        type=_SERVER,
        message="Turnwire failed to handle the request. Its log says why: x-request-id.",
        what="a fault in the gateway; nothing of it is told outside",
        way_out="find the request id in its log, and report it",
    ),
    ErrorCode(
        code="turn_abandoned",
        status=500,
        type=_SERVER,
        message="The response could not be finished in {attempts} attempts.",
        what="six orchestrators began the turn and none finished",
        way_out="look for what kills them",
    ),
    ErrorCode(
        code="answer_lost",
        status=502,
        type=_SERVER,
        message="The response was finished but its content, which was not to be stored, was lost "
        "before it could be delivered. Send the request again.",
        what="an orchestrator died between the end of a `store: false` turn and its delivery",
        way_out="send it again",
        retryable=True,
        turn_exists=True,
    ),
    ErrorCode(
        code="identity_unavailable",
        status=503,
        type=_SERVER,
        message="The OIDC issuer does not say by which keys its tokens are known. Try again later.",
        retry_after_s=5,
        what="the OIDC issuer's keys could not be had since the gateway started",
        way_out="look at the issuer, or `TURNWIRE_OIDC_JWKS_URL`",
        retryable=True,
    ),
    ErrorCode(
        code="store_unavailable",
        status=503,
        type=_SERVER,
        message="The store does not answer. Try again later.",
        what="no store answers",
        way_out="start it",
        retryable=True,
    ),
    ErrorCode(
        code="orchestrator_unavailable",
        status=503,
        type=_SERVER,
        message="The orchestrator does not answer. Try again later.",
        what="no orchestrator answers (`/v1/models`)",
        way_out="start it",
        retryable=True,
    ),
    ErrorCode(
        code="event_log_unavailable",
        status=503,
        type=_SERVER,
        message="The event log does not answer. Try again later.",
        what="the broker did not confirm `requested`",
        way_out="start it",
        retryable=True,
    ),
    ErrorCode(
        code="storage_full",
        status=503,
        type=_SERVER,
        message="There is no room to store more: the storage of the event log is full. What is "
        "there can be read. Try again once its operator has made room.",
        retry_after_s=_ROOM_AFTER_S,
        what="no room for the event log: its disk is down to the reserve, or the broker is at a "
        "limit; also the end of a turn whose result found no room within the turn's time",
        way_out="make room: `turnwire doctor`, [Disk](#disk); then repeat it, with a new "
        "`Idempotency-Key` if its response had begun",
        retryable=True,
    ),
    ErrorCode(
        code="gateway_stopping",
        status=503,
        type=_SERVER,
        message="This gateway was stopped. The response goes on: retrieve it as {response_id}.",
        what="the gateway was stopped before the answer; the turn goes on",
        way_out="retrieve the response by the id in `message`, or repeat the request with the same "
        "`Idempotency-Key`; with `store: false` only the latter, before the turn has ended",
        turn_exists=True,
    ),
    ErrorCode(
        code="audit_log_unavailable",
        status=503,
        type=_SERVER,
        message="The audit log does not answer. Try again later.",
        what="an act of an admin could not be noted, so it was not done",
        way_out="start the broker",
        retryable=True,
    ),
    ErrorCode(
        code="rate_limiter_unavailable",
        status=503,
        type=_SERVER,
        message="The rate limiter does not answer. Try again later.",
        what="the broker does not answer, and there are limits to be kept",
        way_out="start it",
        retryable=True,
    ),
    ErrorCode(
        code="overloaded",
        status=503,
        type=_SERVER,
        message="More turns wait than can begin within {seconds:g} seconds. Try again later.",
        retry_after_s=_QUEUE_BACK_S,
        what="a foreground turn would wait longer for a place than `TURNWIRE_MAX_QUEUE_S`, or has "
        "waited so long; it did not begin",
        way_out="repeat it after `Retry-After`, with a new `Idempotency-Key`; the operator: more "
        "orchestrators, more places (`TURNWIRE_MAX_TURNS`) if the backend has room, or "
        "`concurrent_turns` for who floods",
        retryable=True,
    ),
    ErrorCode(
        code="guard_unavailable",
        status=503,
        type=_SERVER,
        message="The content could not be checked against the content policy. Try again later.",
        retry_after_s=_GUARD_BACK_S,
        what="the guard gave no verdict: it is not there, flooded, too slow, or a stage could not "
        "judge",
        way_out="see its log and `turnwire doctor`",
        retryable=True,
    ),
    ErrorCode(
        code="turn_timeout",
        status=504,
        type=_SERVER,
        message="The response was not finished within {seconds:g} seconds.",
        what="the turn took longer than `TURNWIRE_TURN_TIMEOUT_S`",
        way_out="raise it, or ask for less",
        turn_exists=True,
    ),
    ErrorCode(
        code="invalid_question",
        status=400,
        type="invalid_request_error",
        instead="between services",
        what="guard or tool-runner cannot read what it is asked: the versions differ",
        way_out="bring all services to one version",
    ),
    ErrorCode(
        code="unknown_check_type",
        status=400,
        type="invalid_request_error",
        instead="between services",
        what="the guard is asked for a check that it does not know",
        way_out="bring all services to one version",
    ),
    ErrorCode(
        code="stream_interrupted",
        status=500,
        type=_SERVER,
        instead="in the stream",
        what="frames were lost and cannot be had again",
        way_out="read the response by its id",
    ),
)
