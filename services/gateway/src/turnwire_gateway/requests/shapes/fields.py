"""The fields of a request whose shape matters, as they are kept: flat, and by their newer names.

A field of chat completions says what its successor does not: `max_tokens`, `max_completion_tokens`,
`response_format`, `reasoning_effort`, `verbosity`, and, older still, `functions`, `function_call`.
"""

from collections.abc import Sequence
from typing import Any, Final

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_gateway.requests.create_request import CreateRequest
from turnwire_gateway.requests.shapes.functions import flat_tools
from turnwire_gateway.requests.shapes.text_format import flat_format, flat_text
from turnwire_gateway.requests.shapes.tool_choice import flat_choice

OLDER: Final = frozenset(
    {
        "max_tokens", "max_completion_tokens", "response_format", "reasoning_effort", "verbosity",
        "functions", "function_call",
    }
)  # fmt: skip
"""Fields that are kept by the names of their successors."""


def shaped(given: CreateRequest, items: Sequence[Item]) -> JSON:
    """Give those fields as they are kept; `None` is not set. Raises `ApiError` (400)."""
    tools = _tools(given)
    return {
        "tools": tools or given.tools,
        "tool_choice": _choice(given, tools, items),
        "text": _text(given),
        "reasoning": _reasoning(given),
        "max_output_tokens": next((limit for limit in _limits(given) if limit is not None), None),
    }


def _limits(given: CreateRequest) -> tuple[int | None, ...]:
    older = given.max_tokens if (given.max_tokens or 0) > 0 else None
    return given.max_output_tokens, given.max_completion_tokens, older


def _tools(given: CreateRequest) -> list[JSON]:
    if given.tools is not None or given.functions is None:
        return flat_tools(given.tools or [])
    tools = [{**function, "type": "function"} for function in given.functions]
    return flat_tools(tools, "functions")


def _choice(given: CreateRequest, tools: list[JSON], items: Sequence[Item]) -> Any:
    choice, place = given.tool_choice, "tool_choice"
    if choice is None:
        choice, place = given.function_call, "function_call"
    if place == "function_call" and isinstance(choice, dict):
        choice = {**choice, "type": "function"}
    return flat_choice(choice, tools, items, place)


def _text(given: CreateRequest) -> JSON | None:
    text = None if given.text is None else flat_text(given.text)
    older: JSON = {}
    if given.response_format is not None:
        older["format"] = flat_format(given.response_format, "response_format")
    if given.verbosity is not None:
        older["verbosity"] = given.verbosity
    return {**older, **(text or {})} if older else text


def _reasoning(given: CreateRequest) -> JSON | None:
    if given.reasoning_effort is None:
        return given.reasoning
    told = {name: value for name, value in (given.reasoning or {}).items() if value is not None}
    return {"effort": given.reasoning_effort, **told}
