"""The tools of MCP servers as the model sees them: functions, by names of their own. Pure.

OpenAI: a tool `mcp` with `server_label`, `allowed_tools`, `require_approval`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from turnwire_contracts.events import Item, Requested
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.tools import Tool, Tools, ToolServer
from turnwire_orchestrator.prompting.tool_names import (
    LONGEST_NAME,
    alias,
    alias_of_server,
    unique_alias,
)

_CHOICES_OF_TOOLS = ("mcp", "function", "custom", "namespace")


class OfferedTool(Struct, frozen=True):
    """A tool that the model may call."""

    server: ToolServer
    tool: Tool
    needs_approval: bool


class Toolbox(Struct, frozen=True):
    """What the model may call on MCP servers, by the names that it is told."""

    exposed: Mapping[str, OfferedTool] = {}

    def tool(self, label: str, name: str) -> OfferedTool | None:
        """Find a tool by its server and its own name."""
        for each in self.exposed.values():
            if each.server.label == label and each.tool.name == name:
                return each
        return None


def servers_of(request: Requested) -> list[ToolServer]:
    """Give the MCP servers that a request declares, in its order."""
    return [_server(tool, request) for tool in _declared(request)]


def toolbox(request: Requested, listings: Iterable[Item]) -> Toolbox:
    """Put together what the model may call; of two listings of a server the first counts."""
    newest: dict[str, Item] = {}
    for listing in listings:
        newest.setdefault(listing["server_label"], listing)
    offered = [
        exposed
        for declared in _declared(request)
        for exposed in _exposed(declared, _server(declared, request), newest)
    ]
    taken = [str(tool.get("name")) for tool in objects(request.params.get("tools"))]
    return Toolbox(_named_apart(offered, taken))


def offering(request: Requested, box: Toolbox, said: Sequence[Item]) -> Requested:
    """Give the request with functions in the place of MCP servers; `said` is this turn's output.

    After a round nothing forces a call any more, or the model would never answer. What may not be
    called is not offered.
    """
    params = request.params
    calls = sum(item["type"] == "mcp_call" for item in said)
    limit = params.get("max_tool_calls")
    tools = [tool for tool in objects(params.get("tools")) if tool.get("type") != "mcp"]
    if limit is None or calls < limit:
        tools += [_function(name, each) for name, each in box.exposed.items()]
    choice = _choice(params.get("tool_choice"), box, again=calls > 0)
    offered = {"tools": tools, "tool_choice": choice}
    kept = {name: value for name, value in params.items() if name not in offered}
    return replace(request, params=kept | {name: value for name, value in offered.items() if value})


def listing_item(label: str, offered: Tools) -> Item:
    """Give the item that shows what a server offers; it has no id yet."""
    listed: list[JSON] = [msgspec.to_builtins(tool) for tool in offered.tools]
    item: Item = {"type": "mcp_list_tools", "server_label": label, "tools": listed}
    if offered.left_out:
        item["error"] = f"Left out, as no model can be offered them: {', '.join(offered.left_out)}."
    return item


def _declared(request: Requested) -> list[JSON]:
    tools = objects(request.params.get("tools"))
    return [tool for tool in tools if tool.get("type") == "mcp"]


def _server(declared: JSON, request: Requested) -> ToolServer:
    label = str(declared.get("server_label") or "")
    return ToolServer(label, str(declared.get("server_url") or ""), request.seals.get(label))


def _exposed(
    declared: JSON, server: ToolServer, newest: Mapping[str, Item]
) -> Iterable[OfferedTool]:
    listing = newest.get(server.label)
    for listed in objects(listing.get("tools")) if listing else ():
        tool = msgspec.convert(listed, Tool)
        if _allowed(declared.get("allowed_tools"), tool):
            yield OfferedTool(server, tool, _needs_approval(declared.get("require_approval"), tool))


def _allowed(rule: Any, tool: Tool) -> bool:
    if rule is None:
        return True
    return tool.name in rule if isinstance(rule, list) else _matches(mapping(rule), tool)


def _needs_approval(rule: Any, tool: Tool) -> bool:
    """OpenAI: `always` unless something else is said; of a filter, `never` frees."""
    if rule in (None, "always"):
        return True
    if rule == "never":
        return False
    filters = mapping(rule)
    if filters.get("always") is not None and _matches(mapping(filters["always"]), tool):
        return True
    return not (filters.get("never") is not None and _matches(mapping(filters["never"]), tool))


def _matches(rule: JSON, tool: Tool) -> bool:
    names, read_only = rule.get("tool_names"), rule.get("read_only")
    if names is not None and tool.name not in names:
        return False
    return read_only is None or tool.is_read_only == read_only


def _named_apart(offered: Sequence[OfferedTool], taken: Iterable[str]) -> dict[str, OfferedTool]:
    """Give every tool a name of its own that backends take; its own name where that is one."""
    simple = Counter([*taken, *(alias(*_whose(each)) for each in offered)])
    full = Counter([*simple, *(alias_of_server(*_whose(each)) for each in offered)])
    named: dict[str, OfferedTool] = {}
    for each in offered:
        name = alias(*_whose(each))
        if simple[name] > 1:
            name = alias_of_server(*_whose(each))
            if full[name] > 1 or len(name) > LONGEST_NAME:
                name = unique_alias(*_whose(each))
        named.setdefault(name, each)
    return named


def _whose(each: OfferedTool) -> tuple[str, str]:
    return each.server.label, each.tool.name


def _function(name: str, each: OfferedTool) -> JSON:
    function = {"type": "function", "name": name, "parameters": each.tool.input_schema}
    if each.tool.description:
        function["description"] = each.tool.description
    return function


def _choice(given: Any, box: Toolbox, *, again: bool) -> Any:
    choice = mapping(given)
    if again and (given == "required" or choice.get("type") in _CHOICES_OF_TOOLS):
        return "auto"
    match choice.get("type"):
        case "mcp":
            return _named(choice, box)
        case "allowed_tools":
            tools = [each for tool in objects(choice.get("tools")) for each in _meant(tool, box)]
            mode = "auto" if again else choice.get("mode") or "auto"
            return {**choice, "tools": tools, "mode": mode}
        case _:
            return given


def _named(choice: JSON, box: Toolbox) -> JSON:
    tools = _meant(choice, box)
    if len(tools) == 1:
        return tools[0]
    return {"type": "allowed_tools", "mode": "required", "tools": tools}


def _meant(choice: JSON, box: Toolbox) -> list[JSON]:
    if choice.get("type") != "mcp":
        return [choice]
    return [
        {"type": "function", "name": name}
        for name, each in box.exposed.items()
        if each.server.label == choice.get("server_label")
        and choice.get("name") in (None, each.tool.name)
    ]
