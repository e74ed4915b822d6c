"""Which tool is to be called: `tool_choice`, which must be one that is offered.

OpenAI: `ToolChoiceFunction`, `ToolChoiceCustom`, `ToolChoiceAllowed`; chat completions nest them.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_gateway.api.requests.shapes import flattened, wrong

_OF_CLIENTS: Final = ("function", "custom")
_BRING_MORE: Final = ("mcp", "tool_search")
"""Tools through which the model meets functions that the request does not name."""
_MODES: Final = ("auto", "required")
_MOST_NAMED: Final = 20
_OTHERWISE: Final = {
    "auto": 'send `"auto"` itself',
    "none": 'send `"none"` itself',
    "required": 'send `"required"` itself',
    "any": 'send `"required"`',
    "tool": "must be 'function' or 'custom', and `name` that of the tool",
}
"""Types of a choice in Anthropic's API, and words that are no objects here."""


def flat_choice(
    given: Any, tools: list[JSON], items: Sequence[Item], place: str = "tool_choice"
) -> Any:
    """Read a choice among `tools`; `items` may bring more of them (OpenAI: `tool_search_output`).

    Raises `ApiError` (400) naming the place.
    """
    offered = _Offered(tools, items)
    choice = mapping(given)
    match choice.get("type"):
        case None:
            if given == "required" and offered.is_empty:
                raise wrong(
                    "tool_choice", "is 'required', but no tools are offered: send `tools` too"
                )
            return given
        case "allowed_tools":
            return _allowed(choice, offered)
        case _:
            return _named(choice, place, offered)


class _Offered:
    """What a choice may name."""

    def __init__(self, tools: list[JSON], items: Sequence[Item]) -> None:
        spaces = [tool for tool in tools if tool.get("type") == "namespace"]
        self._names = [str(each["name"]) for each in tools if each.get("type") in _OF_CLIENTS]
        self._inner = {
            (str(space.get("name")), str(each.get("name")))
            for space in spaces
            for each in objects(space.get("tools"))
        }
        self._spaces = {str(space.get("name")) for space in spaces}
        others = any(tool.get("type") in _BRING_MORE for tool in tools)
        self._brings_more = others or any("tools" in item for item in items)
        self._kinds = {str(tool.get("type")) for tool in tools} | {"mcp"}
        self.is_empty = not tools and not self._brings_more

    def has(self, choice: JSON) -> bool:
        """Tell whether a tool, or a namespace, is offered or may be."""
        name, space = choice.get("name"), choice.get("namespace")
        if self._brings_more:
            return True
        if choice["type"] == "namespace":
            return name in self._spaces
        if space is not None:
            return (space, name) in self._inner
        return name in self._names or any(name == inner for _, inner in self._inner)

    def has_kind(self, kind: str) -> bool:
        """Tell whether a tool of this type is offered or may be, of whatever version.

        OpenAI: `web_search_preview` is chosen for `web_search_preview_2025_03_11`. Which MCP
        servers there are is looked at elsewhere.
        """
        similar = (each.startswith(kind) or kind.startswith(each) for each in self._kinds)
        return self._brings_more or any(similar)

    def __str__(self) -> str:
        names = [*self._names, *(f"{name} in {space}" for space, name in sorted(self._inner))]
        more = ", …" if len(names) > _MOST_NAMED else ""
        return f"there are: {', '.join(names[:_MOST_NAMED])}{more}" if names else "there is none"


def _named(choice: JSON, place: str, offered: _Offered) -> JSON:
    kind = str(choice.get("type"))
    if kind in _OTHERWISE:
        raise wrong(f"{place}.type", _OTHERWISE[kind])
    if kind not in (*_OF_CLIENTS, "namespace"):
        if offered.is_empty:
            raise wrong(place, "names a tool, but no tools are offered: send `tools` too")
        if not offered.has_kind(kind):
            raise wrong(f"{place}.type", "no tool of this type is offered")
        return choice
    flat, members = flattened(choice, kind, place)
    name = flat.get("name")
    if not isinstance(name, str) or not name:
        raise wrong(f"{members}.name", "must be the name of a tool")
    if not offered.has(flat):
        raise wrong(f"{members}.name", f"no {kind} of this name is offered; {offered}")
    return flat


def _allowed(choice: JSON, offered: _Offered) -> JSON:
    flat, place = flattened({**choice, "name": ""}, "allowed_tools", "tool_choice")
    del flat["name"]
    if flat.get("mode", "auto") not in _MODES:
        raise wrong(f"{place}.mode", f"must be one of {', '.join(_MODES)}")
    if not isinstance(flat.get("tools"), list):
        raise wrong(f"{place}.tools", "must be a list of tools")
    tools: list[JSON] = []
    for index, each in enumerate(cast("list[Any]", flat["tools"])):
        at = f"{place}.tools[{index}]"
        if not isinstance(mapping(each).get("type"), str):
            raise wrong(at, "must be an object with a `type`")
        tools.append(_named(mapping(each), at, offered))
    return {**flat, "tools": tools}
