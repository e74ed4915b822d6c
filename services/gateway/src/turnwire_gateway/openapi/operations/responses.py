"""Operations on responses."""

from turnwire_gateway.openapi.operations.operation import BODY_ERRORS, Answer, Body, Operation
from turnwire_gateway.openapi.operations.parameters import (
    AFTER,
    APPLICATION,
    HARD_DELETE,
    INCLUDE,
    INCLUDE_DELETED,
    RECOVER,
    RESPONSE_ID,
    flag,
    in_query,
    limit,
    order,
)

_TAG = "Responses"
_STORED = ("response_not_found", "store_unavailable")
_ADMIN = ("invalid_value", "admin_required", "audit_log_unavailable")
_CONTINUES = (
    "unsupported_parameter",
    "mutually_exclusive_parameters",
    "previous_response_not_found",
    "conversation_not_found",
    "item_not_found",
    "prompt_not_found",
    "response_in_progress",
    "context_length_exceeded",
    "store_unavailable",
)
_LIMITS = ("rate_limit_exceeded", "rate_limiter_unavailable")
_BACKEND = (
    *_LIMITS,
    "unsupported_content",
    "model_not_found",
    "backend_unavailable",
    "backend_refused_credentials",
    "backend_error",
    "backend_stream_broken",
    "server_error",
    "backend_timeout",
)
_TOOLS = (
    "invalid_server_url",
    "invalid_server_credentials",
    "unknown_tool_server",
    "approval_request_not_found",
    "mcp_unreachable",
    "mcp_timeout",
    "mcp_http_error",
    "mcp_protocol_error",
    "tool_busy",
    "tool_runner_error",
    "tool_runner_unavailable",
)
_TURN = (
    "content_filter",
    "guard_unavailable",
    "turn_abandoned",
    "output_too_large",
    "answer_lost",
    "event_log_unavailable",
    "gateway_stopping",
    "turn_timeout",
)
_IDEMPOTENCY = {"$ref": "#/components/parameters/Idempotency-Key"}

_LINKS = tuple(
    (operation, "response_id")
    for operation in (
        "retrieveResponse", "deleteResponse", "recoverResponse", "cancelResponse", "listInputItems",
    )
)  # fmt: skip

_CREATE = """
Continue a conversation by `previous_response_id` with only what is new, or by `conversation`.
With `stream` the answer is a stream of events; a turn that is refused before its first event is
answered with plain JSON. With `background` the answer is 202 at once.

**WebSocket.** The same path takes a WebSocket (`GET` with `Upgrade`). Send
`{"type": "response.create", …}` with the fields of this body; the events of the stream come back,
one to a message. Creates follow one another; with `stream_id` there are lanes of them, side by
side, and every event says its lane. With `store: false` the connection itself remembers, so that
`previous_response_id` works until it closes; a failed continuation is forgotten.
`generate: false` warms up and asks no model. Errors come as
`{"type": "error", "status": …, "error": {…}}` with the codes of this page and
`websocket_queue_full`, `websocket_too_many_lanes`. After an hour a connection takes no more
creates: `websocket_connection_limit_reached`.
"""

