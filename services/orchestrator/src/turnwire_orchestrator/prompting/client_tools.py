"""Tools of the client that a model knows by another name, or as another kind.

A backend that knows function tools only gets a custom tool as a function, and the functions of a
namespace under qualified names, `<namespace>__<name>`. What the model then calls is told to the
client as the call that it stands for; what stands in a history is told to the model by the
qualified name again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import orjson
from msgspec import Struct

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_orchestrator.prompting.tool_names import LONGEST_NAME, SEPARATOR, marked, sayable

_CALLS: Final = ("function_call", "custom_tool_call")
_OF_CLIENTS: Final = ("function", "custom")


class ClientTool(Struct, frozen=True):
    """A tool as its client calls it."""

    name: str
    namespace: str | None = None
    is_custom: bool = False
    """It takes a text and not JSON."""


class ClientTools(Struct, frozen=True):
    """What the client calls the functions that a model is told of, where the two differ."""

    by_name: Mapping[str, ClientTool] = {}
    """By the names that the model is told."""

    def is_custom(self, name: str | None) -> bool:
        """Tell whether a function stands for a custom tool."""
        tool = self.by_name.get(name or "")
        return tool is not None and tool.is_custom

    def kind_of(self, name: str) -> str:
        """Give the type of a tool by the name that the model is told."""
        return "custom" if self.is_custom(name) else "function"

    def clients(self, call: Item) -> Item:
        """Give the client's call, or the head of it, that a model's call stands for."""
        tool = self.by_name.get(str(call.get("name"))) if call.get("type") in _CALLS else None
        if tool is None or call.get("namespace"):
            return call
        named = {**call, "name": tool.name}
        if tool.namespace is not None:
            named["namespace"] = tool.namespace
        if tool.is_custom and call["type"] == "function_call":
            named |= {
                "type": "custom_tool_call",
                "input": custom_input(named.pop("arguments", None)),
            }
        return named

    def qualified(self, item: Item) -> Item:
        """Give a call in a namespace by the name that the model is told."""
        namespace = item.get("namespace")
        if not namespace or item.get("type") not in _CALLS:
            return item
        name = self.name_of(str(namespace), str(item.get("name")))
        return {key: value for key, value in item.items() if key != "namespace"} | {"name": name}

    def name_of(self, namespace: str, name: str) -> str:
        """Name a tool of a namespace, also one that is not offered any more."""
        for backend_name, tool in self.by_name.items():
            if (tool.namespace, tool.name) == (namespace, name):
                return backend_name
        qualified = _qualified(namespace, name)
        fits = len(qualified) <= LONGEST_NAME
        return qualified if fits else marked(qualified, namespace, name)

    def names_like(self, name: str) -> list[str]:
        """Name the tools of any namespace that their client calls so."""
        return [
            backend_name
            for backend_name, tool in self.by_name.items()
            if tool.namespace is not None and tool.name == name
        ]

    def names_in(self, namespace: str) -> list[str]:
        """Name the tools of a namespace."""
        return [
            backend_name
            for backend_name, tool in self.by_name.items()
            if tool.namespace == namespace
        ]


AS_THEY_ARE: Final = ClientTools()
"""The client calls all functions as the model does."""


def client_tools(params: JSON) -> ClientTools:
    """Name the tools of a request apart from one another."""
    tools = objects(params.get("tools"))
    plain = {str(tool.get("name")): tool for tool in tools if tool.get("type") in _OF_CLIENTS}
    named = {
        name: ClientTool(name, is_custom=True)
        for name, tool in plain.items()
        if tool.get("type") == "custom"
    }
    inner = [(space, tool) for each in tools for space, tool in tools_of_namespace(each)]
    different = {(space, str(tool["name"])) for space, tool in inner}
    taken = Counter([*plain, *(_qualified(*each) for each in different)])
    for space, tool in inner:
        name = _qualified(space, tool["name"])
        if taken[name] > 1 or len(name) > LONGEST_NAME:
            name = marked(name, space, tool["name"])
        named.setdefault(name, ClientTool(tool["name"], space, tool["type"] == "custom"))
    return ClientTools(named)


def tools_of_namespace(tool: JSON) -> Iterator[tuple[str, JSON]]:
    """Give the tools in a tool of the type `namespace` (OpenAI: `NamespaceTool`), with its name."""
    if tool.get("type") != "namespace":
        return
    for each in objects(tool.get("tools")):
        if each.get("type") in _OF_CLIENTS and isinstance(each.get("name"), str):
            yield str(tool.get("name") or ""), each


def function_items(items: list[Item], tools: ClientTools) -> list[Item]:
    """Give items in which all calls are functions' calls, and all outputs are theirs."""
    as_functions: list[Item] = []
    waiting: list[str | None] = []
    for each in items:
        item = _as_function_item(tools.qualified(each))
        match item.get("type"):
            case "function_call":
                waiting.append(item.get("call_id"))
            case "function_call_output" if item.get("call_id") not in waiting:
                # That of a hosted tool, whose call such a backend is not shown.
                continue
            case "function_call_output":
                waiting.remove(item.get("call_id"))
            case _:
                pass
        as_functions.append(item)
    return as_functions


def custom_input(arguments: str | None) -> str:
    """Read the text out of the arguments; a model that forgot the wrapping meant all of it."""
    text = arguments or ""
    try:
        said = mapping(orjson.loads(text)).get("input")
    except orjson.JSONDecodeError:
        return text
    return said if isinstance(said, str) else text


def _as_function_item(item: Item) -> Item:
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


def _qualified(namespace: str, name: str) -> str:
    """Codex calls its namespaces `mcp__<server>` or `mcp__<server>__`."""
    between = "" if not namespace or namespace.endswith(SEPARATOR) else SEPARATOR
    return sayable(f"{namespace}{between}{name}")
