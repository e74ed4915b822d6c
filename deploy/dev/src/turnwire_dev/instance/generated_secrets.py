"""Secrets of one data folder: made once, kept in a file that only its owner can read."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from turnwire_chassis.broker_access.nkey import new_seed

_BYTES = 32


def seal_key(path: Path) -> str:
    """Give the key that seals what requests say only to MCP servers. Raises OSError."""
    return _made_once(path, lambda: base64.b64encode(os.urandom(_BYTES)).decode("ascii"))


def seed(path: Path) -> str:
    """Give the seed by which the broker knows one of its users. Raises OSError."""
    return _made_once(path, new_seed)


def log_key(path: Path) -> str:
    """Give the key that the broker's files are encrypted with. Raises OSError."""
    return _made_once(path, lambda: secrets.token_hex(_BYTES))


def read_secret(path: Path) -> str | None:
    """Give a secret that is there; `None` if it was never made. Raises OSError."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _made_once(path: Path, make: Callable[[], str]) -> str:
    """Give what the file says; it is made if there is none.

    The folder is held by one runner, so no other process makes one meanwhile.
    """
    if (kept := read_secret(path)) is not None:
        return kept
    made = make()
    # A runner that is killed here leaves a whole file or none.
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{made}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return made
