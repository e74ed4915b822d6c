"""Operations on responses beside one another: forks, reruns, differences."""

from typing import Final

from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.requests.branch_requests import (
    DecisionRequest,
    ForkRequest,
    RerunRequest,
)
from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.openapi import branch_answers as answers
from turnwire_gateway.openapi import parameters as given
from turnwire_gateway.openapi import route_errors as errors
from turnwire_gateway.openapi.operation import operation
from turnwire_gateway.openapi.response import Response

_STREAM: Final[JSON] = {
    "requestBody": {"required": False},
    "responses": {
        "200": {
            "content": {
                "text/event-stream": {"schema": {"$ref": "#/components/schemas/StreamEvent"}}
            }
        }
    },
}
_ANSWERS: Final = {
    200: "The new response, or its stream.",
    202: "It runs: poll, stream or cancel it by its id.",
}
_ERRORS: Final = (
    *errors.BODY, *errors.STORED, *errors.CONTINUES, *errors.SAMPLED, *errors.TURN, *errors.TOOLS,
    *errors.WEBHOOK, "idempotency_key_reused", "idempotency_key_spent",
)  # fmt: skip


@operation(
    "POST /v1/responses/{response_id}/fork", Response, *_ERRORS, answers=_ANSWERS, extra=_STREAM
)
def fork_response(
    response_id: given.ResponseId,
    body: ForkRequest,
    idempotency_key: given.IdempotencyKey = ABSENT,
    application: given.Application = ABSENT,
) -> None:
    """Continue a response from one of its events.

    An extension of the Responses API. The new response goes on from the event `at`, with what the
    body changes and all else as it was; it says `forked_from`. What tools had answered by then is
    kept, and no call is made again: one without a result is told to the model as not made. A fork
    of an ended response continues it as `previous_response_id` does. `stream` and `background` are
    not taken over.
    """


@operation(
    "POST /v1/responses/{response_id}/rerun", Response, *_ERRORS, answers=_ANSWERS, extra=_STREAM
)
def rerun_response(
    response_id: given.ResponseId,
    body: RerunRequest,
    idempotency_key: given.IdempotencyKey = ABSENT,
    application: given.Application = ABSENT,
) -> None:
    """Ask again what a response was asked.

    An extension of the Responses API. The same request runs once more, on the same history, with
    what the body changes; `input` takes the place of the old one. The new response says `rerun_of`.
    It stands beside the old one: a conversation goes on from where it was. Tools are called anew.
    """


@operation(
    "GET /v1/responses/{response_id}/diff",
    answers.ResponseDiff,
    *("missing_required_parameter", "audit_log_unavailable", "storage_full", *errors.STORED),
)
def diff_responses(response_id: given.ResponseId, other: given.DiffWith) -> None:
    """Compare two responses.

    An extension of the Responses API: fields of the request, instructions, items and text, usage,
    times and ends of the response in the path (`before`) and of that in `with` (`after`). Items are
    the same if they say the same, whatever their ids.
    """


@operation("GET /v1/approvals", answers.ApprovalList, "invalid_value", *errors.STORE, *errors.LOG)
def list_approvals(limit: given.Limit = given.DEFAULT_LIMIT, after: given.After = ABSENT) -> None:
    """List the calls that wait for the caller's approval.

    An extension of the Responses API: each `mcp_approval_request` of a response that has ended, as
    long as no turn has answered it. A page may be shorter than `limit`, and have more behind it.
    """


@operation(
    "POST /v1/approvals/{approval_id}",
    Response,
    *("approval_not_found", "approval_decided", "conversation_locked", *_ERRORS),
    answers={
        200: "The response that goes on.",
        202: "It runs: poll, stream or cancel it by its id.",
    },
)
def decide_approval(
    approval_id: given.ApprovalId,
    body: DecisionRequest,
    application: given.Application = ABSENT,
) -> None:
    """Decide whether a call may be made.

    An extension of the Responses API. The response that asked is continued, as by a client that
    sends an `mcp_approval_response`, with its own model, instructions and tools unless the body
    says otherwise; both decisions go on. The same decision again gives the same response, another
    one is 409. One whose turn failed can be made again.
    """
