"""From the fields of a request to the event that starts a turn, or to an error naming the field."""

from typing import Any, TypeVar, cast

import orjson
from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from turnwire_chassis.keeping.retention import KEEPS_ALL, Retention
from turnwire_chassis.tool_servers.registry import Registry
from turnwire_chassis.tool_servers.sealing import Purpose, Sealer
from turnwire_contracts.events import VERSIONS, Item, Requested
from turnwire_contracts.ids import (
    ConversationId,
    OwnerId,
    ResponseId,
    TenantId,
    is_conversation_id,
    is_response_id,
)
from turnwire_contracts.json_repair import repaired_json
from turnwire_contracts.json_values import JSON, mapping
from turnwire_contracts.wire.refusals import previous_not_found
from turnwire_gateway.answers.errors import (
    ApiError,
    conversation_not_found,
    invalid,
    not_supported,
)
from turnwire_gateway.requests.create_request import CreateRequest
from turnwire_gateway.requests.input_items import normalised_items
from turnwire_gateway.requests.mcp_tools import Declared, check_choice, declared
from turnwire_gateway.requests.nesting import MOST_LEVELS, is_too_deep
from turnwire_gateway.requests.prompts import Prompts, render
from turnwire_gateway.requests.shapes.fields import OLDER, shaped
from turnwire_gateway.requests.shapes.messages import ItemError

