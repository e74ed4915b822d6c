"""The files of the operator that a gateway follows while it runs: limits and MCP servers."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from turnwire_chassis.lifecycle.followed_file import FileKind, FollowedFile
from turnwire_chassis.tool_servers.registry import SETTING as SERVERS_SETTING
from turnwire_chassis.tool_servers.registry import (
    RegisteredServer,
    Registry,
    parse_tool_servers,
)
from turnwire_gateway.limits.allowances import SETTING, parse_allowances
from turnwire_gateway.limits.limiter import Limiter
from turnwire_gateway.settings import GatewaySettings

_LIMITS: Final = FileKind("limits", SETTING, parse_allowances)
_SERVERS: Final = FileKind("MCP servers", SERVERS_SETTING, parse_tool_servers)


class OperatorFiles:
    """Both files, each taken as soon as it has changed and is valid."""

    def __init__(
        self, settings: GatewaySettings, limiter: Limiter, servers: dict[str, RegisteredServer]
    ) -> None:
        """What they say goes to `limiter`, and into `servers`, which the rules of requests have."""
        self._registry = servers
        self._limits = FollowedFile(_LIMITS, settings.limits, limiter.take)
        self._servers = FollowedFile(_SERVERS, settings.mcp_servers, self._take_servers)

    @property
    def details(self) -> Mapping[str, Callable[[], str]]:
        """What health tells of them."""
        return {
            "limits": lambda: self._limits.detail,
            "mcp_servers": lambda: self._servers.detail,
        }

    def watching(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Give what follows the files, to be run until it is cancelled."""
        return self._limits.watch(), self._servers.watch()

    async def _take_servers(self, registry: Registry) -> None:
        # In one step: no request sees a part of it.
        self._registry.clear()
        self._registry.update(registry)
