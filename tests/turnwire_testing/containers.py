"""Servers from images that are on this machine already; nothing is ever pulled."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

NATS_IMAGE = os.environ.get("TURNWIRE_TEST_NATS_IMAGE", "nats:2.11")
MONGODB_IMAGE = os.environ.get("TURNWIRE_TEST_MONGODB_IMAGE", "mongo:8")

_SOCKETS = (Path("/var/run/docker.sock"), Path("/run/podman/podman.sock"))
_ANSWER_S = 2

# Ryuk would be pulled; the mode is the one that docker and podman both understand.
_SETTINGS = {
    "TESTCONTAINERS_RYUK_DISABLED": "true",
    "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
}


def has_image(name: str) -> bool:
    """Tell whether an engine answers here and has the image."""
    address = _engine()
    if address is None:
        return False
    # Importing it takes 0.3 s, which most machines need not spend.
    import docker  # noqa: PLC0415 -- only where an engine may be there
    from docker.errors import DockerException  # noqa: PLC0415 -- only where an engine may be there

    try:
        client = docker.DockerClient(base_url=address, timeout=_ANSWER_S)
        client.images.get(name)
    except (DockerException, OSError):
        return False
    return True


@contextmanager
def nats() -> Generator[str]:
    """Run the broker's image; yields its URL."""
    _prepare()
    from testcontainers.community.nats import NatsContainer  # noqa: PLC0415 -- only where an engine may be there

    with NatsContainer(NATS_IMAGE, jetstream=True) as container:
        yield container.nats_uri()


@contextmanager
def mongodb() -> Generator[str]:
    """Run the database's image; yields its URL."""
    _prepare()
    from testcontainers.community.mongodb import MongoDbContainer  # noqa: PLC0415 -- only where an engine may be there

    with MongoDbContainer(MONGODB_IMAGE) as container:
        yield f"{container.get_connection_url()}/turnwire?authSource=admin"


def _engine() -> str | None:
    if given := os.environ.get("DOCKER_HOST"):
        parts = urlsplit(given)
        return given if parts.scheme != "unix" or Path(parts.path).exists() else None
    return next((f"unix://{path}" for path in _SOCKETS if path.exists()), None)


def _prepare() -> None:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    if (address := _engine()) is not None:
        os.environ.setdefault("DOCKER_HOST", address)
