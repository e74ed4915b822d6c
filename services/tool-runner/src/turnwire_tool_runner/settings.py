"""The settings of the tool-runner, and what three of them name."""

import os
import time
from functools import cached_property
from typing import Self

from pydantic import Field, model_validator

from turnwire_chassis.circuit_breaker import BreakerRules
from turnwire_chassis.tool_servers.settings import ToolServerSettings
from turnwire_tool_runner.calling.call_limiter import CallLimits
from turnwire_tool_runner.mcp_client.rules import McpRules, SessionRules
from turnwire_tool_runner.outbound.policy import Outbound
from turnwire_tool_runner.targets import KnownTargets
from turnwire_tool_runner.webhooks.deliverer import WebhookRules


class ToolRunnerSettings(ToolServerSettings):
    """Settings of the tool-runner. Making them raises `SettingsError` for what cannot be used."""

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
        default=5.0, gt=0, description="How long it is left alone before it is tried again."
    )

    webhook_timeout_s: float = Field(
        default=15.0,
        gt=0,
        le=60,
        description="Seconds within which the receiver of a webhook must answer.",
    )
    webhook_give_up_s: float = Field(
        default=259_200.0,
        gt=0,
        le=518_400,
        description="Seconds for which a webhook is tried again before it is a dead letter.",
    )
    max_webhooks: int = Field(
        default=128, ge=1, description="How many webhooks one tool-runner sends at once."
    )
    max_webhooks_per_tenant: int = Field(
        default=32, ge=1, description="How many of these are one tenant's at once."
    )
    max_webhooks_per_host: int = Field(
        default=8, ge=1, description="How many of these go to one host and port at once."
    )

    @cached_property
    def targets(self) -> KnownTargets:
        """The MCP servers that requests may name: the operator's, and those of their own URL."""
        return KnownTargets(self.tool_servers, os.environ, self.sealer, _now_ms)

    @cached_property
    def outbound(self) -> Outbound:
        """Which addresses the URLs of clients may lead to.

        Raises `SettingsError` for a network or host that is none.
        """
        return Outbound.parse(self.allow_private_urls)

    @property
    def call_limits(self) -> CallLimits:
        """How many calls may run at once, and when a server is left alone."""
        return CallLimits(
            in_all=self.max_tool_calls,
            per_server=self.max_tool_calls_per_server,
            per_tenant=self.max_tool_calls_per_tenant,
            breaker=BreakerRules(self.tool_breaker_failures, self.tool_breaker_open_s),
        )

    @property
    def mcp_rules(self) -> McpRules:
        """How long sessions and lists of tools live, and how much output is kept."""
        return McpRules(
            sessions=SessionRules(self.max_tool_sessions, self.tool_session_idle_s),
            list_max_age_s=self.tool_list_max_age_s,
            max_output_bytes=self.max_tool_output_bytes,
        )

    @property
    def webhook_rules(self) -> WebhookRules:
        """How long webhooks are tried, and how many are sent at once."""
        return WebhookRules(
            give_up_s=self.webhook_give_up_s,
            at_once=self.max_webhooks,
            per_tenant=self.max_webhooks_per_tenant,
            per_host=self.max_webhooks_per_host,
        )

    @model_validator(mode="after")
    def _refuse_what_cannot_be_made(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.targets, self.outbound
        return self


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
