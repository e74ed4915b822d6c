"""The secrets of a data folder that cannot be made again, and where each may come from instead."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from turnwire_chassis.broker_authorization.rights import User
from turnwire_dev.commands.backups.manifest import SecretFile, sha256_of
from turnwire_dev.components.secrets_of import KEY_PEPPER, SEAL_KEY, VIEW_KEY
from turnwire_dev.instance.folder import DataFolder

FOLDER: Final = "secrets"
"""Where they lie in a backup."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One of them."""

    name: str
    """Below the data folder."""
    setting: str | None
    """The setting that replaces the file."""
    lost: str
    """What is lost without it."""


SECRETS: Final = (
    Secret("nats.key", None, "a log that is encrypted, and a backup of it, cannot be read"),
    Secret("key.pepper", KEY_PEPPER, "no API key works any more"),
    Secret("view.key", VIEW_KEY, "the views have to be rebuilt"),
    Secret("seal.key", SEAL_KEY, "turns that run lose their MCP credentials, keys their webhooks"),
    *(Secret(f"nats-users/{user}.seed", None, "the broker here makes new ones") for user in User),
)


def there(folder: DataFolder) -> Iterator[Secret]:
    """Give those that the data folder has."""
    return (each for each in SECRETS if (folder.path / each.name).exists())


def replaced(environment: Mapping[str, str]) -> set[str]:
    """Name those that the environment replaces."""
    return {each.name for each in SECRETS if each.setting and environment.get(each.setting)}


def copy_into(backup: Path, folder: DataFolder) -> list[SecretFile]:
    """Copy them into a backup, readable by their owner only. Raises OSError."""
    copied: list[SecretFile] = []
    for each in there(folder):
        place = Path(FOLDER) / each.name
        copy_private(folder.path / each.name, backup / place)
        copied.append(SecretFile(each.name, str(place), sha256_of(backup / place)))
    return copied


def copy_private(source: Path, target: Path) -> None:
    """Copy a file into a folder that is made if it is missing. Raises OSError."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as read, os.fdopen(descriptor, "wb") as written:
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())
