"""Subject → handler: `tools.list` → `Handlers.list_tools`; and how the service comes and goes."""

import asyncio

import structlog

from turnwire_chassis.health import HealthServer
from turnwire_chassis.questions.answering import Answering
from turnwire_contracts.queries import TOOLS_LIST
from turnwire_tool_runner.handlers import Handlers
from turnwire_tool_runner.mcp_client import McpToolServers
from turnwire_tool_runner.settings import ToolRunnerSettings

SERVICE = "tool-runner"

log = structlog.get_logger()

# A visit waits for its server nearly all the time, so many overlap.
_VISITS_AT_ONCE = 64
_CLOSE_WITHIN_S = 0.2


async def serve(settings: ToolRunnerSettings) -> None:
    """Answer until cancelled."""
    servers = McpToolServers()
    answering = Answering(settings.nats_url, SERVICE, _VISITS_AT_ONCE)
    handlers = Handlers(servers, lambda: answering.largest_answer)
    answering.to(TOOLS_LIST, handlers.list_tools)
    checks = {"broker": answering.reachable}
    health = HealthServer(settings.health_host, settings.health_port, checks)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(health.run())
            await answering.start()
            log.info("tool-runner answers")
    finally:
        await answering.stop()
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            await servers.aclose()
