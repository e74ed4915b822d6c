"""Ports: whether one can be had, and which ones the parts of this data folder use."""

import errno
import socket
import zlib
from collections.abc import Collection
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the range from which systems take ports for outgoing connections (32768 up): a service that
# calls a dead broker again and again could otherwise be given the broker's own port, connect to
# itself, and keep the broker out.
FIRST, COUNT = 20_000, 10_000
ANY_ADDRESS = {"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}  # noqa: S104 # nosec B104 - named, not bound


def port_problem(host: str, port: int) -> str:
    """Say why no server can listen there now; empty: one can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: a port that only remembers closed connections is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return _in_words(error)
    return ""


def choose(names: Collection[str], data_dir: Path, taken: int) -> dict[str, int]:
    """Choose a free loopback port for each name; `taken` is left out.

    The search starts at a number that belongs to the folder, so a folder keeps its ports while
    no other process has them. Raises `OSError` when there are none.
    """
    start = zlib.crc32(str(data_dir).encode())
    chosen: dict[str, int] = {}
    waiting = list(names)
    for step in range(COUNT):
        if not waiting:
            return chosen
        port = FIRST + (start + step) % COUNT
        if port != taken and not port_problem(LOOPBACK, port):
            chosen[waiting.pop(0)] = port
    raise OSError(errno.EADDRINUSE, "no free port on the loopback address")


def http_url(host: str, port: int) -> str:
    """Give the URL by which this machine reaches a server that listens on `host`."""
    reachable = ANY_ADDRESS.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _in_words(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "is in use"
    if error.errno == errno.EACCES:
        return "needs more rights than this user has"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return "is not an address of this machine"
    return error.strerror or str(error)
