"""What the tool-runner tells operators of their MCP servers: whether they answer, and with what."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from turnwire_chassis.telemetry.correlation import begin_answering
from turnwire_contracts.administration.deployment import (
    TOOL_SERVERS,
    ListedTool,
    ToolServerStatus,
    ToolServersTold,
)
from turnwire_contracts.ids import TenantId
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import AskForTools, Tool, ToolServer
from turnwire_tool_runner.answers import refusal
from turnwire_tool_runner.targets import KnownTargets
from turnwire_tool_runner.tool_servers import Target, TenantServer, ToolServerError, ToolServers

_WITHIN_S: Final = 8.0
_SILENT: Final = ToolServerError("mcp_timeout", "It does not answer in time.")
_MOST_TOOLS: Final = 200
_LONGEST_DESCRIPTION: Final = 200


@dataclass(frozen=True, slots=True)
class ServerStatusHandlers:
    """Answers `tools.servers`."""

    servers: ToolServers
    targets: KnownTargets
    problem: Callable[[], str | None]
    """Why the operator's file is ignored, if it is."""

    async def tell_servers(self, body: bytes) -> bytes:
        """Ask every server of the operator for its tools, side by side."""
        tenant = begin_answering(TOOL_SERVERS, body).tenant
        statuses = await asyncio.gather(
            *(self._status(tenant, each) for each in self.targets.labels)
        )
        return TOOL_SERVERS.encode_answer(ToolServersTold([*statuses], self.problem()))

    async def _status(self, tenant: TenantId, label: str) -> ToolServerStatus:
        target = self.targets.find(AskForTools(tenant, ToolServer(label)))
        try:
            async with asyncio.timeout(_WITHIN_S):
                listing = await self.servers.list_tools(TenantServer(tenant, target))
        except ToolServerError as error:
            return _unanswered(label, target, refusal(error, label))
        except TimeoutError:
            return _unanswered(label, target, refusal(_SILENT, label))
        return ToolServerStatus(label, _shown(target), _offered(listing.tools, target))


def _unanswered(label: str, target: Target, why: Refusal) -> ToolServerStatus:
    return ToolServerStatus(label, _shown(target), [], why.failure.message)


def _shown(target: Target) -> str:
    """Give the URL without its query, in which some servers want their token."""
    return target.url.partition("?")[0]


def _offered(tools: Iterable[Tool], target: Target) -> list[ListedTool]:
    allowed = target.allowed
    seen = [each for each in tools if allowed is None or each.name in allowed]
    return [
        ListedTool(
            each.name,
            each.description and each.description[:_LONGEST_DESCRIPTION],
            each.is_read_only,
        )
        for each in seen[:_MOST_TOOLS]
    ]
