"""The bodies of requests: what the gateway's own models take, said as JSON Schema."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from turnwire_contracts.json_values import JSON, objects
from turnwire_gateway.openapi.coverage.other_requests import (
    CHECK,
    COMPACT,
    CONVERSATION_CREATE,
    CONVERSATION_UPDATE,
    INPUT_TOKENS,
    ITEMS_CREATE,
)
from turnwire_gateway.openapi.coverage.request_fields import CREATE, EXTENSIONS
from turnwire_gateway.openapi.coverage.verdict import Covered
from turnwire_gateway.requests.create_request import CreateRequest
from turnwire_gateway.requests.other_requests import (
    CheckRequest,
    CompactRequest,
    ConversationCreate,
    ConversationUpdate,
    ItemsCreate,
)

_BODIES: dict[type[BaseModel], tuple[Covered, ...]] = {
    CreateRequest: (*CREATE, *EXTENSIONS),
    CheckRequest: CHECK,
    CompactRequest: COMPACT,
    ConversationCreate: CONVERSATION_CREATE,
    ConversationUpdate: CONVERSATION_UPDATE,
    ItemsCreate: ITEMS_CREATE,
}
"""Each model, and what is said of its fields; fields that a model does not know are added."""

_NAMED: JSON = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"type": "string", "minLength": 1}},
}
_NAME: JSON = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
_OF_CLIENT: JSON = {
    "anyOf": [{"required": [each]} for each in ("name", "function", "custom")],
    "properties": {
        "name": _NAME,
        "description": {"type": ["string", "null"]},
        "parameters": {"type": ["object", "null"]},
        "strict": {"type": ["boolean", "null"]},
        "format": {"type": ["object", "null"]},
        "function": {"description": "What chat completions nest."},
        "custom": {"description": "What chat completions nest."},
    },
}
_IF_OF_CLIENT: JSON = {
    "if": {"properties": {"type": {"enum": ["function", "custom"]}}},
    "then": _OF_CLIENT,
}
_IF_NAMESPACE: JSON = {
    "if": {"properties": {"type": {"const": "namespace"}}},
    "then": {
        "properties": {
            "name": {"type": ["string", "null"], "minLength": 1},
            "description": {"type": ["string", "null"]},
            "tools": {"type": ["array", "null"], "items": {**_NAMED, **_IF_OF_CLIENT}},
        },
    },
}
_TOOL: JSON = {
    **_NAMED,
    "allOf": [_IF_OF_CLIENT, _IF_NAMESPACE],
    "if": {"properties": {"type": {"const": "mcp"}}},
    "then": {
        "required": ["server_label"],
        "properties": {
            "server_label": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
            "server_url": {"type": ["string", "null"], "maxLength": 2048},
            "server_description": {"type": ["string", "null"]},
            "authorization": {"type": ["string", "null"], "writeOnly": True},
            "headers": {
                "type": ["object", "null"],
                "additionalProperties": {"type": "string"},
                "writeOnly": True,
            },
            "allowed_tools": {"type": ["array", "object", "null"]},
            "require_approval": {"type": ["string", "object", "null"]},
        },
    },
}
_NULL: JSON = {"type": "null"}
_ITEM: JSON = {"$ref": "#/components/schemas/InputItem"}
_ITEMS: JSON = {"type": "array", "minItems": 1, "items": _ITEM}
_INPUT: JSON = {
    "anyOf": [{"type": "string", "minLength": 1}, _ITEMS, _NULL],
    "examples": ["What is an event log good for?"],
}

_CHECKED_IN_CODE: JSON = {
    "model": {"examples": ["smollm2"]},
    "input": _INPUT,
    "tools": {"anyOf": [{"type": "array", "items": _TOOL}, _NULL]},
    "tool_choice": {"anyOf": [{"enum": ["none", "auto", "required"]}, _NAMED, _NULL]},
}
"""Properties of which a model cannot say everything: validators are functions."""


def _either(*names: str) -> JSON:
    return {"anyOf": [{"required": [name]} for name in names]}


_CONDITIONS: dict[str, JSON] = {
    "CreateRequest": _either("input", "previous_response_id", "conversation", "prompt"),
    "InputTokensRequest": _either("input", "previous_response_id", "conversation"),
    "CheckRequest": _either("input"),
    "CompactRequest": _either("input", "previous_response_id"),
}
"""Fields of which one must be there."""


def body_schemas(template: str) -> JSON:
    """Give the schema of every body."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (model, "validation") for model in _BODIES
    ]
    _, found = models_json_schema(wanted, ref_template=template)
    schemas: dict[str, Any] = found["$defs"]
    for model, fields in _BODIES.items():
        _sharpen(schemas[model.__name__], fields)
    counted = {each.name for each in INPUT_TOKENS}
    schemas["InputTokensRequest"] = _part_of(schemas["CreateRequest"], counted)
    for name, condition in _CONDITIONS.items():
        schemas[name] |= condition
    return schemas


def _sharpen(schema: JSON, fields: tuple[Covered, ...]) -> None:
    properties: dict[str, JSON] = schema["properties"]
    for name, said in properties.items():
        said.pop("title", None)
        said.pop("default", None)
        said.update(_CHECKED_IN_CODE.get(name, {}))
        for choice in (said, *objects(said.get("anyOf"))):
            if name == "items" and choice.get("type") == "array":
                choice["items"] = _ITEM
    for field in fields:
        properties.setdefault(field.name, {})["description"] = _sentence(field)


def _part_of(schema: JSON, names: set[str]) -> JSON:
    kept = {name: said for name, said in schema["properties"].items() if name in names}
    return {
        "title": "InputTokensRequest",
        "description": "Those fields of `CreateRequest` that may count.",
        "type": "object",
        "properties": kept,
    }


def _sentence(field: Covered) -> str:
    how = field.how[:1].upper() + field.how[1:]
    return f"{how} ({field.verdict.value})."
