"""All shapes as `#/components/schemas`: answers and events from types, bodies from models."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import schema_components

from turnwire_contracts.json_values import JSON
from turnwire_gateway.openapi.schemas.answers import ANSWERS
from turnwire_gateway.openapi.schemas.bodies import body_schemas
from turnwire_gateway.openapi.schemas.events import STREAM_EVENTS
from turnwire_gateway.openapi.schemas.input_items import INPUT_ITEMS
from turnwire_gateway.openapi.schemas.items import OUTPUT_ITEMS

TEMPLATE = "#/components/schemas/{name}"


def ref(name: str) -> JSON:
    """Refer to a schema."""
    return {"$ref": TEMPLATE.format(name=name)}


def schemas() -> JSON:
    """Give every schema by its name."""
    shapes = [*ANSWERS, *STREAM_EVENTS, *OUTPUT_ITEMS, *INPUT_ITEMS]
    _, components = schema_components(shapes, ref_template=TEMPLATE)
    return {
        **components,
        **body_schemas(TEMPLATE.replace("{name}", "{model}")),
        "StreamEvent": _event(),
        "OutputItem": _any_of(
            OUTPUT_ITEMS, "What a model says; an item of a tool that the backend runs comes whole."
        ),
        "InputItem": _any_of(
            INPUT_ITEMS, "What the model is told; items of unknown types reach the backend whole."
        ),
        "StoredItem": _stored_item(),
    }


def _event() -> JSON:
    kinds = {_tag(event): TEMPLATE.format(name=event.__name__) for event in STREAM_EVENTS}
    return {
        "title": "StreamEvent",
        "description": "The `data` of one server-sent event; its `event` is the same as its type.",
        "oneOf": [ref(event.__name__) for event in STREAM_EVENTS],
        "discriminator": {"propertyName": "type", "mapping": kinds},
    }


def _any_of(known: Sequence[type[Struct]], description: str) -> JSON:
    kinds = sorted({kind for shape in known for kind in _kinds(shape)})
    other = {
        "title": "OtherItem",
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"type": "string", "not": {"enum": kinds}}},
    }
    return {"description": description, "anyOf": [*(ref(s.__name__) for s in known), other]}


def _stored_item() -> JSON:
    return {
        "title": "StoredItem",
        "description": "An item as it was sent or said, with its id.",
        "type": "object",
        "required": ["id", "type"],
        "properties": {
            "id": {"type": "string"},
            "type": {"type": "string"},
            "role": {"type": "string"},
            "content": {"type": ["string", "array"], "items": ref("ContentPart")},
            "status": {"type": "string"},
        },
    }


def _kinds(shape: type[Struct]) -> list[str]:
    if shape.__struct_config__.tag is not None:
        return [_tag(shape)]
    _, components = schema_components([shape], ref_template=TEMPLATE)
    said: JSON = components[shape.__name__]["properties"]["type"]
    choices: list[JSON] = said.get("anyOf", [said])
    return [kind for choice in choices for kind in choice.get("enum", [])]


def _tag(shape: type[Struct]) -> str:
    return str(shape.__struct_config__.tag)