_OURS = {
    "model", "input", "instructions", "previous_response_id", "store", "stream", "background",
    "conversation", "stream_options",
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
_NO_PLACES = {"str", "dict", "list", "constrained", "function-after"}

ModelT = TypeVar("ModelT", bound=BaseModel)


class Origin(Struct, frozen=True):
    """Where a request comes from and when: what the event says beside the body."""

    tenant: TenantId
    owner: OwnerId
    request_id: str
    response_id: ResponseId
    at: int
    application: str | None = None
    """Whose policy the guard judges by."""
    fingerprint: str | None = None
    """What the body must match when the same `Idempotency-Key` comes again."""


class Sealing(Struct, frozen=True):
    """How secrets travel with a turn, and for how long."""

    sealer: Sealer
    turn_ms: int
    background_ms: int


class Rules(Struct, frozen=True):
    """What the operator decided about requests."""

    screen: bool
    """The guard must pass every input."""
    prompts: Prompts
    servers: Registry = {}
    """The MCP servers that requests may name by their label alone."""
    sealing: Sealing | None = None
    """Without it, requests cannot bring secrets of MCP servers."""
    retention: Retention = KEEPS_ALL
    """How long what was asked is kept."""


def requested(fields: JSON, origin: Origin, rules: Rules) -> Requested:
    """Read the fields of `POST /v1/responses`.

    Raises `ApiError`: 400, or 404 for what is named and cannot exist.
    """
    given = read(CreateRequest, fields)
    _refuse_contradictions(given)
    items = items_of(given.input, "input", needed=_needs_input(given))
    told = shaped(given, items)
    tools = declared(told["tools"] or [], rules.servers)
    check_choice(told["tool_choice"], tools.tools)
    params = fields | told | ({"tools": tools.tools} if told["tools"] else {})
    request = Requested(
        v=VERSIONS["requested"],
        tenant=origin.tenant,
        response_id=origin.response_id,
        at=origin.at,
        cause=origin.request_id,
        owner=origin.owner,
        model=given.model or "",
        input=items,
        instructions=given.instructions,
        previous_response_id=previous_of(given.previous_response_id),
        params=_kept(params),
        stream=bool(given.stream),
        store=given.store is not False,
        screen=rules.screen,
        application=origin.application,
        background=bool(given.background),
        conversation=_conversation(given),
        obfuscate=_obfuscate(given),
        fingerprint=origin.fingerprint,
    )
    if given.prompt is not None:
        rendered = render(rules.prompts, given.prompt)
        model = request.model or rendered.model or ""
        request = replace(request, instructions=rendered.instructions, model=model)
    if not request.model:
        raise missing("model")
    return replace(request, seals=_sealed(tools, request, rules.sealing))


def _needs_input(given: CreateRequest) -> bool:
    before = (given.previous_response_id, given.conversation, given.prompt)
    return before == (None, None, None)


def _kept(params: JSON) -> JSON:
    gone = _OURS | OLDER
    return {name: told for name, told in params.items() if told is not None and name not in gone}


def read(model: type[ModelT], fields: JSON) -> ModelT:
    """Read the fields of a body as `model`; raises `ApiError` (400) naming the field."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _wrong_value(error) from error


def read_object(body: bytes, most_levels: int = MOST_LEVELS) -> JSON:
    """Read a JSON object; raises `ApiError` (400) for anything else."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        fields, body = _repaired(body)
    if not isinstance(fields, dict):
        raise invalid("The body must be a JSON object.", None, "invalid_json")
    if is_too_deep(body, fields, most_levels):
        raise invalid(
            f"The body is nested more than {most_levels} levels deep. Send it flatter"
            + (
                "."
                if most_levels == MOST_LEVELS
                else ", or have the operator raise `max_depth` in TURNWIRE_LIMITS."
            ),
            None,
            "invalid_json",
        )
    return mapping(fields)


def _repaired(body: bytes) -> tuple[Any, bytes]:
    """Read JSON in which text is not Unicode: a bad character costs itself, not the request."""
    try:
        repaired = repaired_json(body)
        return orjson.loads(repaired), repaired
    except orjson.JSONDecodeError as error:
        raise invalid(f"The body is not valid JSON: {error}.", None, "invalid_json") from error


def items_of(given: str | list[Any] | None, name: str, *, needed: bool = True) -> list[Item]:
    """Read the items in the field `name`; raises `ApiError` (400)."""
    if given is None and needed:
        raise missing(name)
    try:
        return normalised_items(given, needed=needed)
    except ItemError as error:
        raise invalid(f"{name}{error.place} {error}.", f"{name}{error.place}") from error


def previous_of(given: str | None) -> ResponseId | None:
    """Read the id of a previous response; raises `ApiError` (404) for what can be none."""
    if given is None:
        return None
    if not is_response_id(given):
        raise ApiError(previous_not_found(given))
    return ResponseId(given)


def missing(name: str) -> ApiError:
    """Say that a field must be there (HTTP 400)."""
    return invalid(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")


def _conversation(given: CreateRequest) -> ConversationId | None:
    if given.conversation is None:
        return None
    named = given.conversation.id
    if not is_conversation_id(named):
        raise conversation_not_found(named, "conversation")
    return ConversationId(named)


def _obfuscate(given: CreateRequest) -> bool:
    """OpenAI: streams are padded unless `stream_options.include_obfuscation` is false."""
    wanted = given.stream_options.include_obfuscation if given.stream_options else None
    return wanted is not False and bool(given.stream or given.background)


def _refuse_contradictions(given: CreateRequest) -> None:
    if given.background and given.store is False:
        raise not_supported(
            "background",
            "A background response must be stored, or nobody could fetch it: leave out "
            "`store: false`.",
        )
    if given.conversation is not None and given.previous_response_id is not None:
        raise invalid(
            "`conversation` and `previous_response_id` exclude each other: both say what came "
            "before. Send one of them.",
            "conversation",
            "mutually_exclusive_parameters",
        )


def _sealed(tools: Declared, request: Requested, sealing: Sealing | None) -> dict[str, str]:
    """Seal what only MCP servers may see, for as long as the turn may need it."""
    if not tools.secrets:
        return {}
    if sealing is None:
        raise not_supported(
            "tools",
            "`authorization` and `headers` of MCP servers need a key to seal them with: the "
            "operator has not set TURNWIRE_SEAL_KEY.",
        )
    until = request.at + (sealing.background_ms if request.background else sealing.turn_ms)
    return {
        server.label: sealing.sealer.seal(
            secret, Purpose.of(request.tenant, request.response_id, server), until
        )
        for server, secret in tools.secrets.items()
    }


def _wrong_value(error: ValidationError) -> ApiError:
    detail = error.errors(include_url=False)[0]
    place = _path(detail["loc"])
    if detail["type"] == "missing":
        return missing(place)
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
        elif step.isidentifier() and step not in _NO_PLACES:
            path += f".{step}"
    return path


def _quote(value: Any) -> str:
    kind = cast("type[Any]", type(value))
    name = _TYPE_NAMES.get(kind, kind.__name__)
    if kind in (dict, list, type(None)):
        return name
    return f"{name}: {str(value)[:_LONGEST_QUOTE]!r}"
