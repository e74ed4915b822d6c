"""The store as a process, between a real broker and a real database that come and go."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from nats.aio.client import Client
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from turnwire_chassis.broker import connect
from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask
from turnwire_contracts import queries
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import ResponseId
from turnwire_dev.components.mongo import running_mongo
from turnwire_dev.components.nats import running_nats
from turnwire_store.jetstream_view_keys import JetStreamViewKeys
from turnwire_store.mongo.conversations import from_conversation
from turnwire_store.mongo.documents import to_document
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.sealing import CONVERSATION, TURN, Document, FieldSealing, MasterKeys
from turnwire_testing import examples, waiting
from turnwire_testing.examples import CONVERSATION_ID, TENANT, closed, fresh_id, requested
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.memory_views import MemoryGenerations
from turnwire_testing.servers import mongodb_is_embedded
from turnwire_testing.service_processes import ServiceProcess, StartService, service_processes

pytestmark = pytest.mark.process

WITHIN_S = 40
STOPS_WITHIN_S = 30.0  # One is promised; the others are for a busy machine.
Documents = dict[str, Document]


@dataclass(frozen=True)
class Machine:
    """A broker and a database of this test alone, and what runs on them."""

    folder: Path
    nats_url: str
    mongodb_url: str
    client: Client
    event_log: JetStreamEventLog
    mirror: MemoryFeeds
    database: AsyncMongoClient[Document]
    start_store: StartService
    stores: list[ServiceProcess]

    async def start(self, *arguments: str) -> ServiceProcess:
        """Start the store."""
        settings = {"TURNWIRE_MONGODB_URL": self.mongodb_url, "TURNWIRE_RETENTION_DAYS": "0"}
        store = await self.start_store(self.nats_url, *arguments, **settings)
        self.stores.append(store)
        return store

    async def health(self) -> int:
        """Give the status of the first one's health check; 0 when nothing answers."""
        return await self.stores[0].health()

    async def append(self, *events: AnyEvent | AnyConversationEvent) -> None:
        """Append events, and know of them."""
        for event in events:
            await self.event_log.append(event, None)
            await self.mirror.append(event, None)

    async def write_turns(self, count: int, parent: ResponseId | None = None) -> ResponseId:
        """Write turns that follow one another; gives the last one's id."""
        for _ in range(count):
            about = {"response_id": fresh_id()}
            start = requested(**about, previous_response_id=parent, conversation=CONVERSATION_ID)
            await self.append(start, closed(**about))
            parent = about["response_id"]
        assert parent is not None
        return parent

    async def documents(self, collection: str = "responses") -> Documents:
        """Give all views that the database has; none while it does not answer."""
        found = self.database.get_default_database()[collection].find()
        sealing = FieldSealing(JetStreamViewKeys(self.client, MasterKeys([])))
        field = TURN if collection.startswith("responses") else CONVERSATION
        try:
            opened = await sealing.opened(await found.to_list(None), field)
            return {document["_id"]: document for document in opened}
        except PyMongoError:
            return {}

    async def expected(self, kind: str = "responses") -> Documents:
        """Give all views of turns, or of conversations, that it should have."""
        generations = MemoryGenerations()
        ports = ProjectorPorts(self.mirror, self.mirror, generations, RecentTurns(0))
        async for behind in Projector(ports).follow(0):
            if behind == 0:
                break
        views = generations.views(0)
        if kind == "conversations":
            told = views.conversations.written
            return {one: from_conversation(view) for one, view in told.items()}
        return {one: to_document(view) for one, view in views.written.items()}

    async def becomes_right(self, collection: str = "responses") -> None:
        """Wait until the views are what they should be."""
        expected = await self.expected(collection.partition("_")[0])

        async def right() -> bool:
            return await self.documents(collection) == expected

        await eventually(right)


async def eventually(fact: Callable[[], Awaitable[bool]]) -> None:
    await waiting.eventually(fact, WITHIN_S)


def kill(program: str) -> None:
    """Kill a server of this test; its supervisor starts it again."""
    for child in psutil.Process().children(recursive=True):
        if child.status() != psutil.STATUS_ZOMBIE and program in " ".join(child.cmdline()[:2]):
            child.kill()


