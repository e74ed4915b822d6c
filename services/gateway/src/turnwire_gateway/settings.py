"""What the gateway can be told."""

from pydantic import Field

from turnwire_chassis.settings import ServiceSettings


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
    guard_policy: str | None = Field(
        default=None,
        description="The YAML file with the guard's policy. Set: every input is checked.",
    )
