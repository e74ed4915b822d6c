"""Tools and the choice among them, as backends know them.

OpenAI alone knows namespaces; others get their tools one by one, under qualified names. A backend
that knows function tools only gets a custom tool, which takes a text and not JSON, as a function
with one parameter, `input`.
"""

from typing import Any, Final

from msgspec import Struct

from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_orchestrator.prompting.client_tools import (
    ClientTools,
    client_tools,
    tools_of_namespace,
)
from turnwire_orchestrator.prompting.dialect import Dialect

_NO_NAMED_CHOICE: Final = frozenset({Dialect.LLAMA_CPP, Dialect.OLLAMA})
"""They take the choice of a certain tool for `auto`."""

_OF_TOOLS: Final = ("type", "name", "description", "parameters", "strict", "format")
"""What is told of a tool in a namespace; the rest is for OpenAI's search for tools."""

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


def whole_offer(params: JSON, dialect: Dialect) -> Offer:
    """Give everything that the client offers, in the words of the Responses API."""
    tools, choice = objects(params.get("tools")), params.get("tool_choice")
    if dialect is not Dialect.OPENAI:
        named = client_tools(params)
        tools, choice = _one_by_one(tools, named), _without_namespaces(choice, tools, named)
    offered = [_without_nulls(tool) for tool in tools]
    return Offer(offered, choice if offered else None)


def function_offer(params: JSON, dialect: Dialect) -> Offer:
    """Give what can be said with function tools; other tools are left out.

    A choice that the backend would not hear is made by leaving out what is not to be called.
    """
    tools, named = objects(params.get("tools")), client_tools(params)
    said = [_as_function(tool) for tool in _one_by_one(tools, named)]
    choice = _without_namespaces(params.get("tool_choice"), tools, named)
    offer = _chosen([tool for tool in said if tool], choice, dialect)
    return offer if offer.tools else Offer([])


def _one_by_one(tools: list[JSON], named: ClientTools) -> list[JSON]:
    """Give tools with those of a namespace in its place, under their qualified names."""
    offered: list[JSON] = []
    for tool in tools:
        if tool.get("type") != "namespace":
            offered.append(tool)
            continue
        for space, each in tools_of_namespace(tool):
            fields = {name: each[name] for name in _OF_TOOLS if name in each}
            offered.append({**fields, "name": named.name_of(space, each["name"])})
    return offered


def _without_namespaces(choice: Any, tools: list[JSON], named: ClientTools) -> Any:
    """Give a choice with what it says of namespaces in qualified names."""
    chosen = mapping(choice)
    plain = {tool.get("name") for tool in tools if tool.get("type") in ("function", "custom")}
    match chosen.get("type"):
        case "allowed_tools":
            each = (_qualified(tool, plain, named) for tool in objects(chosen.get("tools")))
            return {**chosen, "tools": [tool for tools in each for tool in tools]}
        case "function" | "custom" | "namespace":
            meant = _qualified(chosen, plain, named)
            if len(meant) == 1:
                return meant[0]
            return {"type": "allowed_tools", "mode": "required", "tools": meant}
        case _:
            return choice


def _qualified(choice: JSON, plain: set[Any], named: ClientTools) -> list[JSON]:
    """Give what is chosen by its qualified names: a whole namespace is each of its tools."""
    name, space = str(choice.get("name")), choice.get("namespace")
    if choice.get("type") == "namespace":
        names = named.names_in(name)
    elif space:
        names = [named.name_of(str(space), name)]
    else:
        names = [] if name in plain else named.names_like(name)
    if not names:
        return [choice]
    return [{"type": named.kind_of(each), "name": each} for each in names]


def _chosen(tools: list[JSON], choice: Any, dialect: Dialect) -> Offer:
    chosen = mapping(choice)
    match chosen.get("type"):
        case "function" | "custom":
            name = chosen.get("name")
            if dialect not in _NO_NAMED_CHOICE:
                return Offer(tools, {"type": "function", "name": name})
            return Offer([tool for tool in tools if tool.get("name") == name], "required")
        case "allowed_tools":
            allowed = {tool.get("name") for tool in objects(chosen.get("tools"))}
            mode = chosen.get("mode") or "auto"
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
