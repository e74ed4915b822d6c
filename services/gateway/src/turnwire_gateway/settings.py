"""What the gateway can be told."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from turnwire_chassis.settings import ServiceSettings, read_file
from turnwire_chassis.tool_servers.registry import Registry, parse_tool_servers
from turnwire_chassis.tool_servers.sealing import Sealer
from turnwire_gateway.limiting.allowances import Allowances, parse_allowances
from turnwire_gateway.requests.prompts import Prompts, parse_prompts


class GatewaySettings(ServiceSettings):
    """Settings of the gateway."""

    host: str = Field(default="127.0.0.1", description="The address the API listens on.")
    port: int = Field(default=8080, ge=1, le=65535, description="The port the API listens on.")
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024,
        ge=1024,
        description="The largest request body. The broker's max_payload is a second limit.",
    )
    stream_grace_s: float = Field(
        default=10.0,
        ge=0,
        description="Seconds that a streamed turn lives on after its last reader has left.",
    )
    turn_timeout_s: float = Field(
        default=600.0, gt=0, description="Seconds that one turn may take in all."
    )
    background_timeout_s: float = Field(
        default=3600.0,
        gt=0,
        description="Seconds that a background turn may take from its request to its end, "
        "waiting in the queue included.",
    )
    seal_key: SecretStr | None = Field(
        default=None,
        description="Keys of 32 bytes in base64 or hex, comma-separated: they seal what requests "
        "say only to MCP servers. The gateway and the tool-runner must have the same.",
    )
    mcp_servers: Path | None = Field(
        default=None,
        description="The YAML file with the MCP servers that requests name by `server_label`.",
    )
    guard_policy: str | None = Field(
        default=None,
        description="The YAML file with the guard's policy. Set: every input is checked.",
    )
    guard_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for the guard's verdict."
    )
    prompts: Path | None = Field(
        default=None,
        description="The YAML file with the prompt templates that requests name by `prompt.id`.",
    )
    limits: Path | None = Field(
        default=None,
        description="The YAML file with the limits of tenants and API keys. Every gateway must "
        "have the same.",
    )
    inherit_instructions: bool = Field(
        default=True,
        description="Whether instructions carry forward along previous_response_id. "
        "OpenAI itself does not carry them: set false for its behaviour.",
    )

    @cached_property
    def templates(self) -> Prompts:
        """The prompt templates, read once. Raises `SettingsError`."""
        if self.prompts is None:
            return {}
        return read_file("TURNWIRE_PROMPTS", self.prompts, parse_prompts)

    @cached_property
    def tool_servers(self) -> Registry:
        """The operator's MCP servers, read once. Raises `SettingsError`."""
        if self.mcp_servers is None:
            return {}
        return read_file("TURNWIRE_MCP_SERVERS", self.mcp_servers, parse_tool_servers)

    @cached_property
    def allowances(self) -> Allowances:
        """The limits, read once. Raises `SettingsError`."""
        if self.limits is None:
            return Allowances()
        return read_file("TURNWIRE_LIMITS", self.limits, parse_allowances)

    @cached_property
    def sealer(self) -> Sealer | None:
        """What seals secrets, if there is a key. Raises `SettingsError`."""
        key = self.seal_key.get_secret_value() if self.seal_key else ""
        return Sealer.parse(key) if key else None

    @model_validator(mode="after")
    def _refuse_what_cannot_be(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.templates, self.tool_servers, self.allowances, self.sealer
        return self
