"""What the tool-runner can be told, and what two of the settings name."""

import os
import time
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from turnwire_chassis.settings import ServiceSettings, read_file
from turnwire_chassis.tool_servers import registry, sealing
from turnwire_tool_runner.calling.breaker import BreakerRules
from turnwire_tool_runner.calling.gate import GateRules
from turnwire_tool_runner.mcp_client.client import McpRules
from turnwire_tool_runner.mcp_client.sessions import SessionRules
from turnwire_tool_runner.outbound.policy import Outbound
from turnwire_tool_runner.targets import KnownTargets


class ToolRunnerSettings(ServiceSettings):
    """The settings of the tool-runner; whoever holds them can make what they name."""

    mcp_servers: Path | None = Field(
        default=None,
        description="The YAML file with the MCP servers that requests name by `server_label`.",
    )
    seal_key: SecretStr | None = Field(
        default=None,
        description="Keys of 32 bytes in base64 or hex, comma-separated: they seal what requests "
        "say only to MCP servers. The gateway and the tool-runner must have the same.",
    )
    allow_private_urls: str = Field(
        default="",
        description=(
            "Networks, hosts and `loopback`, comma-separated, that URLs of clients may lead to"
            " beyond the open internet."
        ),
    )
    tool_call_limit_s: float = Field(
        default=600.0,
        gt=0,
        description="Seconds that one tool call may take in all, whatever progress it shows.",
    )
    max_tool_calls: int = Field(
        default=512, ge=1, description="How many calls and lists one tool-runner has at once."
    )
    max_tool_calls_per_server: int = Field(
        default=64,
        ge=1,
        description="How many of these go to one MCP server at once; as many more may wait.",
    )
    max_tool_calls_per_tenant: int = Field(
        default=64,
        ge=1,
        description="How many of these are one tenant's at once; as many more may wait.",
    )
    max_tool_output_bytes: int = Field(
        default=262144,
        ge=64,
        description="How much of a tool's output is kept; the rest is cut off, and that is said.",
    )
    max_tool_sessions: int = Field(
        default=256, ge=1, description="How many MCP sessions a tool-runner keeps open."
    )
    tool_session_idle_s: float = Field(
        default=60.0, gt=0, description="Seconds after which an MCP session without calls ends."
    )
    tool_list_max_age_s: float = Field(
        default=30.0,
        ge=0,
        description="How old a list of tools may be against which a call is checked.",
    )
    tool_breaker_failures: int = Field(
        default=5,
        ge=1,
        description="How often in a row an MCP server fails a tenant before it is left alone.",
    )
    tool_breaker_open_s: float = Field(
        default=30.0, gt=0, description="How long it is left alone before it is tried again."
    )

    @cached_property
    def targets(self) -> KnownTargets:
        """What requests may name. Raises SettingsError."""
        known: registry.Registry = {}
        if self.mcp_servers is not None:
            known = read_file(registry.SETTING, self.mcp_servers, registry.parse_tool_servers)
        key = self.seal_key.get_secret_value() if self.seal_key else ""
        sealer = sealing.Sealer.parse(key) if key else None
        return KnownTargets(known, os.environ, sealer, _now_ms)

    @cached_property
    def outbound(self) -> Outbound:
        """Where clients may lead us. Raises SettingsError."""
        return Outbound.parse(self.allow_private_urls)

    @property
    def gate_rules(self) -> GateRules:
        """Who may call at once."""
        return GateRules(
            in_all=self.max_tool_calls,
            per_server=self.max_tool_calls_per_server,
            per_tenant=self.max_tool_calls_per_tenant,
            breaker=BreakerRules(self.tool_breaker_failures, self.tool_breaker_open_s),
        )

    @property
    def mcp_rules(self) -> McpRules:
        """How servers are talked to."""
        return McpRules(
            sessions=SessionRules(self.max_tool_sessions, self.tool_session_idle_s),
            list_max_age_s=self.tool_list_max_age_s,
            max_output_bytes=self.max_tool_output_bytes,
        )

    @model_validator(mode="after")
    def _refuse_what_cannot_be_made(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.targets, self.outbound
        return self


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
