"""The settings of `turnwire up` and `turnwire doctor`: the variables TURNWIRE_…."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from turnwire_chassis.broker_access.server_urls import ServerUrlsText
from turnwire_chassis.settings import PREFIX, BrokerSettings, read_file
from turnwire_chassis.storage_space import DEFAULT_RESERVE_BYTES, MIB
from turnwire_dev.scale import members
from turnwire_dev.supervision.restarts import RestartRules
from turnwire_orchestrator.servers import APIS, Server, read_servers


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _http_base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a backend is an http:// or https:// URL, like http://127.0.0.1:11434/v1")
    return url.rstrip("/")


def _scale(text: str) -> str:
    members(text)
    return text


class RunnerSettings(BrokerSettings):
    """The runner's own settings; every other TURNWIRE_ variable reaches the services unread."""

    # An empty variable is an unset one, as in a compose file.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    host: str = Field(
        default="127.0.0.1", description="The address on which the gateway listens for clients."
    )
    port: int = Field(
        default=8080, ge=1, le=65535, description="The port on which the gateway listens."
    )
    scale: Annotated[str, AfterValidator(_scale)] = Field(
        default="",
        description="How many processes of each service run, as in `gateway=2,orchestrator=3`; "
        "one where it does not say. `auto`: as many as use every core.",
    )
    max_restart_pause_s: float = Field(
        default=RestartRules.longest_pause,
        ge=RestartRules.first_pause,
        le=300,
        allow_inf_nan=False,
        description="Seconds at most before a process that died is started again; the pause "
        "doubles with each death in a row.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Names, comma-separated, that the API may be asked by without keys; read by "
        "the gateway.",
    )
    console: bool = Field(
        default=True,
        description="Whether the console is served, at `/console` of the API; read by the gateway.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins, comma-separated, whose web pages may use the API; read by the "
        "gateway.",
    )
    data_dir: Annotated[Path, AfterValidator(_absolute)] = Field(
        default=Path(".turnwire"),
        validate_default=True,
        description="The folder of all data and logs; one running Turnwire per folder.",
    )
    backend_url: Annotated[str, AfterValidator(_http_base)] | None = Field(
        default=None,
        description="The inference server, an OpenAI-compatible base URL ending in /v1. "
        "Unset: a small model is started here.",
    )
    backend_api_key: SecretStr | None = Field(
        default=None, description="The bearer token for the inference server."
    )
    backend_api: Literal["auto", "responses", "chat"] = Field(
        default="auto",
        description="The API that the inference server speaks: responses, chat (completions), or "
        "auto, which finds out.",
    )
    backends: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None,
        description="A YAML file that names several inference servers. Set: it is used, and no "
        "local model is started.",
    )
    limits: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None,
        description="The YAML file with the limits of tenants and API keys; read by the gateway.",
    )
    guard_policy: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None,
        description="The YAML file that says what the guard checks; `turnwire doctor` looks at it.",
    )
    default_instructions: str | None = Field(
        default=None, description="Instructions for turns that bring none; read by the services."
    )
    nats_url: ServerUrlsText | None = Field(
        default=None,
        description="A broker to use, named by one URL or several. Unset: one is started here.",
    )
    encrypt_log: bool = Field(
        default=True,
        description="Whether the broker that is started here encrypts its files, with a key that "
        "is made in the data folder. What is encrypted once stays so.",
    )
    mongodb_url: str | None = Field(
        default=None, description="A MongoDB to use. Unset: a stand-in is started here."
    )
    key_pepper: SecretStr | None = Field(
        default=None,
        description="The secret that API keys are hashed with. Unset: it is made in the data "
        "folder.",
    )
    oidc_issuer: str | None = Field(
        default=None, description="The OIDC issuer whose tokens are taken; read by the gateway."
    )
    storage_reserve_bytes: int = Field(
        default=DEFAULT_RESERVE_BYTES,
        ge=MIB,
        description="The free space that is left in the data folder to finish what runs; new turns "
        "are refused below it.",
    )
    log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        description="The least important facts that are logged: debug, info, warning or error.",
    )

    def named_servers(self, url: str) -> tuple[Server, ...]:
        """Give the inference servers: those of the file, else the one at `url`.

        Raises SettingsError when the file cannot be right.
        """
        if self.backends is not None:
            return read_file("TURNWIRE_BACKENDS", self.backends, read_servers)
        key = self.backend_api_key.get_secret_value() if self.backend_api_key else None
        return (Server("backend", url, key, APIS[self.backend_api]),)

    @property
    def keeps_data_here(self) -> bool:
        """Whether the broker or the database is started here, with its files in the data folder."""
        return self.nats_url is None or self.mongodb_url is None

    @property
    def needs_local_model(self) -> bool:
        """Whether a model has to be started here."""
        return self.backend_url is None and self.backends is None

    @property
    def members(self) -> dict[str, int]:
        """How many processes of each service run."""
        return members(self.scale)
