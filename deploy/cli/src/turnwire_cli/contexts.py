"""Servers by name, with their keys, in a file that only its owner can read."""

import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class BadContextError(Exception):
    """The file cannot be used, or has no such context; the text says the way out."""


@dataclass(frozen=True, slots=True)
class ServerContext:
    """One server, and who we are there."""

    url: str
    api_key: str = ""


@dataclass(slots=True)
class ContextFile:
    """All contexts, and which is used if none is said."""

    contexts: dict[str, ServerContext] = field(default_factory=dict[str, ServerContext])
    current: str = ""

    def get(self, name: str) -> ServerContext:
        """Give a context by its name. Raises `BadContextError`."""
        if name not in self.contexts:
            there = ", ".join(self.contexts) or "none"
            raise BadContextError(f"There is no context {name}; there is: {there}.")
        return self.contexts[name]


def place() -> Path:
    """Give the place of the file: `$XDG_CONFIG_HOME/turnwire`, else `~/.config/turnwire`."""
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "turnwire" / "contexts.json"


def read(path: Path) -> ContextFile:
    """Read the file; without one there are no contexts.

    Raises `BadContextError`, also where others than its owner may read it.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ContextFile()
    except OSError as error:
        raise BadContextError(f"{path} cannot be read: {error}") from error
    if os.name == "posix" and mode & _OTHERS:
        raise BadContextError(
            f"{path} has keys, and others than you may read it. Run: chmod 600 {path}"
        )
    try:
        said: dict[str, Any] = json.loads(text)
        found = {name: ServerContext(**each) for name, each in said["contexts"].items()}
        return ContextFile(found, said.get("current", ""))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadContextError(f"{path} is no file of contexts: {error!r}. Move it away.") from error


def write(path: Path, contexts: ContextFile) -> None:
    """Write the file whole or not at all, for its owner alone. Raises `BadContextError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made with mode 0600; it takes the place of the old file at once.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".contexts-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(contexts), file, indent=2)
            file.write("\n")
        Path(name).replace(path)
    except OSError as error:
        raise BadContextError(f"{path} cannot be written: {error}") from error
