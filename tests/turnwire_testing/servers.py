"""Where a test's broker and database come from: given by URL, from a local image, or embedded."""

import asyncio
import os
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from threading import Thread

from turnwire_dev.components.mongo import running_mongo
from turnwire_dev.components.nats import running_nats
from turnwire_testing import containers

NATS_URL = "TURNWIRE_TEST_NATS_URL"
MONGODB_URL = "TURNWIRE_TEST_MONGODB_URL"

_START_S = 60.0
_STOP_S = 20.0


@contextmanager
def nats_server(data_dir: Path) -> Generator[str]:
    """Run a broker with JetStream, or use the one that is given; yields its URL."""
    if given := os.environ.get(NATS_URL):
        yield given
    elif containers.has_image(containers.NATS_IMAGE):
        with containers.nats() as url:
            yield url
    else:
        with held_open(running_nats(data_dir)) as url:
            yield url


def mongodb_is_embedded() -> bool:
    """Whether tests run against the embedded server, which they may kill."""
    given = os.environ.get(MONGODB_URL)
    return not given and not containers.has_image(containers.MONGODB_IMAGE)


@contextmanager
def mongodb_server(data_dir: Path) -> Generator[str]:
    """Run a database server, or use the one that is given; yields its URL."""
    if given := os.environ.get(MONGODB_URL):
        yield given
    elif containers.has_image(containers.MONGODB_IMAGE):
        with containers.mongodb() as url:
            yield url
    else:
        with held_open(running_mongo(data_dir)) as url:
            yield url


@contextmanager
def held_open(opening: AbstractAsyncContextManager[str]) -> Generator[str]:
    """Keep an asynchronous context open on a loop of its own: each test has another loop.

    Raises what entering raises.
    """
    url: Future[str] = Future()
    loop = asyncio.new_event_loop()
    leave = asyncio.Event()

    async def hold() -> None:
        try:
            async with opening as entered:
                url.set_result(entered)
                await leave.wait()
        except BaseException as error:
            if url.done():
                raise
            url.set_exception(error)

    def run() -> None:
        try:
            loop.run_until_complete(hold())
        finally:
            loop.close()

    thread = Thread(target=run, name="test server", daemon=True)
    thread.start()
    try:
        yield url.result(_START_S)
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(leave.set)
            thread.join(_STOP_S)
