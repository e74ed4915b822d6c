"""Errors of requests: what a client asks cannot be done, or not now."""

from typing import Final

from turnwire_contracts.errors.error_code import ErrorCode

_INVALID: Final = "invalid_request_error"
_NOT_FOUND: Final = "not_found_error"
_FORBIDDEN: Final = "permission_error"
_TOO_MANY: Final = "too_many_requests"

OF_REQUESTS: Final = (
    ErrorCode(
        code="invalid_json",
        status=400,
        type=_INVALID,
        what="the body is no JSON object",
        way_out="mend the request",
    ),
    ErrorCode(
        code="invalid_http_request",
        status=400,
        type=_INVALID,
        what="what came is no HTTP/1.1 request: the reason is in `message`; the connection ends",
        way_out="mend the client; TLS ends at a proxy",
    ),
    ErrorCode(
        code="missing_required_parameter",
        status=400,
        type=_INVALID,
        what="`model`, `input` or another required field is missing",
        way_out="mend the request",
    ),
    ErrorCode(
        code="invalid_value",
        status=400,
        type=_INVALID,
        what="a field has a value that cannot be; `param` names it",
        way_out="mend the request",
    ),
    ErrorCode(
        code="unsupported_parameter",
        status=400,
        type=_INVALID,
        what="a field of another API, such as `messages`; OpenAI's own connectors, or MCP secrets "
        "without `TURNWIRE_SEAL_KEY`; a background response that is not to be stored",
        way_out="leave it out, or say it as `message` tells",
    ),
    ErrorCode(
        code="mutually_exclusive_parameters",
        status=400,
        type=_INVALID,
        what="both `conversation` and `previous_response_id`",
        way_out="send one of them",
    ),
    ErrorCode(
        code="response_not_cancellable",
        status=400,
        type=_INVALID,
        what="the response is no background response, or has ended",
    ),
    ErrorCode(
        code="content_filter",
        status=400,
        type=_INVALID,
        message="The input was blocked by the content policy ({broken}).",
        param="input",
        what="the guard found violations; they are listed",
        way_out="change the input",
    ),
    ErrorCode(
        code="approval_request_not_found",
        status=400,
        type=_INVALID,
        message="No approval request with id '{request_id}' found. Continue the response that "
        "asked for it by `previous_response_id`.",
        param="input",
        what="an `mcp_approval_response` to what nothing before it asks",
        way_out="name a request of this chain",
    ),
    ErrorCode(
        code="invalid_api_key",
        status=401,
        type=_INVALID,
        message="No valid API key was given. Send one as 'Authorization: Bearer <key>'; the "
        "operator of this Turnwire makes one with: turnwire keys create",
        what="no API key, or one that is not good: why is not told",
        way_out="[identity](identity.md)",
    ),
    ErrorCode(
        code="host_not_allowed",
        status=403,
        type=_FORBIDDEN,
        what="without keys: the `Host` is no name of this machine",
        way_out="[identity](identity.md#web-pages)",
    ),
    ErrorCode(
        code="origin_not_allowed",
        status=403,
        type=_FORBIDDEN,
        what="a web page of an origin that is not listed asks",
        way_out="[identity](identity.md#web-pages)",
    ),
    ErrorCode(
        code="admin_required",
        status=403,
        type=_FORBIDDEN,
        message="Only an admin may {what}.",
        what="deleted things, hard deletes and recoveries are for admins",
        way_out="ask one",
    ),
    ErrorCode(
        code="model_not_found",
        status=404,
        type=_INVALID,
        message="The model '{model}' does not exist. There are: {models}.",
        param="model",
        what="no backend serves that model",
        way_out="`GET /v1/models`",
    ),
    ErrorCode(
        code="response_not_found",
        status=404,
        type=_NOT_FOUND,
        message="Response with ID '{response_id}' not found.",
        what="no such response, or another user's",
    ),
    ErrorCode(
        code="previous_response_not_found",
        status=404,
        type=_NOT_FOUND,
        message="Previous response with id '{response_id}' not found. It may have been deleted, "
        "created with `store: false`, or belong to another user.",
        param="previous_response_id",
        what="no response of that id can be continued, or it is another user's; also one with "
        "`store: false`",
        way_out="start a new chain",
    ),
    ErrorCode(
        code="conversation_not_found",
        status=404,
        type=_NOT_FOUND,
        message="Conversation with ID '{conversation_id}' not found.",
        what="no such conversation, or another user's",
    ),
    ErrorCode(
        code="item_not_found",
        status=404,
        type=_NOT_FOUND,
        message="Item with id '{item_id}' not found in this conversation.",
        what="no such item in the conversation, or none that an `item_reference` may name",
        way_out="send the item itself",
    ),
    ErrorCode(
        code="prompt_not_found",
        status=404,
        type=_NOT_FOUND,
        what="no such prompt template, or no such version of it",
        way_out="see the operator's file of templates",
    ),
    ErrorCode(code="unknown_url", status=404, type=_INVALID, what="no such route"),
    ErrorCode(code="http_error", status=405, type=_INVALID, what="no such method"),
    ErrorCode(
        code="conversation_locked",
        status=409,
        type=_INVALID,
        message="Another response is being created in conversation '{conversation_id}'. Wait for "
        "its end, then try again.",
        param="conversation",
        what="another response is being made in the conversation",
        way_out="wait for its end",
        retryable=True,
    ),
    ErrorCode(
        code="approval_not_found",
        status=404,
        type=_INVALID,
        message="No request for approval with id '{approval_id}' found.",
        what="no such request for approval, or none that the caller may see",
        way_out="list what waits: `GET /v1/approvals`",
    ),
    ErrorCode(
        code="approval_decided",
        status=409,
        type=_INVALID,
        message="The request for approval '{approval_id}' was decided before, in another way. Fork "
        "the response that asked to decide otherwise.",
        what="the request for approval was decided before, in another way",
        way_out="read the response that followed, or fork the one that asked",
    ),
    ErrorCode(
        code="idempotency_key_reused",
        status=409,
        type=_INVALID,
        message="This Idempotency-Key was used with another body. Use a new key for a new request.",
        what="the `Idempotency-Key` was used with another body",
        way_out="use a new key",
    ),
    ErrorCode(
        code="idempotency_key_spent",
        status=409,
        type=_INVALID,
        message="The response to this Idempotency-Key was not stored, or is no longer kept. Use a "
        "new key to ask again.",
        what="the response to the `Idempotency-Key` was not stored, or was deleted",
        way_out="use a new key",
    ),
    ErrorCode(
        code="request_timeout",
        status=408,
        type=_INVALID,
        message="Nothing more of the request body came for {seconds:g} seconds.",
        what="the client stopped in the middle of its body",
        way_out="send it again, without pauses",
        retryable=True,
    ),
    ErrorCode(
        code="request_too_large",
        status=413,
        type=_INVALID,
        message="The request body is larger than {limit} bytes. Send less, or have the operator "
        "raise {setting}.",
        what="the body is over the limit, or the backend says so",
        way_out="raise `TURNWIRE_MAX_BODY_BYTES` and the broker's `max_payload`",
    ),
    ErrorCode(
        code="unsupported_content_encoding",
        status=415,
        type=_INVALID,
        message="Content-Encoding '{coding}' is not supported. Send the body as it is, or with one "
        "of: {known}.",
        param="content-encoding",
        what="the body has a `Content-Encoding` that is unknown here; `Accept-Encoding` of the "
        "answer lists the known ones",
        way_out="send it as it is",
    ),
    ErrorCode(
        code="request_header_fields_too_large",
        status=431,
        type=_INVALID,
        what="the headers are larger than 1 MiB",
        way_out="send fewer",
    ),
    ErrorCode(
        code="response_in_progress",
        status=425,
        type="too_early_error",
        message="Response '{response_id}' is still in progress. Wait for its end, or cancel it if "
        "it runs in the background.",
        what="the response still runs",
        way_out="wait for its end",
        retryable=True,
    ),
    ErrorCode(
        code="rate_limit_exceeded",
        status=429,
        type=_TOO_MANY,
        what="a limit of the tenant or of the API key is reached, or the backend says so",
        way_out="wait as long as `Retry-After` says; raise the limit ([limits.md](limits.md))",
        retryable=True,
    ),
    ErrorCode(
        code="websocket_connection_limit_reached",
        status=400,
        type=_INVALID,
        message="A WebSocket lives for {minutes:g} minutes. Connect again to go on: stored "
        "responses can be continued there.",
        instead="on a WebSocket",
        what="the connection is an hour old",
        way_out="connect again",
        retryable=True,
    ),
    ErrorCode(
        code="websocket_queue_full",
        status=429,
        type=_TOO_MANY,
        message="{most} creates wait on this connection. Wait for an end of one.",
        instead="on a WebSocket",
        what="too many creates wait on the connection",
        way_out="wait for an end",
        retryable=True,
    ),
    ErrorCode(
        code="websocket_too_many_lanes",
        status=429,
        type=_TOO_MANY,
        message="{most} values of stream_id are in use already.",
        instead="on a WebSocket",
        what="too many values of `stream_id` are in use",
        way_out="wait for an end",
        retryable=True,
    ),
)
