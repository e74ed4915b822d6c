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
from turnwire_chassis.redaction import REDACTED, redacted_value
from turnwire_chassis.setting_names import (
    CLIENT_NAMES,
    SETTING_NAMES,
    TEST_PREFIX,
    is_service_link,
)
from turnwire_chassis.storage_space import DEFAULT_RESERVE_BYTES, MIB, StorageSpace
from turnwire_chassis.yaml_place import PlaceError

PREFIX = "TURNWIRE_"
OUTPUT_MAX_BYTES = 256 * MIB
_SIMILAR = 0.75


class SettingsError(Exception):
    """A setting is misspelt or has a value that cannot be; the text says which and what to do."""


def _readable(path: Path) -> Path:
    try:
        path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    return path


def _is_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("is no folder on this machine")
    return path


def _with_seed(path: Path) -> Path:
    try:
        public_key(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except (NoSeedError, UnicodeDecodeError):
        # The content may be a secret: it is not quoted.
        raise ValueError("holds no seed of an nkey, which looks like SU…") from None
    return path


Existing = Annotated[Path, AfterValidator(_readable)]
Folder = Annotated[Path, AfterValidator(_is_folder)]
Seed = Annotated[Path, AfterValidator(_with_seed)]


class BrokerSettings(BaseSettings):
    """How a process proves to the broker who it is; the files are read when it connects."""

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
        """The credentials and certificates for a connection to the broker."""
        return Access(self.nats_nkey_seed_file, self.nats_credentials, self.nats_ca)


class ServiceSettings(BrokerSettings):
    """The settings of every service."""

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
    output_max_bytes: int = Field(
        default=OUTPUT_MAX_BYTES,
        ge=MIB,
        description="How much the broker keeps of the frames of turns, in its memory, which takes "
        "up to three times as much; older ones are dropped. With `turnwire up` 64 MiB.",
    )
    storage_dir: Folder | None = Field(
        default=None,
        description="A folder on this machine, on whose disk the broker keeps its files: when that "
        "has less free than the reserve, new turns are refused (503 `storage_full`). `turnwire up` "
        "sets it. Unset: the broker alone says when it is full.",
    )
    storage_reserve_bytes: int = Field(
        default=DEFAULT_RESERVE_BYTES,
        ge=MIB,
        description="The free space at `TURNWIRE_STORAGE_DIR` that is left to finish what runs. A "
        "quarter of it must be free for views, a sixteenth for any event.",
    )

    @property
    def storage_space(self) -> StorageSpace:
        """The room on the broker's disk, where that is known."""
        return StorageSpace(self.storage_dir, self.storage_reserve_bytes)


class RetentionSettings(ServiceSettings):
    """What every service is told that keeps or reads responses; all must be told the same."""

    retention_days: float = Field(
        default=30.0,
        ge=0,
        allow_inf_nan=False,
        description="Days that a response is kept from its `created_at` on, fractions allowed; 0: "
        "for ever. What is in a conversation stays until that is deleted.",
    )


class GuardPolicySettings(ServiceSettings):
    """What every service is told that takes part in the guard's checks."""

    guard_policy: Path | None = Field(
        default=None,
        description="The YAML file that says what the guard checks; the guard reads it again when "
        "it changes. Set: the gateway has every input checked, and the orchestrator every turn, "
        "also those whose gateway does not ask for it. Unset: everything may pass.",
    )


class TurnSettings(RetentionSettings, GuardPolicySettings):
    """What the gateway and the orchestrator are told of turns; both must be told the same."""

    turn_timeout_s: float = Field(
        default=600.0, gt=0, description="Seconds that one turn may take in all."
    )
    background_timeout_s: float = Field(
        default=3600.0,
        gt=0,
        description="Seconds that a background turn may take from its request to its end, "
        "waiting in the queue included.",
    )
    max_queue_s: float = Field(
        default=10.0,
        gt=0,
        description="Seconds that a turn for which a client waits may wait for a place. One that "
        "would wait longer is refused with 503 and `Retry-After`. Background turns wait longer.",
    )
    guard_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for the guard's verdict."
    )
    inherit_instructions: bool = Field(
        default=True,
        description="Whether instructions carry forward along previous_response_id. "
        "OpenAI itself does not carry them: set false for its behaviour.",
    )


SettingsT = TypeVar("SettingsT", bound=BaseSettings)
ReadT = TypeVar("ReadT")


def load(settings: type[SettingsT], *, ignore_empty: bool = False, **given: object) -> SettingsT:
    """Read the settings of a service from its environment.

    `ignore_empty`: an empty variable is an unset one, as `turnwire up` has it; else what the class
    says holds. What is `given` stands in front of the environment.
    Raises `SettingsError` for a misspelt name and for a value that cannot be.
    """
    refuse_misspelt(os.environ)
    try:
        return settings(_env_ignore_empty=True if ignore_empty else None, **given)  # pyright: ignore[reportArgumentType] -- by name, as pydantic checks them
    except ValidationError as error:
        raise SettingsError("\n".join(_problem(detail) for detail in error.errors())) from error


def refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Raise `SettingsError` if a variable looks like a misspelt setting of Turnwire.

    A name that resembles none is left alone: it may belong to a script of the operator's.
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
    """Read the YAML file at `path`; `read` parses its text, and gets the name for its errors.

    Raises `SettingsError`, which names `setting`, if the file cannot be read or `read` raises
    `PlaceError`.
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
    reason = detail["msg"].removeprefix("Value error, ")
    return f"{name}: {reason} (it is {redacted_value(name, _without_credentials(detail['input']))})"


def _without_credentials(value: object) -> str:
    """A value for people, without what a URL says before its last `@`."""
    shown = repr(value)
    _, separator, rest = shown.rpartition("@")
    return f"'{REDACTED}@{rest}" if separator else shown
