"""Ports that servers of tests are told to listen on, by tests that run side by side."""

import errno
import itertools
import os
import random
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

from turnwire_dev.instance.ports import COUNT, LOOPBACK

# Below those that the system gives to outgoing connections, and those that `turnwire up` chooses.
_FIRST = 12_000
_WORKERS = 16
_PORTS_A_WORKER = 500
_PORTS_OF_PARTS = 50


def free_port() -> int:
    """A port that nobody has, and that is given to nobody else.

    Each worker of pytest-xdist has ports of its own, and gives each once until all were given.
    """
    for port in itertools.islice(_own, _PORTS_A_WORKER):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise OSError(errno.EADDRINUSE, "no free port on the loopback address")


def with_own_ports(data_dir: Path) -> Path:
    """Give a data folder for whose parts `turnwire up` chooses ports that no other worker is given.

    It begins to look at a number that comes from the folder's name, so the name decides. Two that
    start at once would not see each other's ports as taken.
    """
    share = COUNT // _WORKERS
    others = (data_dir.with_name(f"{data_dir.name}-{number}") for number in itertools.count())
    folders = itertools.chain([data_dir], others)
    starts = ((folder, zlib.crc32(str(folder).encode()) % COUNT) for folder in folders)
    return next(
        folder
        for folder, start in starts
        if start // share == _worker() and start % share < share - _PORTS_OF_PARTS
    )


def _worker() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS


def _ports_of(worker: int) -> Iterator[int]:
    first = _FIRST + worker * _PORTS_A_WORKER
    # Another run of tests on this machine begins elsewhere.
    start = random.SystemRandom().randrange(_PORTS_A_WORKER)
    return (first + (start + step) % _PORTS_A_WORKER for step in itertools.count())


_own = _ports_of(_worker())