needs_a_server_to_kill = pytest.mark.skipif(
    not mongodb_is_embedded(), reason="the server that is given is not ours to kill"
)


@pytest.fixture
async def machine(tmp_path: Path, database_url: str) -> AsyncGenerator[Machine]:
    """A machine on which no store runs yet; after the test nothing runs.

    The database is a server of its own, or a database of its own on the server that is given.
    """
    embedded = running_mongo(tmp_path / "mongo")
    async with (
        running_nats(tmp_path / "nats") as nats_url,
        embedded if mongodb_is_embedded() else nullcontext(database_url) as mongodb_url,
        AsyncMongoClient[Document](mongodb_url, datetime_conversion="DATETIME_MS") as database,
        service_processes("turnwire_store", tmp_path) as start,
    ):
        client = await connect(nats_url, "test")
        log = JetStreamEventLog(client, await topology.declare(client, 1))
        where = (tmp_path, nats_url, mongodb_url)
        yield Machine(*where, client, log, MemoryFeeds(), database, start, [])
        await client.close()


async def test_what_was_written_can_be_read_at_once_and_has_its_view_soon(
    machine: Machine,
) -> None:
    await machine.start()
    await is_answered(machine)

    last = await machine.write_turns(5)

    await is_found(machine, last)
    asked = queries.AskForHistory(TENANT, last)
    told = await ask(machine.client, queries.STORE_HISTORY, asked, 5)
    assert isinstance(told, queries.History) and len(told.turns) == 5  # noqa: PT018 -- one fact
    await machine.becomes_right()
    assert await machine.health() == 200
    await machine.stores[0].says(
        "generation 0, checkpoint 10 of the log's 10, at most 0 events behind; "
        "this process writes the views"
    )


async def test_it_stops_within_a_second_and_goes_on_where_it_was(machine: Machine) -> None:
    store = await machine.start()
    last = await machine.write_turns(5)
    await machine.becomes_right()

    assert await store.stop() < STOPS_WITHIN_S

    await machine.write_turns(5, last)
    await machine.start()
    await machine.becomes_right()


@needs_a_server_to_kill
async def test_a_database_killed_in_mid_projection_loses_and_doubles_nothing(
    machine: Machine,
) -> None:
    await machine.start()
    await is_answered(machine)
    writing = asyncio.create_task(machine.write_turns(1500))
    projected = 0

    async def went_on() -> bool:
        return len(await machine.documents()) > projected

    for _ in range(3):
        await eventually(went_on)
        kill("secantusd-py")
        projected = len(await machine.documents())
    last = await writing

    await is_found(machine, last)
    await machine.becomes_right()


async def test_a_broker_that_was_killed_is_found_again(machine: Machine) -> None:
    await machine.start()
    last = await machine.write_turns(20)
    await machine.becomes_right()

    kill("nats-server")
    await topology.declare(machine.client, 1)
    last = await machine.write_turns(20, last)
    await machine.becomes_right()
    await is_answered(machine)


async def test_it_waits_for_a_database_that_comes_later(machine: Machine) -> None:
    folder = machine.folder / "late"
    async with running_mongo(folder) as url:
        pass
    late = replace(machine, mongodb_url=url)
    await late.start()
    await late.write_turns(3)

    async def sick() -> bool:
        return await late.health() == 503

    await eventually(sick)

    client = AsyncMongoClient[Document](url, datetime_conversion="DATETIME_MS")
    async with running_mongo(folder), client as database:
        await replace(late, database=database).becomes_right()
        assert await late.health() == 200


async def test_wiped_views_are_rebuilt_the_same(machine: Machine) -> None:
    store = await machine.start()
    last = await machine.write_turns(20)
    await machine.write_turns(5, last)
    await machine.write_turns(5, last)
    await machine.becomes_right()
    await store.kill()

    await machine.database.drop_database(machine.database.get_default_database().name)

    await machine.start()
    await machine.becomes_right()


async def test_views_that_are_dropped_under_a_running_store_come_back(machine: Machine) -> None:
    await machine.start()
    last = await machine.write_turns(20)
    await machine.becomes_right()

    await machine.database.drop_database(machine.database.get_default_database().name)

    await machine.write_turns(1, last)
    await machine.becomes_right()


