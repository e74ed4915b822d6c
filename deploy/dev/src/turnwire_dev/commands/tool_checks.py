"""What `turnwire doctor` finds of the operator's MCP servers."""

import asyncio
import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from turnwire_chassis.settings import SettingsError
from turnwire_chassis.tool_servers.registry import RegisteredServer, credentials
from turnwire_chassis.tool_servers.settings import ToolServerSettings
from turnwire_dev.commands.checks import CheckFailed, CheckPassed, Finding
from turnwire_dev.supervision.probe import accepts_tcp

_WITHIN_S = 3.0
_DEFAULT_PORTS = {"http": 80, "https": 443}


async def check_tool_servers(settings: ToolServerSettings) -> Sequence[Finding]:
    """Check that each MCP server of the file accepts connections, and that its secrets are set."""
    try:
        servers = settings.tool_servers
    except SettingsError as error:
        return [CheckFailed("MCP servers", str(error), "Mend the file.")]
    return await asyncio.gather(*map(_check, servers.values()))


async def _check(server: RegisteredServer) -> Finding:
    name = f"MCP server {server.label}"
    try:
        credentials(server, os.environ)
    except SettingsError as error:
        return CheckFailed(name, str(error), "Set it where turnwire up is started.")
    parts = urlsplit(server.url)
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    if await accepts_tcp(parts.hostname or "", port, within=_WITHIN_S)():
        return CheckPassed(name, f"{server.url} accepts connections")
    return CheckFailed(name, f"{server.url} does not answer", "Start it, or mend the file.")
