"""Tools as models may see them: no name and no text that a person cannot see."""

import unicodedata
from collections.abc import Iterable
from typing import Any, cast

from mcp_types import Tool as McpTool

from turnwire_contracts.tools import Tool
from turnwire_tool_runner.mcp_client.schemas import describes_parameters
from turnwire_tool_runner.tool_servers import Listing

MAX_DESCRIPTION = 4096
"""Characters."""

# Control, format (bidirectional, zero-width, tags), surrogates, private use.
_UNSEEN = {"Cc", "Cf", "Cs", "Co"}
_KEPT = {"\n", "\t"}
_LONGEST_NAME = 512
_TOLD = {"description", "title"}
_CUT = "…"


def offered(tools: Iterable[McpTool], names: Iterable[str] = ()) -> Listing:
    """Give the tools that can be called by their name: the first of each, in the server's order.

    A name may have any letters that a person sees: models are offered an alias.

    `names`: all that stood in the server's list, those of what is no tool, too.
    """
    found: dict[str, Tool] = {}
    for tool in tools:
        if _can_be_called(tool.name) and describes_parameters(tool.input_schema):
            found.setdefault(tool.name, _tool(tool))
    others = dict.fromkeys(clean(name, _LONGEST_NAME) for name in names if name not in found)
    return Listing(list(found.values()), tuple(others))


def _can_be_called(name: str) -> bool:
    """Tell whether a person who approves a call sees all of a tool's name."""
    return bool(name.strip()) and clean(name, _LONGEST_NAME) == name and name.isprintable()


def clean(text: str, most: int = MAX_DESCRIPTION) -> str:
    """Leave out what cannot be seen, and what is above `most` characters."""
    # Twice as long is long enough to be cut, and short enough to be looked at.
    looked_at = text[: 2 * most]
    seen = "".join(
        char for char in looked_at if char in _KEPT or unicodedata.category(char) not in _UNSEEN
    )
    return seen if len(seen) <= most else seen[: most - 1] + _CUT


def _tool(tool: McpTool) -> Tool:
    annotations = tool.annotations
    return Tool(
        name=tool.name,
        input_schema=_schema(tool.input_schema),
        description=None if tool.description is None else clean(tool.description),
        annotations=_schema(annotations.model_dump(by_alias=True, exclude_none=True))
        if annotations
        else None,
    )


def _schema(value: Any) -> Any:
    """Clean what a schema tells; what it demands stays as it is."""
    match value:
        case dict():
            members = cast("dict[str, Any]", value)
            return {
                key: clean(each) if key in _TOLD and isinstance(each, str) else _schema(each)
                for key, each in members.items()
            }
        case list():
            return [_schema(each) for each in cast("list[Any]", value)]
        case _:
            return value
