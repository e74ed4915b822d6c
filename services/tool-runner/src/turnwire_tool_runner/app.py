"""Subject → handler: `tools.list`, `tools.call`, `tools.cancel.*`; and how the service comes."""

import asyncio

import structlog

from turnwire_chassis.lifecycle.followed_file import FileKind, FollowedFile
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.lifecycle.membership import Membership
from turnwire_chassis.request_reply.responder import Responder
from turnwire_chassis.tool_servers.registry import SETTING, parse_tool_servers
from turnwire_contracts import subjects
from turnwire_contracts.administration.deployment import TOOL_SERVERS
from turnwire_contracts.tools import TOOLS_CALL, TOOLS_LIST
from turnwire_tool_runner.calling.call_limiter import CallLimiter
from turnwire_tool_runner.handlers import ToolHandlers, ToolRunnerPorts
from turnwire_tool_runner.mcp_client.on_demand import OpenToolServers, ToolServersOnDemand
from turnwire_tool_runner.mcp_client.rules import McpRules
from turnwire_tool_runner.outbound.connecting import SystemResolver
from turnwire_tool_runner.server_status import ServerStatusHandlers
from turnwire_tool_runner.settings import ToolRunnerSettings
from turnwire_tool_runner.transports import OutboundTransports

SERVICE = "tool-runner"

log = structlog.get_logger()

_CLOSE_WITHIN_S = 0.2
_SERVERS = FileKind("MCP servers", SETTING, parse_tool_servers)


async def serve(settings: ToolRunnerSettings, lifecycle: Lifecycle) -> None:
    """Answer until cancelled."""
    resolver = SystemResolver()
    transports = OutboundTransports(settings.outbound, resolver)
    servers = ToolServersOnDemand(lambda: _mcp_servers(transports, settings.mcp_rules))
    # Twice as many: the limiter refuses what is too much, and an asker is to be told at once.
    responder = Responder(
        settings.nats_url, SERVICE, 2 * settings.max_tool_calls, settings.broker_access
    )
    ports = ToolRunnerPorts(
        servers, settings.targets, responder.publish, lambda: responder.largest_answer
    )
    handlers = ToolHandlers(ports, CallLimiter(settings.call_limits), settings.tool_call_limit_s)
    file = FollowedFile(_SERVERS, settings.mcp_servers, settings.targets.take)
    status = ServerStatusHandlers(servers, settings.targets, lambda: file.problem)
    responder.respond_to(TOOLS_LIST, handlers.list_tools)
    responder.respond_to(TOOLS_CALL, handlers.call_tool)
    responder.respond_to(TOOL_SERVERS, status.tell_servers)
    responder.respond_beside_others(subjects.MEMBERS, Membership(SERVICE, lifecycle).answer)
    responder.listen(subjects.tool_cancel("*"), handlers.cancel)
    checks = {"broker": responder.reachable}
    lifecycle.watch(
        checks,
        warnings={"broker_rights": responder.refused},
        details={"mcp_servers": lambda: file.detail},
    )
    lifecycle.on_drain(responder.finish)
    try:
        await responder.start()
        log.info("tool-runner answers")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(file.watch())
            await asyncio.Event().wait()
    finally:
        await responder.stop()
        await servers.aclose()
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            await transports.aclose()
        resolver.close()


def _mcp_servers(transports: OutboundTransports, rules: McpRules) -> OpenToolServers:
    from turnwire_tool_runner.mcp_client.client import McpToolServers  # noqa: PLC0415 -- `on_demand`

    return McpToolServers(transports, rules)
