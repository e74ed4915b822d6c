"""The settings of MCP servers, which the gateway and the tool-runner read."""

from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr

from turnwire_chassis.settings import ServiceSettings, read_file
from turnwire_chassis.tool_servers.registry import SETTING, Registry, parse_tool_servers
from turnwire_chassis.tool_servers.secret_envelope import Sealer


class ToolServerSettings(ServiceSettings):
    """The operator's MCP servers, and what seals secrets for them; both readers need the same."""

    seal_key: SecretStr | None = Field(
        default=None,
        description="Keys of 32 bytes in base64 or hex, comma-separated: they seal what requests "
        "say only to MCP servers. The gateway and the tool-runner must have the same.",
    )
    mcp_servers: Path | None = Field(
        default=None,
        description="The YAML file with the MCP servers that requests name by `server_label`, read "
        "again when it changes.",
    )

    @cached_property
    def tool_servers(self) -> Registry:
        """The operator's MCP servers by label, read once; empty without a file.

        Raises `SettingsError` if the file cannot be read or is not right.
        """
        if self.mcp_servers is None:
            return {}
        return read_file(SETTING, self.mcp_servers, parse_tool_servers)

    @cached_property
    def sealer(self) -> Sealer | None:
        """What seals and opens secrets; `None` without a key.

        Raises `SettingsError` for a key that is none.
        """
        key = self.seal_key.get_secret_value() if self.seal_key else ""
        return Sealer.parse(key) if key else None
