"""What the gateway can be told."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from turnwire_chassis.api_keys.pepper import parse_pepper
from turnwire_chassis.settings import RetentionSettings, SettingsError, read_file
from turnwire_chassis.tool_servers.registry import Registry, parse_tool_servers
from turnwire_chassis.tool_servers.sealing import Sealer
from turnwire_gateway.credentials.oidc.config import Oidc, is_safe_url
from turnwire_gateway.limiting.allowances import Allowances, parse_allowances
from turnwire_gateway.requests.prompts import Prompts, parse_prompts


class GatewaySettings(RetentionSettings):
    """Settings of the gateway."""

    host: str = Field(default="127.0.0.1", description="The address the API listens on.")
    port: int = Field(default=8080, ge=1, le=65535, description="The port the API listens on.")
    reuse_port: bool = Field(
        default=False,
        description="Whether several gateways may listen on the same address and port of one "
        "machine (SO_REUSEPORT): the kernel spreads new connections over them.",
    )
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
    key_pepper: SecretStr | None = Field(
        default=None,
        description="The secret that API keys are hashed with. All gateways and `turnwire keys` "
        "must have the same; with another one no key is good any longer. With `turnwire up` it is "
        "made in the data folder.",
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="The OIDC issuer whose tokens are taken beside API keys: an https:// URL, as "
        "its tokens have it in `iss`.",
    )
    oidc_audience: str | None = Field(
        default=None, description="What the issuer's tokens must have in `aud`."
    )
    oidc_jwks_url: str | None = Field(
        default=None,
        description="Where the issuer's keys are. Unset: its discovery document says where.",
    )
    oidc_tenant: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="The tenant of all the issuer's users. Unset: a claim says which one.",
    )
    oidc_tenant_claim: str = Field(
        default="tenant", description="The claim that names the tenant; `a.b` is b inside of a."
    )
    oidc_user_claim: str = Field(default="sub", description="The claim that names the user.")
    oidc_roles_claim: str = Field(
        default="roles",
        description="The claim that lists the roles; `admin` among them makes an admin.",
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

    @cached_property
    def pepper(self) -> bytes:
        """What API keys are hashed with; empty if it was not told. Raises `SettingsError`."""
        return parse_pepper(self.key_pepper)

    @cached_property
    def oidc(self) -> Oidc | None:
        """The issuer of tokens, if there is one. Raises `SettingsError`."""
        if self.oidc_issuer is None:
            return None
        for name, url in (
            ("TURNWIRE_OIDC_ISSUER", self.oidc_issuer),
            ("TURNWIRE_OIDC_JWKS_URL", self.oidc_jwks_url or self.oidc_issuer),
        ):
            if not is_safe_url(url):
                raise SettingsError(f"{name} must be an https:// URL (it is {url!r})")
        if not self.oidc_audience:
            raise SettingsError(
                "TURNWIRE_OIDC_AUDIENCE is missing: without it, tokens that the issuer gave to "
                "other applications would be good here"
            )
        return Oidc(
            issuer=self.oidc_issuer,
            audience=self.oidc_audience,
            jwks_url=self.oidc_jwks_url,
            tenant=self.oidc_tenant,
            tenant_claim=self.oidc_tenant_claim,
            user_claim=self.oidc_user_claim,
            roles_claim=self.oidc_roles_claim,
        )

    @model_validator(mode="after")
    def _refuse_what_cannot_be(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.templates, self.tool_servers, self.allowances, self.sealer, self.pepper, self.oidc
        return self
