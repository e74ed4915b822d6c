"""Servers from images that are on this machine already; nothing is ever pulled."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

NATS_IMAGE = os.environ.get("TURNWIRE_TEST_NATS_IMAGE", "nats:2.11")
MONGODB_IMAGE = os.environ.get("TURNWIRE_TEST_MONGODB_IMAGE", "mongo:8")

_SOCKETS = (Path("/var/run/docker.sock"), Path("/run/podman/podman.sock"))
_ANSWER_S = 2

_REPLICA_SET = "rs0"
_MONGODB_PORT = 27017
_ALREADY_MADE = 23
_STARTS_WITHIN_S = 60.0
_AGAIN_S = 0.1

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
    """Run the database's image as a replica set of one node; yields its URL."""
    _prepare()
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 -- only where an engine may be there

    command = f"mongod --replSet {_REPLICA_SET} --bind_ip_all"
    container = DockerContainer(MONGODB_IMAGE).with_exposed_ports(_MONGODB_PORT)
    with container.with_command(command) as running:
        host, port = running.get_container_host_ip(), running.get_exposed_port(_MONGODB_PORT)
        # The set knows its node by another address, so that the node is asked directly.
        url = f"mongodb://{host}:{port}/turnwire?directConnection=true"
        make_replica_set(url)
        yield url


def make_replica_set(url: str) -> None:
    """Make the server its own replica set, and wait until it is the primary.

    Twice is the same as once. Raises `TimeoutError`.
    """
    member = {"_id": 0, "host": f"localhost:{_MONGODB_PORT}"}
    until = time.monotonic() + _STARTS_WITHIN_S
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=1000) as client:
        while time.monotonic() < until:
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return
                client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": [member]})
            except OperationFailure as error:
                # It was made in the round before this one.
                if error.code != _ALREADY_MADE:
                    raise
            except ConnectionFailure:
                pass
            time.sleep(_AGAIN_S)
    raise TimeoutError(f"{MONGODB_IMAGE} was no primary within {_STARTS_WITHIN_S:g} s")


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
