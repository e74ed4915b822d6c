"""From the bytes of a request to the event that starts a turn, or to an error naming the field."""

from typing import Any, cast

import orjson
from msgspec import Struct
from pydantic import ValidationError

from turnwire_contracts.events import VERSIONS, Requested
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId, is_response_id
from turnwire_contracts.json_values import JSON, mapping
from turnwire_contracts.wire.refusals import previous_not_found
from turnwire_gateway.answers.errors import ApiError, invalid, not_supported
from turnwire_gateway.requests.create_request import CreateRequest, ItemError, normalised_items

_OURS = {
    "model", "input", "instructions", "previous_response_id", "store", "stream", "background",
    "conversation", "prompt", "stream_options",
}  # fmt: skip
"""Fields that are not kept among `Requested.params`."""

_TYPE_NAMES: dict[type[Any], str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}
_LONGEST_QUOTE = 60


class Origin(Struct, frozen=True):
    """Where a request comes from and when: what the event says beside the body."""

    tenant: TenantId
    owner: OwnerId
    request_id: str
    response_id: ResponseId
    at: int


def requested(body: bytes, origin: Origin, *, screen: bool) -> Requested:
    """Read the body of `POST /v1/responses`.

    Raises `ApiError` (400), or 404 for a `previous_response_id` that cannot exist.
    """
    fields = read_object(body)
    try:
        request = CreateRequest.model_validate(fields)
        items = normalised_items(request.input)
    except ValidationError as error:
        raise _wrong_value(error) from error
    except ItemError as error:
        raise invalid(f"input{error.place} {error}.", f"input{error.place}") from error
    _refuse_unsupported(request)
    return Requested(
        v=VERSIONS["requested"],
        tenant=origin.tenant,
        response_id=origin.response_id,
        at=origin.at,
        cause=origin.request_id,
        owner=origin.owner,
        model=request.model,
        input=items,
        instructions=request.instructions,
        previous_response_id=_previous(request.previous_response_id),
        params={
            name: value for name, value in fields.items() if value is not None and name not in _OURS
        },
        stream=bool(request.stream),
        store=request.store is not False,
        screen=screen,
    )


def read_object(body: bytes) -> JSON:
    """Read a JSON object; raises `ApiError` (400) for anything else."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"The body is not valid JSON: {error}.", None, "invalid_json") from error
    if not isinstance(fields, dict):
        raise invalid("The body must be a JSON object.", None, "invalid_json")
    return mapping(fields)


def _previous(given: str | None) -> ResponseId | None:
    if given is None:
        return None
    if not is_response_id(given):
        raise ApiError(previous_not_found(given))
    return ResponseId(given)


def _refuse_unsupported(request: CreateRequest) -> None:
    if request.background:
        raise not_supported("background", "Background responses are not supported yet.")
    if request.conversation is not None:
        raise not_supported(
            "conversation",
            "Conversations are not supported yet. Use `previous_response_id` to continue.",
        )
    if request.prompt is not None:
        raise not_supported("prompt", "Prompt templates are not supported yet.")
    for index, tool in enumerate(request.tools or []):
        if tool["type"] == "mcp":
            raise not_supported(f"tools[{index}].type", "MCP tools are not supported yet.")


def _wrong_value(error: ValidationError) -> ApiError:
    detail = error.errors(include_url=False)[0]
    place = _path(detail["loc"])
    if detail["type"] == "missing":
        return invalid(
            f"Missing required parameter: '{place}'.", place, "missing_required_parameter"
        )
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, ItemError):
        return invalid(f"{place}{cause.place} {cause}.", f"{place}{cause.place}")
    given = _quote(detail["input"])
    return invalid(f"Invalid value for '{place}': {detail['msg']} (got {given}).", place)


def _path(loc: tuple[int | str, ...]) -> str:
    """Write pydantic's place as OpenAI writes `param`; names of union members are no places."""
    path = ""
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not path:
            path = step
        elif step.isidentifier() and step not in {"str", "dict", "list", "constrained"}:
            path += f".{step}"
    return path


def _quote(value: Any) -> str:
    kind = cast("type[Any]", type(value))
    name = _TYPE_NAMES.get(kind, kind.__name__)
    if kind in (dict, list, type(None)):
        return name
    return f"{name}: {str(value)[:_LONGEST_QUOTE]!r}"
