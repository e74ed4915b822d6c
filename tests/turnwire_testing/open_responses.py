"""Checks objects against the JSON Schema of Open Responses (release 2026-04-24).

Its schemas know fewer kinds of item, tool and event than OpenAI's API, which we are a superset of.
What it does not know is left out before the check; what it knows must be right.
"""

from functools import cache
from pathlib import Path
from typing import Any

import orjson
from jsonschema_rs import Draft202012Validator, Registry

from turnwire_contracts.json_values import JSON, mapping, objects

_FILE = Path(__file__).parent.parent / "schemas" / "open-responses.openapi.json"
_URI = "urn:open-responses"
_ITEMS = {"message", "function_call", "function_call_output", "reasoning", "compaction"}
_PARTS = {"output_text", "refusal", "reasoning_text", "summary_text"}

_ONLY_OPENAI = (
    "response.reasoning_text.",  # response.reasoning.* there; all clients listen to OpenAI's names
    "response.custom_tool_call_input.",
    "response.mcp_",
)
# OpenAI's `error` is flat, Open Responses' is nested: on HTTP ours is OpenAI's; WebSockets have one
# of their own (`problems_of_socket_error`).
_OTHER_SHAPE = {"error"}


def problems_of_response(response: JSON) -> list[str]:
    """Say what is wrong with a response object; nothing when it is valid."""
    return _problems("ResponseResource", _known_response(response))


def problems_of_compaction(compaction: JSON) -> list[str]:
    """Say what is wrong with the answer of `/responses/compact`; nothing when it is valid."""
    return _problems("CompactResource", compaction)


def problems_of_socket_error(message: JSON) -> list[str]:
    """Say what is wrong with an error on a WebSocket; nothing when it is valid."""
    return _problems("WebSocketErrorEvent", message)


def problems_of_event(event: JSON) -> list[str]:
    """Say what is wrong with a stream event; nothing when it is valid."""
    kind = str(event.get("type"))
    if kind in _OTHER_SHAPE or kind.startswith(_ONLY_OPENAI):
        return []
    name = _event_schemas().get(kind)
    if name is None:
        return [f"no event of this type: {kind}"]
    if "item" in event and mapping(event["item"]).get("type") not in _ITEMS:
        return []
    if "part" in event and mapping(event["part"]).get("type") not in _PARTS:
        return [f"no part of this type: {event['part']}"]
    if "response" in event:
        event = {**event, "response": _known_response(event["response"])}
    return _problems(name, event)


def _known_response(response: JSON) -> JSON:
    choice = response.get("tool_choice")
    chosen = [mapping(choice), *objects(mapping(choice).get("tools"))]
    known = (None, "function", "allowed_tools")
    foreign_choice = any(each.get("type") not in known for each in chosen)
    return {
        **response,
        "output": [item for item in response.get("output", []) if item.get("type") in _ITEMS],
        "tools": [tool for tool in objects(response.get("tools")) if tool["type"] == "function"],
        "tool_choice": "auto" if foreign_choice else choice,
    }


def _problems(name: str, value: JSON) -> list[str]:
    found = _validator(name).iter_errors(value)
    return [
        f"{'.'.join(map(str, (name, *error.instance_path)))}: {error.message}" for error in found
    ]


@cache
def _document() -> dict[str, Any]:
    return orjson.loads(_FILE.read_bytes())


@cache
def _validator(name: str) -> Draft202012Validator:
    # It is asked about every event that a test sees: written in Python, it took most of their time.
    registry = Registry([(_URI, _document())])
    return Draft202012Validator({"$ref": f"{_URI}#/components/schemas/{name}"}, registry=registry)


@cache
def _event_schemas() -> dict[str, str]:
    schemas: dict[str, JSON] = _document()["components"]["schemas"]
    return {
        schema["properties"]["type"]["enum"][0]: name
        for name, schema in schemas.items()
        if name.endswith("StreamingEvent")
    }
