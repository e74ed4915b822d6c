"""The store's database: a server that speaks MongoDB's protocol, when no MongoDB is given.

Started and never imported: it is GPL-2.0-only (docs/adr/0004), and as a process it has an
interpreter of its own.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from turnwire_dev.components import installed
from turnwire_dev.components.secrets_of import without_settings
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_dev.supervision.probe import accepts_tcp
from turnwire_dev.supervision.process import ChildSpec, StopOrder
from turnwire_dev.supervision.supervisor import running

NAME = "mongo"

# retryWrites: its bookkeeping of retryable writes is linear in their number (880 writes a second
# fall to 150).
# journal: without it a kill loses the last acknowledged writes. Measured with secantusdb 0.7.0b3.
_OPTIONS = "directConnection=true&retryWrites=false&journal=true&maxPoolSize=16"


def mongodb_url(port: int) -> str:
    """Where the store finds the server that listens on that port; its database is `turnwire`."""
    return f"mongodb://{LOOPBACK}:{port}/turnwire?{_OPTIONS}"


def mongo_child(folder: DataFolder, port: int) -> ChildSpec:
    """How to start it. Raises PartMissingError."""
    program = str(installed.secantusd())
    address = ("--host", LOOPBACK, "--port", str(port))
    # --sync-on-commit: the client's journal option does not cover transactions on this server.
    storage = ("--storage-path", str(folder.mongo), "--sync-on-commit")
    return ChildSpec(
        name=NAME,
        argv=(program, *address, *storage),
        environment=without_settings(os.environ),
        # It opens its storage before it listens.
        is_ready=accepts_tcp(LOOPBACK, port),
        log=folder.log(NAME),
        stop_order=StopOrder.INFRASTRUCTURE,
        port=port,
    )


@asynccontextmanager
async def running_mongo(data_dir: Path) -> AsyncGenerator[str]:
    """A server of its own with its data in `data_dir`; yields its URL. Stops in 2 s. For tests."""
    folder = DataFolder(data_dir)
    folder.prepare()
    port = choose((NAME,), data_dir, taken=0)[NAME]
    async with running(mongo_child(folder, port)):
        yield mongodb_url(port)
