"""Tools that the client runs: functions, custom tools, and namespaces of both.

OpenAI: `FunctionTool`, `CustomTool`, `NamespaceTool`; chat completions: `ChatCompletionTool`.
"""

import re
from typing import Any, Final, cast

from turnwire_contracts.json_values import JSON, mapping
from turnwire_gateway.api.requests.shapes import check_kinds, flattened, wrong

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SCHEMAS_ELSEWHERE: Final = ("input_schema", "inputSchema")
"""Anthropic's and MCP's words for `parameters`."""
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
    spaces: dict[str, JSON] = {}
    for index, tool in enumerate(given):
        place = f"{name}[{index}]"
        match tool["type"]:
            case "function" | "custom" as kind:
                flat, members = flattened(tool, kind, place)
                _check_name(flat, members)
                if _is_new(checked := _checked(flat, members), named, members):
                    tools.append(checked)
            case "namespace":
                if _is_new(space := _namespace(tool, place), spaces, place):
                    tools.append(space)
            case _:
                tools.append(tool)
    return tools


def _is_new(tool: JSON, named: dict[str, JSON], place: str) -> bool:
    """Tell whether a tool is not among those `named`, and add it; raises `ApiError`.

    What has no name is always new.
    """
    name = tool.get("name")
    if name is None:
        return True
    earlier = named.setdefault(name, tool)
    if earlier is not tool and earlier != tool:
        raise wrong(f"{place}.name", "is another tool's name: give each its own")
    return earlier is tool


def _check_name(tool: JSON, place: str) -> None:
    name = tool.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise wrong(f"{place}.name", "must be 1 to 64 letters, digits, '-' and '_'")


def _checked(tool: JSON, place: str) -> JSON:
    for name in _SCHEMAS_ELSEWHERE:
        if name in tool:
            raise wrong(
                f"{place}.{name}",
                "is not known: send a tool of type `function` with its schema in `parameters`",
            )
    check_kinds(tool, _KINDS, place)
    grammar = mapping(tool.get("format"))
    if tool["type"] == "custom" and grammar.get("type") == "grammar":
        flat, _ = flattened(grammar, "grammar", f"{place}.format")
        return {**tool, "format": flat}
    return tool


def _namespace(tool: JSON, place: str) -> JSON:
    """Read a namespace. Its names are made fit for backends later: MCP allows what they do not."""
    namespace = {name: value for name, value in tool.items() if value is not None}
    check_kinds(namespace, (("description", str, "a text"), ("tools", list, "a list")), place)
    inner = cast("list[Any]", namespace.get("tools") or [])
    if (inner or "name" in namespace) and not _is_name(namespace.get("name")):
        raise wrong(f"{place}.name", "must be a text that is not empty")
    named: dict[str, JSON] = {}
    flat: list[JSON] = []
    for index, each in enumerate(inner):
        read, members = _in_namespace(each, f"{place}.tools[{index}]")
        if _is_new(read, named, members):
            flat.append(read)
    return {**namespace, "tools": flat} if inner else namespace


def _in_namespace(given: Any, place: str) -> tuple[JSON, str]:
    """Give a tool of a namespace, and the place where its members are."""
    tool = mapping(given)
    kind = tool.get("type")
    if not isinstance(kind, str) or not kind:
        raise wrong(place, "must be an object with a `type`")
    if kind not in ("function", "custom"):
        return tool, place
    flat, members = flattened(tool, kind, place)
    if not _is_name(flat.get("name")):
        raise wrong(f"{members}.name", "must be a text that is not empty")
    return _checked(flat, members), members


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(name)
