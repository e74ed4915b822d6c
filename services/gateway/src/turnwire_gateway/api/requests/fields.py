"""The fields of a request whose shape matters, as they are kept: flat, and by their newer names.

A field of chat completions says what its successor does not: `max_tokens`, `max_completion_tokens`,
`response_format`, `reasoning_effort`, `verbosity`, `logprobs`, and, older still, `functions`,
`function_call`.
"""

from collections.abc import Sequence
from typing import Any, Final

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping
from turnwire_contracts.request_fields import REFUSED
from turnwire_gateway.api.requests.create_request import CreateRequest
from turnwire_gateway.api.requests.functions import flat_tools
from turnwire_gateway.api.requests.shapes import check_kinds, flattened, wrong
from turnwire_gateway.api.requests.tool_choice import flat_choice
from turnwire_gateway.errors import not_supported

_LOGPROBS: Final = "message.output_text.logprobs"
_FORMATS: Final = ("text", "json_object", "json_schema")
_LONGEST_NAME: Final = 64
_OF_SCHEMA: Final = (("strict", bool, "a boolean"), ("description", str, "a text"))


def shaped(given: CreateRequest, items: Sequence[Item]) -> JSON:
    """Give those fields as they are kept; `None` is not set. Raises `ApiError` (400)."""
    tools = _tools(given)
    return {
        "tools": tools or given.tools,
        "tool_choice": _choice(given, tools, items),
        "text": _text(given),
        "reasoning": _reasoning(given),
        "include": _include(given),
        "max_output_tokens": next((limit for limit in _limits(given) if limit is not None), None),
    }


def refuse_other_apis(fields: JSON) -> None:
    """Refuse fields by which other APIs ask for what is said otherwise here, or is not done.

    Without them the answer would be one to another question. Raises `ApiError` (400).
    """
    for field in REFUSED:
        if field.name in fields and fields[field.name] not in field.harmless:
            message = f"Unsupported parameter: '{field.name}'. {field.about}."
            raise not_supported(field.name, message)


def _limits(given: CreateRequest) -> tuple[int | None, ...]:
    older = given.max_tokens if (given.max_tokens or 0) > 0 else None
    return given.max_output_tokens, given.max_completion_tokens, older


def _tools(given: CreateRequest) -> list[JSON]:
    if given.tools is not None:
        return flat_tools(given.tools)
    if given.functions is None:
        return []
    tools = [{**function, "type": "function"} for function in given.functions]
    return flat_tools(tools, "functions")


def _choice(given: CreateRequest, tools: list[JSON], items: Sequence[Item]) -> Any:
    choice, place = given.tool_choice, "tool_choice"
    if choice is None:
        choice, place = given.function_call, "function_call"
    if choice is None:
        return None
    if place == "function_call" and isinstance(choice, dict):
        choice = {**choice, "type": "function"}
    return flat_choice(choice, tools, items, place)


def _text(given: CreateRequest) -> JSON | None:
    text = None if given.text is None else _flat_text(given.text)
    older: JSON = {}
    if given.response_format is not None:
        older["format"] = _flat_format(given.response_format, "response_format")
    if given.verbosity is not None:
        older["verbosity"] = given.verbosity
    return {**older, **(text or {})} if older else text


def _include(given: CreateRequest) -> list[str] | None:
    if not given.logprobs or _LOGPROBS in (given.include or ()):
        return given.include
    return [*(given.include or ()), _LOGPROBS]


def _reasoning(given: CreateRequest) -> JSON | None:
    if given.reasoning is None and given.reasoning_effort is None:
        return None
    reasoning = {
        name: value for name, value in (given.reasoning or {}).items() if value is not None
    }
    check_kinds(reasoning, (("effort", str, "a text"), ("summary", str, "a text")), "reasoning")
    if given.reasoning_effort is None:
        return given.reasoning
    return {"effort": given.reasoning_effort, **reasoning}


def _flat_format(given: Any, place: str) -> JSON:
    """Read `text.format`, or `response_format` of chat completions, at `place`.

    OpenAI: `ResponseFormatTextConfig`; chat completions nest what is said of a schema. Raises
    `ApiError` (400) naming the place.
    """
    if not isinstance(given, dict):
        raise wrong(place, "must be an object with a `type`")
    text_format = mapping(given)
    kind = text_format.get("type")
    if kind not in _FORMATS:
        raise wrong(f"{place}.type", f"must be one of {', '.join(_FORMATS)}")
    if kind != "json_schema":
        return text_format
    flat, members = flattened(text_format, "json_schema", place)
    name = flat.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise wrong(f"{members}.name", f"must be a text of 1 to {_LONGEST_NAME} characters")
    if not isinstance(flat.get("schema"), dict):
        raise wrong(f"{members}.schema", "must be an object, a JSON Schema")
    check_kinds(flat, _OF_SCHEMA, members)
    return flat


def _flat_text(given: JSON) -> JSON:
    """Read `text`. Raises `ApiError` (400) naming the place."""
    text = {name: value for name, value in given.items() if value is not None}
    check_kinds(text, (("verbosity", str, "a text"),), "text")
    if "format" not in text:
        return text
    return {**text, "format": _flat_format(text["format"], "text.format")}
