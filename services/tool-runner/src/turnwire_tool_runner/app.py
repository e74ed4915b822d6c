"""Subject → handler: `tools.list`, `tools.call`, `tools.cancel.*`; and how the service comes."""

import asyncio

import structlog

from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.questions.answering import Answering
from turnwire_contracts import subjects
from turnwire_contracts.tools import TOOLS_CALL, TOOLS_LIST
from turnwire_tool_runner.calling.gate import Gate
from turnwire_tool_runner.handlers import Handlers, Ports
from turnwire_tool_runner.mcp_client.client import McpToolServers
from turnwire_tool_runner.outbound.connecting import SystemResolver
from turnwire_tool_runner.settings import ToolRunnerSettings
from turnwire_tool_runner.ways import OutboundWays

SERVICE = "tool-runner"

log = structlog.get_logger()

_CLOSE_WITHIN_S = 0.2


async def serve(settings: ToolRunnerSettings, lifecycle: Lifecycle) -> None:
    """Answer until cancelled."""
    resolver = SystemResolver()
    ways = OutboundWays(settings.outbound, resolver)
    servers = McpToolServers(ways, settings.mcp_rules)
    # The gate turns away what is too much, and whoever is turned away is told at once.
    answering = Answering(
        settings.nats_url, SERVICE, 2 * settings.max_tool_calls, settings.broker_access
    )
    ports = Ports(servers, settings.targets, answering.tell, lambda: answering.largest_answer)
    handlers = Handlers(ports, Gate(settings.gate_rules), settings.tool_call_limit_s)
    answering.to(TOOLS_LIST, handlers.list_tools)
    answering.to(TOOLS_CALL, handlers.call_tool)
    answering.hear(subjects.tool_cancel("*"), handlers.cancel)
    checks = {"broker": answering.reachable}
    lifecycle.watch(checks, warnings={"broker_rights": answering.refused})
    lifecycle.on_drain(answering.finish)
    try:
        await answering.start()
        log.info("tool-runner answers")
        await asyncio.Event().wait()
    finally:
        await answering.stop()
        await servers.aclose()
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            await ways.aclose()
        resolver.close()
