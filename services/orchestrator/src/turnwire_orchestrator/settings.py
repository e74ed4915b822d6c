"""What the orchestrator can be told, and the file of backends that one of the settings names."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from turnwire_chassis.settings import RetentionSettings, read_file
from turnwire_orchestrator.servers import APIS, Server, read_servers


class OrchestratorSettings(RetentionSettings):
    """Settings of the orchestrator; whoever holds them has valid backends."""

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
        description="A YAML file that names several backends and the models of each; "
        "TURNWIRE_BACKEND_URL, _API_KEY and _API are then not read.",
    )
    backend_connect_timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds to wait for a connection to the backend."
    )
    backend_idle_timeout_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds that the backend may send nothing before the turn fails.",
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
    default_instructions: str | None = Field(
        default=None,
        description="What the model is told when neither the request nor its history says.",
    )
    inherit_instructions: bool = Field(
        default=True,
        description="Whether instructions carry forward along previous_response_id. "
        "OpenAI itself does not carry them: set false for its behaviour.",
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
    guard_policy: str | None = Field(
        default=None,
        description="The YAML file with the guard's policy. Set: every turn is judged, also those "
        "whose gateway does not ask for it.",
    )
    guard_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for the guard's verdict."
    )

    trace_content: bool = Field(
        default=False,
        description="Whether traces say what users and models said (`gen_ai.input.messages`, "
        "`gen_ai.output.messages`). Whoever reads traces then reads conversations.",
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