async def test_views_are_built_anew_while_the_old_ones_serve(machine: Machine) -> None:
    await machine.start()
    last = await machine.write_turns(250)
    await machine.becomes_right()

    rebuild = await machine.start("rebuild")
    assert await rebuild.ended() == 0

    assert await machine.documents("responses_1") == await machine.expected()
    last = await machine.write_turns(2, last)
    await machine.becomes_right("responses_1")
    await machine.write_turns(2, last)
    await machine.becomes_right("responses_1")


async def test_a_second_store_takes_over_from_one_that_was_killed(machine: Machine) -> None:
    first = await machine.start()
    last = await machine.write_turns(10)
    await machine.becomes_right()
    await machine.start()
    await is_answered(machine)

    await first.kill()

    await machine.write_turns(10, last)
    await machine.becomes_right()


async def test_conversations_and_changed_turns_are_built_anew_the_same(machine: Machine) -> None:
    await machine.start()
    await machine.append(examples.conversation_created())
    ids = [await machine.write_turns(1) for _ in range(6)]
    await machine.append(
        examples.conversation_updated(), examples.turn_added(), examples.deleted(response_id=ids[1])
    )
    await machine.append(
        examples.deleted(response_id=ids[2]), examples.restored(response_id=ids[2])
    )
    await machine.append(examples.purged(response_id=ids[3]))
    await machine.becomes_right()
    await machine.becomes_right("conversations")

    rebuild = await machine.start("rebuild")
    assert await rebuild.ended() == 0

    assert await machine.documents("responses_1") == await machine.expected()
    assert await machine.documents("conversations_1") == await machine.expected("conversations")


async def test_a_store_killed_while_it_erases_goes_on_until_nothing_is_left(
    machine: Machine,
) -> None:
    store = await machine.start()
    ids = [await machine.write_turns(1) for _ in range(60)]
    await machine.becomes_right()
    await machine.append(*(examples.purged(response_id=one) for one in ids[:50]))

    async def erasing() -> bool:
        return len(await machine.event_log.read(TENANT, ids[0])) == 1

    await eventually(erasing)
    await store.kill()
    await machine.start()

    await machine.becomes_right()

    async def erased() -> bool:
        left = [await machine.event_log.read(TENANT, one) for one in ids[:50]]
        return all(len(events) == 1 for events in left)

    await eventually(erased)
    assert set(await machine.documents()) == set(ids[50:])


async def test_what_was_said_in_a_purged_turn_stands_in_no_file_of_the_log(
    machine: Machine,
) -> None:
    await machine.start()
    secret = uuid4().hex
    about = {"response_id": fresh_id()}
    await machine.append(requested(**about, input=[examples.user(secret)]), closed(**about))
    await machine.becomes_right()
    assert stands_in(machine.folder / "nats", secret)

    await machine.append(examples.purged(**about))

    async def erased() -> bool:
        return not stands_in(machine.folder / "nats", secret)

    await eventually(erased)


async def test_a_deletion_that_a_store_could_not_hear_is_known_to_it(machine: Machine) -> None:
    await machine.start()
    last = await machine.write_turns(5)
    await machine.becomes_right()
    await is_found(machine, last)

    kill("nats-server")
    await topology.declare(machine.client, 1)
    await machine.append(examples.deleted(response_id=last))

    await is_answered(machine)
    asked = queries.AskForResponse(TENANT, last)
    found = await ask(machine.client, queries.STORE_RESPONSE, asked, 10)
    assert isinstance(found, queries.Found)
    assert found.turn.deleted


def stands_in(folder: Path, text: str) -> bool:
    return any(text.encode() in file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def is_answered(machine: Machine) -> None:
    async def answered() -> bool:
        try:
            return (await ask(machine.client, queries.STORE_HEALTH, queries.AskForHealth(), 2)).ok
        except UnansweredQueryError:
            return False

    await eventually(answered)


async def is_found(machine: Machine, response_id: ResponseId) -> None:
    asked = queries.AskForResponse(TENANT, response_id)
    assert isinstance(await ask(machine.client, queries.STORE_RESPONSE, asked, 10), queries.Found)
