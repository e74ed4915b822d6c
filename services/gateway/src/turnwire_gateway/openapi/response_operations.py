"""Operations on responses."""

from typing import Final

from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.requests.create_request import CreateRequest
from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.api.requests.other_requests import CompactRequest, InputTokensRequest
from turnwire_gateway.openapi import answers
from turnwire_gateway.openapi import parameters as given
from turnwire_gateway.openapi import route_errors as errors
from turnwire_gateway.openapi.operation import operation
from turnwire_gateway.openapi.response import Response

_ONE: Final = "/v1/responses/{response_id}"
_STREAM: Final[JSON] = {
    "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/StreamEvent"}}}
}
_EVENT: Final[JSON] = {"$ref": "#/components/schemas/LoggedEvent"}
_LINKS: Final[JSON] = {
    "links": {
        name: {"operationId": name, "parameters": {"response_id": "$response.body#/id"}}
        for name in (
            "retrieveResponse", "deleteResponse", "recoverResponse", "cancelResponse",
            "listInputItems", "listResponseEvents",
        )
    }
}  # fmt: skip


@operation(
    "POST /v1/responses",
    Response,
    *(*errors.BODY, *errors.CONTINUES, *errors.SAMPLED, *errors.TURN, *errors.TOOLS, *errors.ONCE),
    *errors.WEBHOOK,
    answers={
        200: "The response, or its stream.",
        202: "It runs: poll, stream or cancel it by its id.",
    },
    extra={"responses": {"200": {**_STREAM, **_LINKS}, "202": _LINKS}},
)
def create_response(
    body: CreateRequest,
    idempotency_key: given.IdempotencyKey = ABSENT,
    application: given.Application = ABSENT,
) -> None:
    """Ask a model.

    Continue a conversation by `previous_response_id` with only what is new, or by `conversation`.
    With `stream` the answer is a stream of events; a turn that is refused before its first event is
    answered with plain JSON. With `background` the answer is 202 at once.

    **WebSocket.** The same path takes a WebSocket (`GET` with `Upgrade`). Send
    `{"type": "response.create", …}` with the fields of this body; the events of the stream come
    back, one to a message. Creates follow one another; with `stream_id` there are lanes of them,
    side by side, and every event says its lane. With `store: false` the connection itself
    remembers, so that `previous_response_id` works until it closes; a failed continuation is
    forgotten. `generate: false` warms up and asks no model. Errors come as
    `{"type": "error", "status": …, "error": {…}}` with the codes of this page and
    `websocket_queue_full`, `websocket_too_many_lanes`. After an hour a connection takes no more
    creates: `websocket_connection_limit_reached`.
    """


@operation(
    f"GET {_ONE}",
    Response,
    *(*errors.ADMIN, *errors.STORED, *errors.LIMITS),
    answers={200: "The response, or its stream."},
    extra={"responses": {"200": _STREAM}},
)
def retrieve_response(
    response_id: given.ResponseId,
    *,
    stream: given.Stream,
    include: given.Include = ABSENT,
    include_deleted: given.IncludeDeleted = False,
) -> None:
    """Read a response, or its stream again.

    With `stream=true` the answer is the response's stream: of a finished response as it was, of a
    running one live. With `starting_after` it begins after that `sequence_number`. It works on any
    gateway, any number of times, and gives the same bytes each time.
    """


@operation(
    f"DELETE {_ONE}",
    answers.DeletedResponse,
    *errors.ADMIN,
    "response_in_progress",
    *errors.STORE,
    *errors.LOG,
)
def delete_response(
    response_id: given.ResponseId, *, hard_delete: given.HardDelete = False
) -> None:
    """Delete a response.

    It can be recovered, unless it was a `hard_delete`. An unknown id is fine.
    """


@operation(
    f"PATCH {_ONE}",
    Response,
    *(*errors.ADMIN, "missing_required_parameter", *errors.STORED, *errors.LOG),
    answers={200: "The response, as it is now."},
)
def recover_response(response_id: given.ResponseId, recover: given.Recover) -> None:
    """Recover a deleted response."""


@operation(
    f"POST {_ONE}/cancel",
    Response,
    *("response_not_cancellable", *errors.STORED, *errors.LOG),
    answers={200: "The response, cancelled."},
)
def cancel_response(response_id: given.ResponseId) -> None:
    """Cancel a background response.

    Cancelling what is cancelled changes nothing.
    """


@operation(f"GET {_ONE}/input_items", answers.ItemList, "invalid_value", *errors.STORED)
def list_input_items(
    response_id: given.ResponseId,
    limit: given.Limit = given.DEFAULT_LIMIT,
    order: given.Order = "desc",
    after: given.After = ABSENT,
    include: given.Include = ABSENT,
) -> None:
    """List what a response was asked."""


@operation(
    f"GET {_ONE}/events",
    answers.LoggedEventList,
    *(*errors.ADMIN, *errors.STORED, *errors.LOG, *errors.LIMITS),
    answers={200: "A page of events, or all of them as they come."},
    extra={"responses": {"200": {"content": {"text/event-stream": {"schema": _EVENT}}}}},
)
def list_response_events(
    response_id: given.ResponseId,
    *,
    stream: given.LiveEvents = False,
    after: given.AfterSequence = 0,
    limit: given.Limit = given.DEFAULT_LIMIT,
    include_deleted: given.IncludeDeleted = False,
) -> None:
    """List what the event log has of a response: who did what, and when.

    An extension of the Responses API, for debugging. Events stand in the order of the log; their
    kinds and `data` are those of docs/events.md, without sealed credentials. With `stream=true`
    they come as server-sent events as they are appended (`id:` is the `sequence`), and
    `data: [DONE]` follows the end of the turn; `limit` has no effect then. A reader that was cut
    off goes on with `after`.
    """


@operation(
    "POST /v1/responses/input_tokens",
    answers.InputTokens,
    *errors.BODY,
    *errors.CONTINUES,
    *errors.SAMPLED,
    "orchestrator_unavailable",
)
def count_input_tokens(body: InputTokensRequest, application: given.Application = ABSENT) -> None:
    """Count the tokens of an input.

    The backend counts where it can; elsewhere it is an estimate.
    """


@operation(
    "POST /v1/responses/compact",
    answers.CompactedResponse,
    *errors.BODY,
    *errors.CONTINUES,
    *errors.SAMPLED,
    *errors.TURN,
    "compaction_failed",
)
def compact_response(body: CompactRequest, application: given.Application = ABSENT) -> None:
    """Make a history short.

    The output is a `compaction` item; send it first in the next input.
    """
