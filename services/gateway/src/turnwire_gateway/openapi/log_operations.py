"""Operations that read what the log has of responses: extensions of the Responses API."""

from typing import Final

from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.openapi import log_answers as answers
from turnwire_gateway.openapi import parameters as given
from turnwire_gateway.openapi import route_errors as errors
from turnwire_gateway.openapi.operation import operation

_ONE: Final = "/v1/responses/{response_id}"


@operation("GET /v1/responses", answers.ResponseList, *errors.ADMIN, *errors.STORE, *errors.LOG)
def list_responses(
    *,
    limit: given.Limit = given.DEFAULT_LIMIT,
    order: given.Order = "desc",
    after: given.After = ABSENT,
    filters: given.Filters,
) -> None:
    """List responses, the newest first.

    An extension of the Responses API. Users see their own, admins all of the tenant's. Filters
    narrow each other. What is deleted, not stored, or was refused by the guard is not listed.
    """


@operation(
    f"GET {_ONE}/state",
    answers.ResponseState,
    *(*errors.ADMIN, *errors.STORED, *errors.LOG),
)
def retrieve_response_state(
    response_id: given.ResponseId,
    *,
    at: given.AtSequence = ABSENT,
    include_deleted: given.IncludeDeleted = False,
) -> None:
    """Fold the events of a response up to a place in the log.

    An extension of the Responses API, for debugging: the state that its owner had, or that another
    owner would begin with.
    """


@operation(
    f"GET {_ONE}/timeline",
    answers.ResponseTimeline,
    *(*errors.ADMIN, *errors.STORED, *errors.LOG),
)
def retrieve_response_timeline(
    response_id: given.ResponseId, *, include_deleted: given.IncludeDeleted = False
) -> None:
    """Tell where the time of a response went, who drove it, and what was done again.

    An extension of the Responses API, made of events alone. What none of them tells is null, as of
    turns that an earlier version ran: nothing is guessed.
    """


@operation(
    f"GET {_ONE}/prompt",
    answers.ResponsePrompt,
    *(*errors.ADMIN, *errors.STORED, *errors.LOG, "orchestrator_unavailable"),
    *("previous_response_not_found", "model_not_found", "unsupported_content"),
)
def retrieve_response_prompt(
    response_id: given.ResponseId,
    *,
    sample: given.SampleNumber = ABSENT,
    include_deleted: given.IncludeDeleted = False,
) -> None:
    """Show what the model was sent.

    An extension of the Responses API, for debugging. An orchestrator writes the body of the request
    to the backend once more, from the log and the history as they are now; `exact` says by a digest
    whether it is what was sent.
    """
