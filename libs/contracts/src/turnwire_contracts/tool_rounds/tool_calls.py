"""Calls of MCP tools as items: waiting, ended, never made. OpenAI: `mcp_call`."""

from typing import Any

from turnwire_contracts.events import Item, Requested, TurnUsage
from turnwire_contracts.json_values import JSON, objects

_WAITING = "in_progress"
_FOR_THE_CLIENT = frozenset({"function_call", "custom_tool_call", "mcp_approval_request"})


def uses_mcp(request: Requested) -> bool:
    """Tell whether a request declares MCP servers, or answers what was asked of one."""
    if request.compact:
        return False
    declared = any(tool.get("type") == "mcp" for tool in objects(request.params.get("tools")))
    return declared or any(item.get("type") == "mcp_approval_response" for item in request.input)


def asks_client(item: Item) -> bool:
    """Tell whether an item is for the client to answer, in another turn."""
    return item.get("type") in _FOR_THE_CLIENT


def is_waiting(item: Item) -> bool:
    """Tell whether an item is a call of an MCP tool that has not ended."""
    return item.get("type") == "mcp_call" and item.get("status") == _WAITING


def ended_call(item: Item, output: str | None, error: JSON | None) -> Item:
    """Give a call with its end."""
    status = "completed" if error is None else "failed"
    return {**item, "output": output, "error": error, "status": status}


def unmade_call(item: Item, why: str = "The response ended before this call did.") -> Item:
    """Give a call that the turn ended without waiting for."""
    return ended_call(item, None, protocol_error(why))


def protocol_error(message: str, code: int = -32000) -> dict[str, Any]:
    """Say why a call failed that no tool has answered."""
    return {"type": "mcp_protocol_error", "code": code, "message": message}


def summed(first: TurnUsage | None, second: TurnUsage | None) -> TurnUsage | None:
    """Add up what samples cost; `None` only if neither is known."""
    if first is None or second is None:
        return first or second
    return TurnUsage(
        first.input_tokens + second.input_tokens,
        first.output_tokens + second.output_tokens,
        first.cached_tokens + second.cached_tokens,
        first.cache_write_tokens + second.cache_write_tokens,
        first.reasoning_tokens + second.reasoning_tokens,
    )
