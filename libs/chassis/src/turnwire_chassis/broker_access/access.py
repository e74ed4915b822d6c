"""What a connection shows the broker: who it is, and by whom it wants the broker vouched for."""

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
    """Who vouches for a broker that speaks TLS, instead of whom the system trusts."""

    def options(self) -> dict[str, Any]:
        """Give what the client of nats-py is told. Raises OSError for a CA file."""
        told: dict[str, Any] = {}
        if self.seed_file is not None:
            told["nkeys_seed"] = str(self.seed_file)
        if self.credentials_file is not None:
            told["user_credentials"] = str(self.credentials_file)
        if self.ca_file is not None:
            told["tls"] = ssl.create_default_context(cafile=str(self.ca_file))
        return told


NO_ACCESS = Access()
"""For a broker that asks nobody who they are."""
