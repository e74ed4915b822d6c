"""Files that authenticate a connection to the broker, and the broker to it."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Access:
    """Names of files; what is in them is read when a connection is made, and kept nowhere."""

    seed_file: Path | None = None
    """The seed of an nkey; beside it there is no credentials file."""
    credentials_file: Path | None = None
    """A JWT and its seed, as `nsc` writes them."""
    ca_file: Path | None = None
    """The certificates that a broker with TLS is checked by, instead of the system's."""

    def options(self) -> dict[str, Any]:
        """Give the arguments for `connect` of nats-py. Raises `OSError` for a CA file."""
        options: dict[str, Any] = {}
        if self.seed_file is not None:
            options["nkeys_seed"] = str(self.seed_file)
        if self.credentials_file is not None:
            options["user_credentials"] = str(self.credentials_file)
        if self.ca_file is not None:
            options["tls"] = ssl.create_default_context(cafile=str(self.ca_file))
        return options


NO_ACCESS = Access()
"""For a broker without authentication."""
