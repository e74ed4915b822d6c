"""From the fields of a request to the event that starts a turn, or to an error naming the field."""

from typing import Any, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from turnwire_chassis.retention import KEEPS_ALL, Retention
from turnwire_chassis.tool_servers.registry import Registry
from turnwire_chassis.tool_servers.secret_envelope import Purpose, Sealer
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import Item, Requested
from turnwire_contracts.ids import (
    ConversationId,
    ResponseId,
    is_conversation_id,
    is_response_id,
)
from turnwire_contracts.json_values import JSON
from turnwire_contracts.request_fields import NOT_PARAMS
from turnwire_contracts.wire.refusals import previous_not_found
from turnwire_gateway.admission.admission import Origin
from turnwire_gateway.api.requests.chat_messages import ItemError
from turnwire_gateway.api.requests.create_request import CreateRequest
from turnwire_gateway.api.requests.fields import refuse_other_apis, shaped
from turnwire_gateway.api.requests.input_items import normalised_items
from turnwire_gateway.api.requests.mcp_tools import NO_TOOLS, DeclaredTools, check_choice, declared
from turnwire_gateway.api.requests.prompts import Prompts, render
from turnwire_gateway.api.requests.webhooks import subscription_of
from turnwire_gateway.errors import (
    ApiError,
    conversation_not_found,
    invalid,
    not_supported,
)

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

_NO_OBJECT = ("dict_type", "model_type")
"""Errors of which pydantic speaks in Python's words."""

ModelT = TypeVar("ModelT", bound=BaseModel)


class SecretSealing(Struct, frozen=True):
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
    sealing: SecretSealing | None = None
    """Without it, requests cannot bring secrets of MCP servers."""
    retention: Retention = KEEPS_ALL
    """How long what was asked is kept."""

    @property
    def sealer(self) -> Sealer | None:
        """What seals secrets; `None` without a key."""
        return None if self.sealing is None else self.sealing.sealer


def requested(fields: JSON, origin: Origin, rules: Rules) -> Requested:
    """Read the fields of `POST /v1/responses`.

    Raises `ApiError`: 400, or 404 for what is named and cannot exist.
    """
    given = read(CreateRequest, fields)
    _refuse_contradictions(given)
    items = items_of(given.input, "input", needed=_needs_input(given))
    shapes = shaped(given, items)
    tools = _declared(shapes, rules.servers)
    params = fields | shapes | ({"tools": tools.tools} if shapes["tools"] else {})
    request = Requested(
        v=VERSIONS[Requested],
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
    request = _with_webhook(given, request, origin, rules)
    return replace(request, seals=_sealed(tools, request, rules.sealing))


def _declared(shapes: JSON, servers: Registry) -> DeclaredTools:
    tools = declared(shapes["tools"], servers) if shapes["tools"] else NO_TOOLS
    if shapes["tool_choice"] is not None:
        check_choice(shapes["tool_choice"], tools.tools)
    return tools


def _with_webhook(
    given: CreateRequest, request: Requested, origin: Origin, rules: Rules
) -> Requested:
    if given.webhook is None and origin.webhook is None:
        return request
    webhook = subscription_of(given.webhook, request, origin, rules.sealer)
    return replace(request, webhook=webhook)


def _needs_input(given: CreateRequest) -> bool:
    earlier = (given.previous_response_id, given.conversation, given.prompt)
    return earlier == (None, None, None)


def _kept(params: JSON) -> JSON:
    return {
        name: value
        for name, value in params.items()
        if value is not None and name not in NOT_PARAMS
    }


def read(model: type[ModelT], fields: JSON) -> ModelT:
    """Read the fields of a body as `model`; raises `ApiError` (400) naming the field."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _wrong_value(error) from error


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
    obfuscation = given.stream_options.include_obfuscation if given.stream_options else None
    return obfuscation is not False and bool(given.stream or given.background)


def _refuse_contradictions(given: CreateRequest) -> None:
    refuse_other_apis(given.model_extra or {})
    if given.background and given.store is False:
        raise not_supported(
            "background",
            "A background response must be stored, or it could never be fetched: leave out "
            "`store: false`.",
        )
    if given.conversation is not None and given.previous_response_id is not None:
        raise invalid(
            "`conversation` and `previous_response_id` exclude each other: both say what came "
            "before. Send one of them.",
            "conversation",
            "mutually_exclusive_parameters",
        )


def _sealed(
    tools: DeclaredTools, request: Requested, sealing: SecretSealing | None
) -> dict[str, str]:
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
    reason = "Input should be an object" if detail["type"] in _NO_OBJECT else detail["msg"]
    return invalid(f"Invalid value for '{place}': {reason} (got {given}).", place)


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
