"""Tools and the choice among them, for backends that know function tools only.

A custom tool takes a text and not JSON. Such a backend gets it as a function with one parameter,
`input`; what the model then calls is told as the custom call that it stands for.
"""

from typing import Any, Final

import orjson
from msgspec import Struct

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_orchestrator.prompting.dialect import Dialect

_NO_NAMED_CHOICE: Final = frozenset({Dialect.LLAMA_CPP, Dialect.OLLAMA})
"""They take the choice of a certain tool for `auto`."""

_CUSTOM_PARAMETERS: JSON = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


class Offer(Struct, frozen=True):
    """What the model may call: flat tools, and the choice among them."""

    tools: list[JSON]
    choice: Any = None
    """`None` (not said), a word, or `{type: function, name}`."""


def whole_offer(params: JSON) -> Offer:
    """Give everything that the client offers, in the words of the Responses API."""
    tools = [_without_nulls(tool) for tool in objects(params.get("tools"))]
    return Offer(tools, params.get("tool_choice") if tools else None)


def function_offer(params: JSON, dialect: Dialect) -> Offer:
    """Give what can be said with function tools; other tools are left out.

    A choice that the backend would not hear is made by leaving out what is not to be called.
    """
    said = [_as_function(tool) for tool in objects(params.get("tools"))]
    offer = _chosen([tool for tool in said if tool], params.get("tool_choice"), dialect)
    return offer if offer.tools else Offer([])


def custom_names(params: JSON) -> frozenset[str]:
    """Name the custom tools of a request."""
    tools = objects(params.get("tools"))
    return frozenset(str(tool.get("name")) for tool in tools if tool.get("type") == "custom")


def as_custom_call(call: Item) -> Item:
    """Give the custom call that a function's call stands for."""
    arguments = call.get("arguments")
    told = {name: value for name, value in call.items() if name != "arguments"}
    return {**told, "type": "custom_tool_call", "input": custom_input(str(arguments or ""))}


def custom_input(arguments: str) -> str:
    """Read the text out of the arguments; a model that forgot the wrapping meant all of it."""
    try:
        said = mapping(orjson.loads(arguments)).get("input")
    except orjson.JSONDecodeError:
        return arguments
    return said if isinstance(said, str) else arguments


def as_function_item(item: Item) -> Item:
    """Give an item of a custom call as the function's item that stands for it."""
    match item.get("type"):
        case "custom_tool_call":
            return {
                "type": "function_call",
                "call_id": item.get("call_id"),
                "name": item.get("name"),
                "arguments": orjson.dumps({"input": item.get("input") or ""}).decode(),
            }
        case "custom_tool_call_output":
            return {**item, "type": "function_call_output"}
        case _:
            return item


def _chosen(tools: list[JSON], choice: Any, dialect: Dialect) -> Offer:
    wanted = mapping(choice)
    match wanted.get("type"):
        case "function" | "custom":
            name = wanted.get("name")
            if dialect not in _NO_NAMED_CHOICE:
                return Offer(tools, {"type": "function", "name": name})
            return Offer([tool for tool in tools if tool.get("name") == name], "required")
        case "allowed_tools":
            allowed = {tool.get("name") for tool in objects(wanted.get("tools"))}
            mode = wanted.get("mode") or "auto"
            return Offer([tool for tool in tools if tool.get("name") in allowed], mode)
        case _:
            if choice == "none" and dialect is Dialect.LLAMA_CPP:
                # It shows the tools all the same.
                return Offer([])
            # The choice of a tool that is not offered is no choice.
            return Offer(tools, choice if isinstance(choice, str) else None)


def _as_function(tool: JSON) -> JSON | None:
    match tool.get("type"):
        case "function":
            return _without_nulls(tool)
        case "custom":
            about = "\n\n".join(text for text in (tool.get("description"), _format(tool)) if text)
            named = {"type": "function", "name": tool.get("name"), "description": about or None}
            return {**_without_nulls(named), "parameters": _CUSTOM_PARAMETERS}
        case _:
            return None


def _format(tool: JSON) -> str:
    grammar = mapping(tool.get("format"))
    if not grammar.get("definition"):
        return ""
    return f"`input` follows this {grammar.get('syntax') or ''} grammar:\n{grammar['definition']}"


def _without_nulls(tool: JSON) -> JSON:
    return {name: value for name, value in tool.items() if value is not None}
