"""The key that seals what requests say only to MCP servers: made once, kept in the data folder."""

import base64
import os
from pathlib import Path

_BYTES = 32


def seal_key(path: Path) -> str:
    """Give the key in this file; one that only its owner can read is made if there is none.

    The folder is held by one runner, so nobody else makes one meanwhile. Raises OSError.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        key = base64.b64encode(os.urandom(_BYTES)).decode("ascii")
    # A runner that is killed here leaves a whole file or none.
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return key
