"""How many files a reader opens: those whose functions one request, one turn, one event enters.

Each service runs in this process, as in its unit tests: real code, doubles behind the ports to the
broker and to other services. `make paths` shows the files.
"""

import asyncio
import sys
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import nats

from architecture.house import ROOT
from scripted_backend import says
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.recent_turns import RecentTurns
from turnwire_testing.examples import closed, requested
from turnwire_testing.gateway import Api
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.memory_view_keys import MemoryViewKeys
from turnwire_testing.orchestration import World
from turnwire_testing.samples import events_of
from turnwire_testing.servers import mongodb_server, nats_server

MOST_FILES: Final = {"gateway": 14, "orchestrator": 19, "store": 14}
"""For one plain request, one plain turn, one event that ends a turn.

An orchestrator has hardly fewer while a module has 300 lines at most: seven of them read what a
backend streams in whatever dialect, four write what it is asked, two decide, six drive the turn.
A store has four for MongoDB beside its three collections (server, documents, writing, generations),
two for the loop and what a batch leads to, and two for lists: what they say, and where it is kept.
"""

_MEMORY: Final = 1024 * 1024


async def request_path(nats_url: str) -> list[str]:
    """Give the files of the gateway that a plain request enters."""
    client = await nats.connect(nats_url)
    try:
        api = Api(client)
        await api.create()  # What is made once a process is made.
        with entered("gateway") as files:
            exchange = await api.create()
        assert exchange.status == 200, exchange.json
    finally:
        await client.close()
    return sorted(files)


async def turn_path() -> list[str]:
    """Give the files of the orchestrator that a plain turn enters."""
    world = World()
    world.backend.plays(*events_of(says("Hel", "lo")))
    request = await world.request()
    orchestrator, delivery = world.orchestrator(), await world.delivery(request)
    with entered("orchestrator") as files:
        await orchestrator.requested(delivery)
    assert world.answer[0] == 200, world.answer
    return sorted(files)


async def event_path(mongodb_url: str) -> list[str]:
    """Give the files of the store that a `closed` enters, from the feed to the checkpoint."""
    feeds = MemoryFeeds()
    generations = MongoGenerations(mongodb_url, MemoryViewKeys())
    ports = ProjectorPorts(feeds, feeds, generations, RecentTurns(_MEMORY))
    projecting = asyncio.create_task(Projector(ports).run())
    try:
        await feeds.append(requested(), None)
        await _taken(feeds, projecting)
        with entered("store") as files:
            await feeds.append(closed(), None)
            await _taken(feeds, projecting)
        written = await generations.views(0).find(closed().response_id)
        assert written is not None
    finally:
        projecting.cancel()
        await asyncio.wait({projecting})
        await generations.close()
    return sorted(files)


async def _taken(feeds: MemoryFeeds, projecting: asyncio.Task[None]) -> None:
    """Wait until the projection has taken all there is, and asks for more."""
    async with asyncio.timeout(30):
        while feeds.more.is_set():
            assert not projecting.done(), projecting
            await asyncio.sleep(0.01)


@contextmanager
def entered(service: str) -> Generator[set[str]]:
    """Collect the files of a service, from its package on, whose functions run meanwhile."""
    package = f"{ROOT}/services/{service}/src/turnwire_{service}/"
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        place = frame.f_code.co_filename
        if event == "call" and place.startswith(package):
            files.add(place.removeprefix(package))

    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(None)


def _show(service: str, what: str, files: Iterable[str]) -> None:
    listed = list(files)
    print(f"{service}: {what} opens {len(listed)} files, {MOST_FILES[service]} at most")  # noqa: T201 -- what `make paths` says
    for each in listed:
        print(f"  {each}")  # noqa: T201 -- see above


def main() -> None:
    """Print what each service opens."""
    with tempfile.TemporaryDirectory() as folder:
        with nats_server(Path(folder) / "nats") as url:
            request = asyncio.run(request_path(url))
        turn = asyncio.run(turn_path())
        with mongodb_server(Path(folder) / "mongodb") as url:
            event = asyncio.run(event_path(url))
    _show("gateway", "a plain request", request)
    _show("orchestrator", "a plain turn", turn)
    _show("store", "an event", event)


if __name__ == "__main__":
    main()
