"""Settings: environment variables with one prefix, shared by name across the services."""

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_access.nkey import NoSeedError, public_key
from turnwire_chassis.broker_access.server_urls import ServerUrlsText
from turnwire_chassis.secrecy.redaction import REDACTED, harmless
from turnwire_chassis.setting_names import (
    CLIENT_NAMES,
    SETTING_NAMES,
    TEST_PREFIX,
    is_service_link,
)
from turnwire_chassis.yaml_place import PlaceError

PREFIX = "TURNWIRE_"
_SIMILAR = 0.75


class SettingsError(Exception):
    """A setting is misspelt or has a value that cannot be; the text says which and what to do."""


def _readable(path: Path) -> Path:
    try:
        path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    return path


def _with_seed(path: Path) -> Path:
    try:
        public_key(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except (NoSeedError, UnicodeDecodeError):
        # Whatever is in there, it may be a secret.
        raise ValueError("holds no seed of an nkey, which looks like SU…") from None
    return path


Existing = Annotated[Path, AfterValidator(_readable)]
Seed = Annotated[Path, AfterValidator(_with_seed)]


class BrokerSettings(BaseSettings):
    """Who a process is at the broker; the files are read when it connects."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    nats_nkey_seed_file: Seed | None = Field(
        default=None,
        description="A file with the seed of the nkey that the broker knows this process by. "
        "`turnwire up` makes one for each process.",
    )
    nats_credentials: Existing | None = Field(
        default=None,
        description="A credentials file (JWT and seed) instead of an nkey, for brokers with "
        "accounts.",
    )
    nats_ca: Existing | None = Field(
        default=None,
        description="A file with the certificates that a broker with `tls://` is checked by, "
        "instead of the system's.",
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_service_links(cls, values: Mapping[str, object]) -> Mapping[str, object]:
        return {
            name: value
            for name, value in values.items()
            if not (isinstance(value, str) and is_service_link(PREFIX + name, value))
        }

    @field_validator("nats_credentials")
    @classmethod
    def _is_alone(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and info.data.get("nats_nkey_seed_file") is not None:
            raise ValueError("stands beside TURNWIRE_NATS_NKEY_SEED_FILE; only one of them can be")
        return path

    @property
    def broker_access(self) -> Access:
        """What a connection shows the broker."""
        return Access(self.nats_nkey_seed_file, self.nats_credentials, self.nats_ca)


class ServiceSettings(BrokerSettings):
    """What every service can be told."""

    nats_url: ServerUrlsText = Field(
        default="nats://127.0.0.1:4222",
        description="The broker: the URL of a server, or several of a cluster with commas between "
        "them. With `turnwire up`: set it to use that one, and none is started.",
    )
    log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        description="The least important facts that are logged: debug, info, warning or error.",
    )
    health_host: str = Field(
        default="127.0.0.1", description="The address on which a service reports its health."
    )
    health_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="The port on which a service answers `GET /livez`, `/readyz`, `/healthz` and "
        "`/metrics`; 0: none.",
    )
    metrics: bool = Field(
        default=True,
        description="Whether a service counts, and answers `GET /metrics` on its health port.",
    )
    drain_s: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds that a service takes after SIGTERM to finish what it has begun; 0: it "
        "hands over at once.",
    )
    stream_replicas: int = Field(
        default=1,
        ge=1,
        le=5,
        description="How many broker nodes keep each stream; 3 in a cluster of three.",
    )


class RetentionSettings(ServiceSettings):
    """What the services can be told that keep or read responses; all must be told the same."""

    retention_days: float = Field(
        default=30.0,
        ge=0,
        allow_inf_nan=False,
        description="Days that a response is kept from its `created_at` on, fractions allowed; 0: "
        "for ever. What is in a conversation stays until that is deleted.",
    )


SettingsT = TypeVar("SettingsT", bound=BaseSettings)
ReadT = TypeVar("ReadT")


def load(settings: type[SettingsT]) -> SettingsT:
    """Read the settings of a service from its environment.

    Raises `SettingsError` for a misspelt name and for a value that cannot be.
    """
    refuse_misspelt(os.environ)
    try:
        return settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_problem(detail) for detail in error.errors())) from error


def refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Raise `SettingsError` if a variable looks like a misspelt setting of Turnwire.

    A name that resembles none is left alone: it may belong to somebody's own scripts.
    """
    for name, value in environ.items():
        if not name.startswith((PREFIX, PREFIX.removesuffix("_"))) or name in SETTING_NAMES:
            continue
        if name in CLIENT_NAMES or name.startswith(TEST_PREFIX) or is_service_link(name, value):
            continue
        near = difflib.get_close_matches(name, sorted(SETTING_NAMES), n=1, cutoff=_SIMILAR)
        if near:
            raise SettingsError(
                f"{name} is not a setting of Turnwire. Did you mean {near[0]}? "
                "docs/settings.md lists them all."
            )


def read_file(setting: str, path: Path, read: Callable[[str, str], ReadT]) -> ReadT:
    """Read the YAML file that a setting names; `read` gets its text and what complaints call it.

    Raises `SettingsError`.
    """
    try:
        return read(path.read_text(encoding="utf-8"), str(path))
    except PlaceError as error:
        raise SettingsError(str(error)) from error
    except OSError as error:
        raise _unreadable(setting, path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(setting, path, "it is not UTF-8") from error


def _unreadable(setting: str, path: Path, reason: str) -> SettingsError:
    return SettingsError(f"{setting}: {path} cannot be read: {reason}")


def _problem(detail: Any) -> str:
    name = PREFIX + "_".join(str(part) for part in detail["loc"]).upper()
    said = detail["msg"].removeprefix("Value error, ")
    return f"{name}: {said} (it is {harmless(name, _without_credentials(detail['input']))})"


def _without_credentials(value: object) -> str:
    """A value for people, without what a URL says before its last `@`."""
    shown = repr(value)
    _, separator, rest = shown.rpartition("@")
    return f"'{REDACTED}@{rest}" if separator else shown
