"""What the orchestrator can be told, and the file of backends that one of the settings names."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from turnwire_chassis.jetstream.topology import TURN_LEASE_S
from turnwire_chassis.settings import TurnSettings, read_file
from turnwire_orchestrator.servers import APIS, Server, read_servers


class OrchestratorSettings(TurnSettings):
    """Settings of the orchestrator; its backends are valid once this is made."""

    backend_url: str = Field(
        default="http://127.0.0.1:8000/v1",
        pattern="^https?://.+",
        description="The inference backend: an OpenAI-compatible base that ends in /v1. "
        "With `turnwire up`: set it to use that one, and no local model is started.",
    )
    backend_api_key: SecretStr | None = Field(
        default=None, description="The bearer token that the backend wants."
    )
    backend_api: str = Field(
        default="auto",
        pattern="^(auto|responses|chat)$",
        description="How the backend is asked: responses (`POST /responses`), chat "
        "(`POST /chat/completions`), or auto: responses where it has that route, else chat.",
    )
    backends: Path | None = Field(
        default=None,
        description="A YAML file that names several backends and the models of each, read again "
        "when it changes; TURNWIRE_BACKEND_URL, _API_KEY and _API are then not read.",
    )
    backend_connect_timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds to wait for a connection to the backend."
    )
    backend_idle_timeout_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds that the backend may send nothing before the turn fails.",
    )
    default_instructions: str | None = Field(
        default=None,
        description="What the model is told when neither the request nor its history says.",
    )
    max_turns: int = Field(
        default=256, ge=1, description="Turns that one orchestrator drives at once."
    )
    max_background_turns: int = Field(
        default=64,
        ge=1,
        description="Background turns that one orchestrator drives at once, beside the others; "
        "more wait in the queue.",
    )
    turn_lease_s: float = Field(
        default=TURN_LEASE_S,
        ge=1,
        le=60,
        allow_inf_nan=False,
        description="Seconds that an orchestrator may be silent before its turns are given to "
        "another; it gives a sign of life three times in that time. All orchestrators must be "
        "told the same.",
    )
    history_cache_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=0,
        description="Memory for recent histories, which spare a question to the store.",
    )
    max_tool_rounds: int = Field(
        default=32,
        ge=1,
        description="How often one turn asks the model again with what MCP tools answered.",
    )
    max_parallel_calls: int = Field(
        default=8, ge=1, description="Calls of MCP tools that one turn makes side by side."
    )
    tool_call_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that a call of an MCP tool may give no sign of progress.",
    )
    tool_list_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds to wait for what an MCP server offers."
    )
    trace_content: bool = Field(
        default=False,
        description="Whether traces say what users and models said (`gen_ai.input.messages`, "
        "`gen_ai.output.messages`). All who can read traces then read conversations.",
    )

    @cached_property
    def servers(self) -> tuple[Server, ...]:
        """The backends, read once. Raises SettingsError."""
        if self.backends is not None:
            return read_file("TURNWIRE_BACKENDS", self.backends, read_servers)
        key = self.backend_api_key.get_secret_value() if self.backend_api_key else None
        return (Server("backend", self.backend_url, key, APIS[self.backend_api]),)

    @model_validator(mode="after")
    def _refuse_bad_backends(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.servers
        return self
