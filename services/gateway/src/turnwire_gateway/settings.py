"""The settings of the gateway."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from turnwire_chassis.api_keys.pepper import parse_pepper
from turnwire_chassis.jetstream.buckets import CONSOLE_SESSION_DAYS
from turnwire_chassis.settings import SettingsError, TurnSettings, read_file
from turnwire_chassis.tool_servers.settings import ToolServerSettings
from turnwire_gateway.api.requests.prompts import Prompts, parse_prompts
from turnwire_gateway.api.web_access import WebAccess, read_web_access
from turnwire_gateway.auth.oidc_config import OidcClientConfig, OidcConfig, is_safe_url
from turnwire_gateway.limits.allowances import Allowances, parse_allowances


class GatewaySettings(TurnSettings, ToolServerSettings):
    """Settings of the gateway."""

    host: str = Field(default="127.0.0.1", description="The address the API listens on.")
    port: int = Field(default=8080, ge=1, le=65535, description="The port the API listens on.")
    reuse_port: bool = Field(
        default=False,
        description="Whether several gateways may listen on the same address and port of one "
        "machine (SO_REUSEPORT): the kernel spreads new connections over them.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Names, comma-separated, that the API may be asked by (`Host`) without keys, "
        "beside those of this machine.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins, comma-separated, like https://app.example: their web pages may use "
        "the API. `*`: all pages may, with a key.",
    )
    console: bool = Field(
        default=True, description="Whether the console is served, at `/console` of the API."
    )
    console_url: str | None = Field(
        default=None,
        description="Where browsers have the console, like https://turnwire.example/console; "
        "needed to sign in by OIDC.",
    )
    console_oidc_client_id: str | None = Field(
        default=None,
        description="The client that TURNWIRE_OIDC_ISSUER knows the console as. Set: users may "
        "sign in there.",
    )
    console_oidc_client_secret: SecretStr | None = Field(
        default=None,
        description="That client's secret. Unset: a public client, which PKCE alone proves.",
    )
    console_oidc_scope: str = Field(
        default="openid profile", description="What the console asks the issuer for."
    )
    console_session_hours: float = Field(
        default=12.0,
        gt=0,
        le=CONSOLE_SESSION_DAYS * 24,
        description="Hours after which one has to sign in to the console again.",
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
    prompts: Path | None = Field(
        default=None,
        description="The YAML file with the prompt templates that requests name by `prompt.id`.",
    )
    limits: Path | None = Field(
        default=None,
        description="The YAML file with the limits of tenants and API keys, read again when it "
        "changes. Every gateway must have the same.",
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

    @cached_property
    def access(self) -> WebAccess:
        """The names and web pages that are allowed. Raises `SettingsError`."""
        return read_web_access(self.host, self.allowed_hosts, self.cors_origins)

    @cached_property
    def templates(self) -> Prompts:
        """The prompt templates, read once. Raises `SettingsError`."""
        if self.prompts is None:
            return {}
        return read_file("TURNWIRE_PROMPTS", self.prompts, parse_prompts)

    @cached_property
    def allowances(self) -> Allowances:
        """The limits, read once. Raises `SettingsError`."""
        if self.limits is None:
            return Allowances()
        return read_file("TURNWIRE_LIMITS", self.limits, parse_allowances)

    @cached_property
    def pepper(self) -> bytes:
        """What API keys are hashed with; empty if it is not set. Raises `SettingsError`."""
        return parse_pepper(self.key_pepper)

    @cached_property
    def oidc(self) -> OidcConfig | None:
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
        return OidcConfig(
            issuer=self.oidc_issuer,
            audience=self.oidc_audience,
            jwks_url=self.oidc_jwks_url,
            tenant=self.oidc_tenant,
            tenant_claim=self.oidc_tenant_claim,
            user_claim=self.oidc_user_claim,
            roles_claim=self.oidc_roles_claim,
        )

    @cached_property
    def console_oidc(self) -> OidcClientConfig | None:
        """How the console signs in at the issuer, if it does. Raises `SettingsError`."""
        if self.console_oidc_client_id is None:
            return None
        if self.oidc is None:
            raise SettingsError("TURNWIRE_CONSOLE_OIDC_CLIENT_ID needs TURNWIRE_OIDC_ISSUER")
        if self.console_url is None or not is_safe_url(self.console_url):
            raise SettingsError(
                "TURNWIRE_CONSOLE_URL must be the console's https:// URL: the issuer sends "
                f"browsers back there (it is {self.console_url!r})"
            )
        secret = self.console_oidc_client_secret
        return OidcClientConfig(
            self.oidc,
            self.console_oidc_client_id,
            None if secret is None else secret.get_secret_value(),
            self.console_oidc_scope,
            self.console_url.rstrip("/"),
        )

    @model_validator(mode="after")
    def _refuse_what_cannot_be(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.templates, self.tool_servers, self.allowances, self.sealer, self.pepper, self.oidc
        _ = self.access, self.console_oidc
        return self
