"""A client for MCP's own conformance suite: all of our tool-runner but the broker.

The suite gives the address of a server of its own as the last argument, and says by the environment
what it wants to see. It lists the tools there and calls each; prints what came of that.
"""

import asyncio
import json
import os
import sys
from typing import Any, cast

from turnwire_contracts.ids import TenantId
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import (
    TOOLS_CALL,
    TOOLS_LIST,
    AskForCall,
    AskForTools,
    Called,
    Tool,
    ToolServer,
)
from turnwire_tool_runner.calling.call_limiter import CallLimiter
from turnwire_tool_runner.handlers import ToolHandlers, ToolRunnerPorts
from turnwire_tool_runner.mcp_client.client import McpToolServers
from turnwire_tool_runner.outbound.connecting import SystemResolver
from turnwire_tool_runner.settings import ToolRunnerSettings
from turnwire_tool_runner.transports import OutboundTransports

TENANT = TenantId("conformance")
ENOUGH_BYTES = 1 << 20
_EXAMPLES: dict[object, Any] = {
    "string": "text", "number": 2, "integer": 2, "boolean": True, "array": [], "object": {},
}  # fmt: skip


async def visit(url: str) -> None:
    """List and call what there is."""
    settings = ToolRunnerSettings(allow_private_urls="loopback")
    resolver = SystemResolver()
    ways = OutboundTransports(settings.outbound, resolver)
    servers = McpToolServers(ways, settings.mcp_rules)
    ports = ToolRunnerPorts(servers, settings.targets, _untold, lambda: ENOUGH_BYTES)
    handlers = ToolHandlers(ports, CallLimiter(settings.call_limits), settings.tool_call_limit_s)
    server = ToolServer("suite", url)
    try:
        found = TOOLS_LIST.decode_answer(
            await handlers.list_tools(TOOLS_LIST.encode_question(AskForTools(TENANT, server)))
        )
        if isinstance(found, Refusal):
            print(f"not listed: {found.failure.message}")  # noqa: T201 -- the suite keeps it
            return
        for number, (tool, arguments) in enumerate(_wanted(found.tools)):
            call = AskForCall(
                TENANT, server, f"call_{number}", tool.name, json.dumps(arguments), tool.digest
            )
            answer = TOOLS_CALL.decode_answer(
                await handlers.call_tool(TOOLS_CALL.encode_question(call))
            )
            print(tool.name, _told(answer))  # noqa: T201 -- the suite keeps it
    finally:
        await servers.aclose()
        await ways.aclose()
        resolver.close()


def _wanted(tools: list[Tool]) -> list[tuple[Tool, dict[str, Any]]]:
    """Give the calls that the suite asks for, or one of every tool."""
    context: dict[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    by_name = {tool.name: tool for tool in tools}
    told = context.get("toolCalls")
    if told is not None:
        return [(by_name[each["name"]], each["arguments"]) for each in told]
    return [(tool, _arguments(tool, tools)) for tool in tools]


def _arguments(tool: Tool, tools: list[Tool]) -> dict[str, Any]:
    properties = cast("dict[str, dict[str, Any]]", tool.input_schema.get("properties") or {})
    if "schema" in properties:
        # It wants to see how a schema of its own has come through.
        return {"schema": tools[0].input_schema}
    return {name: _EXAMPLES.get(each.get("type"), "text") for name, each in properties.items()}


def _told(answer: Called | Refusal) -> str:
    if isinstance(answer, Refusal):
        return f"refused: {answer.failure.message}"
    return str(answer.output) if answer.error is None else f"failed: {answer.error.message}"


async def _untold(subject: str, body: bytes) -> None:
    """Nobody listens for signs of life."""


if __name__ == "__main__":
    asyncio.run(visit(sys.argv[-1]))
