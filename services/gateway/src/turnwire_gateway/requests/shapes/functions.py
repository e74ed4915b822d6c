"""Tools that the client runs: functions, custom tools, and namespaces of both.

OpenAI: `FunctionTool`, `CustomTool`, `NamespaceTool`; chat completions: `ChatCompletionTool`.
"""

import re
from typing import Any, Final, cast

from turnwire_contracts.json_values import JSON, mapping
from turnwire_gateway.requests.shapes.nested import check_kinds, flattened
from turnwire_gateway.requests.tool_filters import wrong

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KINDS: Final = (
    ("description", str, "a text"),
    ("parameters", dict, "an object, a JSON Schema: the object itself and not JSON as a text"),
    ("strict", bool, "a boolean"),
    ("format", dict, "an object with a `type`"),
)


def flat_tools(given: list[JSON], name: str = "tools") -> list[JSON]:
    """Read the tools in the field `name`; those of other types are left as they are.

    A tool that is there twice is read once. Raises `ApiError` (400) naming the place.
    """
    tools: list[JSON] = []
    named: dict[str, JSON] = {}
    for index, tool in enumerate(given):
        place = f"{name}[{index}]"
        match tool["type"]:
            case "function" | "custom" as kind:
                flat, members = flattened(tool, kind, place)
                _check_name(flat, members)
                checked = _checked(flat, members)
                if (earlier := named.setdefault(checked["name"], checked)) is checked:
                    tools.append(checked)
                elif earlier != checked:
                    raise wrong(f"{members}.name", "is another tool's name: give each its own")
            case "namespace":
                tools.append(_namespace(tool, place))
            case _:
                tools.append(tool)
    return tools


def _check_name(tool: JSON, place: str) -> None:
    name = tool.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise wrong(f"{place}.name", "must be 1 to 64 letters, digits, '-' and '_'")


def _checked(tool: JSON, place: str) -> JSON:
    check_kinds(tool, _KINDS, place)
    grammar = mapping(tool.get("format"))
    if tool["type"] == "custom" and grammar.get("type") == "grammar":
        flat, _ = flattened(grammar, "grammar", f"{place}.format")
        return {**tool, "format": flat}
    return tool


def _namespace(tool: JSON, place: str) -> JSON:
    """Read a namespace. Its names are made fit for backends later: MCP allows what they do not."""
    told = {name: value for name, value in tool.items() if value is not None}
    check_kinds(told, (("description", str, "a text"), ("tools", list, "a list")), place)
    inner = cast("list[Any]", told.get("tools") or [])
    if (inner or "name" in told) and not _is_name(told.get("name")):
        raise wrong(f"{place}.name", "must be a text that is not empty")
    flat = [_in_namespace(each, f"{place}.tools[{index}]") for index, each in enumerate(inner)]
    return {**told, "tools": flat} if inner else told


def _in_namespace(given: Any, place: str) -> JSON:
    tool = mapping(given)
    kind = tool.get("type")
    if not isinstance(kind, str) or not kind:
        raise wrong(place, "must be an object with a `type`")
    if kind not in ("function", "custom"):
        return tool
    flat, members = flattened(tool, kind, place)
    if not _is_name(flat.get("name")):
        raise wrong(f"{members}.name", "must be a text that is not empty")
    return _checked(flat, members)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(name)