_STREAM_AGAIN = """
With `stream=true` the answer is the response's stream: of a finished response as it was, of a
running one live. With `starting_after` it begins after that `sequence_number`. It works on any
gateway, any number of times, and gives the same bytes each time.
"""

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="createResponse",
        method="post",
        path="/v1/responses",
        tag=_TAG,
        summary="Ask a model.",
        description=_CREATE.strip(),
        parameters=(_IDEMPOTENCY, APPLICATION),
        body=Body("CreateRequest"),
        answers=(
            Answer(200, "Response", "The response, or its stream.", streams=True, links=_LINKS),
            Answer(202, "Response", "It runs: poll, stream or cancel it by its id.", links=_LINKS),
        ),
        errors=(
            *BODY_ERRORS,
            *_CONTINUES,
            *_BACKEND,
            *_TURN,
            *_TOOLS,
            "conversation_locked",
            "idempotency_key_reused",
            "idempotency_key_spent",
        ),
        asks_backend=True,
        counts=True,
    ),
    Operation(
        id="retrieveResponse",
        method="get",
        path="/v1/responses/{response_id}",
        tag=_TAG,
        summary="Read a response, or its stream again.",
        description=_STREAM_AGAIN.strip(),
        parameters=(
            RESPONSE_ID,
            flag("stream", "Answer with the stream."),
            in_query(
                "starting_after",
                {"type": "integer", "minimum": 0, "maximum": 2**53},
                "The `sequence_number` of the last event that the client has.",
            ),
            flag(
                "include_obfuscation",
                "Taken, without effect: a stream is padded as it was when it ran.",
            ),
            INCLUDE,
            INCLUDE_DELETED,
        ),
        answers=(Answer(200, "Response", "The response, or its stream.", streams=True),),
        errors=(*_ADMIN, *_STORED, *_LIMITS),
    ),
    Operation(
        id="deleteResponse",
        method="delete",
        path="/v1/responses/{response_id}",
        tag=_TAG,
        summary="Delete a response.",
        description="It can be recovered, unless it was a `hard_delete`. An unknown id is fine.",
        parameters=(RESPONSE_ID, HARD_DELETE),
        answers=(Answer(200, "DeletedResponse", "It is deleted, or there was none."),),
        errors=(*_ADMIN, "response_in_progress", "store_unavailable", "event_log_unavailable"),
    ),
    Operation(
        id="recoverResponse",
        method="patch",
        path="/v1/responses/{response_id}",
        tag=_TAG,
        summary="Recover a deleted response.",
        parameters=(RESPONSE_ID, RECOVER),
        answers=(Answer(200, "Response", "The response, as it is now."),),
        errors=(
            *_ADMIN,
            "missing_required_parameter",
            *_STORED,
            "event_log_unavailable",
        ),
    ),
    Operation(
        id="cancelResponse",
        method="post",
        path="/v1/responses/{response_id}/cancel",
        tag=_TAG,
        summary="Cancel a background response.",
        description="Cancelling what is cancelled changes nothing.",
        parameters=(RESPONSE_ID,),
        answers=(Answer(200, "Response", "The response, cancelled."),),
        errors=("response_not_cancellable", *_STORED, "event_log_unavailable"),
    ),
    Operation(
        id="listInputItems",
        method="get",
        path="/v1/responses/{response_id}/input_items",
        tag=_TAG,
        summary="List what a response was asked.",
        parameters=(RESPONSE_ID, limit(), order("desc"), AFTER, INCLUDE),
        answers=(Answer(200, "ItemList", "A page of items."),),
        errors=("invalid_value", *_STORED),
    ),
    Operation(
        id="countInputTokens",
        method="post",
        path="/v1/responses/input_tokens",
        tag=_TAG,
        summary="Count the tokens of an input.",
        description="The backend counts where it can; elsewhere it is an estimate.",
        parameters=(APPLICATION,),
        body=Body("InputTokensRequest"),
        answers=(Answer(200, "InputTokens", "The number of tokens."),),
        errors=(*BODY_ERRORS, *_CONTINUES, *_BACKEND, "orchestrator_unavailable"),
        asks_backend=True,
        counts=True,
    ),
    Operation(
        id="compactResponse",
        method="post",
        path="/v1/responses/compact",
        tag=_TAG,
        summary="Make a history short.",
        description="The output is a `compaction` item; send it first in the next input.",
        parameters=(APPLICATION,),
        body=Body("CompactRequest"),
        answers=(Answer(200, "CompactedResponse", "The short history."),),
        errors=(*BODY_ERRORS, *_CONTINUES, *_BACKEND, *_TURN, "compaction_failed"),
        asks_backend=True,
        counts=True,
    ),
)
