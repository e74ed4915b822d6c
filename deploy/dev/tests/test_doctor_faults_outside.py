"""`turnwire doctor` finds what is wrong with broker, database, views and backends.

Each fault is seeded alone, where nothing else is wrong with what it is about.
"""

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from turnwire_chassis.api_keys.bucket import KeyBucket
from turnwire_chassis.api_keys.key_text import ID_BYTES, SECRET_BYTES, new_key
from turnwire_chassis.api_keys.record import KeyOwner, recorded
from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.jetstream import topology
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.queues import QUEUES
from turnwire_dev.commands.checks import CheckFailed
from turnwire_dev.components import installed
from turnwire_dev.components.nats import running_nats
from turnwire_dev.components.nats_security import secure
from turnwire_dev.instance.folder import DataFolder
from turnwire_store.sealing import MasterKeys, ViewKey
from turnwire_testing.faulty_machine import SILENT, Fault, Faults, Machine
from turnwire_testing.plain_http import Told, serving
from turnwire_testing.ports import free_port
from turnwire_testing.scripted_mongo import scripted_mongo

pytestmark = pytest.mark.process

FAULTS = Faults()


@FAULTS.of("broker", "does not answer", "Start it, or set TURNWIRE_NATS_URL")
async def broker_away(on: Machine) -> None:
    on.set(NATS_URL="nats://127.0.0.1:9")


@FAULTS.of("broker", "the broker refuses our credentials", "the seed of the user `operator`")
async def broker_that_does_not_know_us(on: Machine) -> None:
    folder = DataFolder(on.path / "theirs")
    folder.prepare()
    security = secure(folder, encrypted=False)
    on.set(NATS_URL=await on.opened.enter_async_context(running_nats(folder.path, security)))


@FAULTS.of("broker", "the broker refused: ", "turnwire broker-config")
async def rights_missing(on: Machine) -> None:
    folder = DataFolder(on.path / "theirs")
    folder.prepare()
    security = secure(folder, encrypted=False)
    url = await on.opened.enter_async_context(running_nats(folder.path, security))
    on.set(NATS_URL=url, NATS_NKEY_SEED_FILE=str(folder.seed("guard")))


@FAULTS.of("broker", "it has no JetStream", "jetstream { store_dir")
async def jetstream_off(on: Machine) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(str(installed.nats_server()), "-a", "127.0.0.1", "-p", str(port)),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )

    async def end() -> None:
        process.kill()
        await process.wait()

    on.opened.push_async_callback(end)
    on.set(NATS_URL=f"nats://127.0.0.1:{port}")
    await disconnect(await connect(f"nats://127.0.0.1:{port}", "test"))


@asynccontextmanager
async def greeting(**info: Any) -> AsyncGenerator[str]:
    """Greet as a broker does that says this of itself, and answer nothing but pings."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = {"server_id": "x", "headers": True, "max_payload": 8_000_000, **info}
        writer.write(f"INFO {json.dumps(told)}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@FAULTS.of("broker", "nats-server 2.9.3 is too old", "Use 2.12 or newer")
async def broker_too_old(on: Machine) -> None:
    on.set(NATS_URL=await on.opened.enter_async_context(greeting(version="2.9.3")))


@FAULTS.of("broker", "max_payload is 65536 bytes", "max_payload: 8MB")
async def messages_too_small(on: Machine) -> None:
    url = await on.opened.enter_async_context(greeting(version="2.15.1", max_payload=65536))
    on.set(NATS_URL=url)


@FAULTS.of("clock", " s ahead of", "NTP")
async def clock_ahead(on: Machine) -> None:
    await on.broker()
    on.now = datetime.now(UTC) + timedelta(seconds=60)


@FAULTS.of("streams", "AUDIT is missing", "Restart an orchestrator or a store")
async def stream_missing(on: Machine) -> None:
    client = await on.broker()
    await client.jetstream().delete_stream(subjects.AUDIT_STREAM)


@FAULTS.of("streams", "TURNS: max_age is", "Restart an orchestrator or a store")
async def stream_that_forgets(on: Machine) -> None:
    client = await on.broker()
    (turns,) = (each for each in topology.streams(1) if each.name == subjects.TURNS_STREAM)
    await client.jetstream().update_stream(turns.evolve(max_age=3600))


@FAULTS.of("streams", "1 nodes keep it and not 3", "Restart an orchestrator or a store")
async def too_few_replicas(on: Machine) -> None:
    await on.broker()
    on.set(STREAM_REPLICAS="3")


@FAULTS.of("consumers", "the consumer orchestrator is missing", "Start or restart an orchestrator")
async def consumer_missing(on: Machine) -> None:
    client = await on.log(1)
    jetstream = client.jetstream()
    await jetstream.delete_consumer(subjects.TURNS_STREAM, subjects.ORCHESTRATOR_CONSUMER)


@FAULTS.of("consumers", "max_deliver is 2", "nats consumer rm TURNS")
async def consumer_that_gives_up(on: Machine) -> None:
    client = await on.log(1)
    config = topology.turn_consumer(QUEUES[0], 5).evolve(max_deliver=2)
    await client.jetstream().add_consumer(subjects.TURNS_STREAM, config)


@FAULTS.of("dead letters", "1 entries of the log have no effect", "turnwire dead list")
async def dead_letter_waits(on: Machine) -> None:
    client = await on.broker()
    letter = DeadLetter("turn.t.resp_1.closed", 1, "too new", ResponseId("resp_1"))
    subject = subjects.dead("unprojectable", ResponseId("resp_1"))
    await client.jetstream().publish(subject, msgspec.json.encode(letter))


@FAULTS.of("view key", "1 tenants (acme) were sealed under another", "Set the old key behind")
async def another_view_key(on: Machine) -> None:
    client = await on.broker()
    tenant = TenantId("acme")
    kept = MasterKeys([b"a" * 32]).wrap(tenant, ViewKey.new())
    await client.jetstream().publish(subjects.view_key(tenant), kept)
    on.set(VIEW_KEY="62" * 32)


@FAULTS.of("keys", "1 of 1 are refused", "Put the old pepper back")
async def pepper_changed(on: Machine) -> None:
    client = await on.broker()
    holder = KeyOwner(TenantId("acme"), OwnerId("ada"), "user")
    key = new_key(os.urandom(ID_BYTES + SECRET_BYTES))
    await KeyBucket(client).put(recorded(key, holder, b"the former pepper", 1), expected=0)
    on.set(KEY_PEPPER="another pepper than before")


@FAULTS.of("store", "does not answer", "Start it, or set TURNWIRE_MONGODB_URL")
async def database_away(on: Machine) -> None:
    on.set(MONGODB_URL="mongodb://127.0.0.1:9/turnwire")


@FAULTS.of("store", "it refuses our user or password", "authSource")
async def database_that_does_not_know_us(on: Machine) -> None:
    refusal = {"ok": 0, "code": 18, "codeName": "AuthenticationFailed", "errmsg": "no"}
    host = await on.opened.enter_async_context(scripted_mongo({"saslStart": refusal}))
    user = "me:wrong"
    on.set(MONGODB_URL=f"mongodb://{user}@{host}/turnwire?authMechanism=SCRAM-SHA-256")


@FAULTS.of("store", "it refuses: 76", "See the log of the database")
async def database_that_cannot_be_read_as_the_store_does(on: Machine) -> None:
    refusal = {"ok": 0, "code": 76, "codeName": "NoReplicationEnabled", "errmsg": "no"}
    host = await on.opened.enter_async_context(scripted_mongo({"find": refusal}))
    on.set(MONGODB_URL=f"mongodb://{host}/turnwire")


@FAULTS.of("views", "they stand at 0 and the log at 2", "Is a store running?")
async def projection_stalled(on: Machine) -> None:
    await on.log(2)
    await on.views(0)


@FAULTS.of("views", "they end at 9 and the log at 2", "drop the database")
async def views_of_another_log(on: Machine) -> None:
    await on.log(2)
    await on.views(9)


@FAULTS.of("views", "a rebuild of generation 1 was broken off at 1 of 2", "turnwire rebuild")
async def rebuild_broken_off(on: Machine) -> None:
    await on.log(2)
    await on.views(2, 1)


@FAULTS.of("backend", "no answer from", "Start it, or set TURNWIRE_BACKEND_URL")
async def backend_away(on: Machine) -> None:
    on.set(BACKEND_URL=SILENT)


async def backend(on: Machine, models: Any, status: int = 200, responses: int = 404) -> None:
    """Serve a backend whose list of models is this, and whose API answers so."""
    api = (responses, {"error": None})
    posted = {"POST /v1/responses": api, "POST /v1/chat/completions": api}
    told: dict[str, Told] = {"GET /v1/models": (status, models), **posted}
    on.set(BACKEND_URL=(await on.opened.enter_async_context(serving(told))).url)


@FAULTS.of("backend", "/v1", "TURNWIRE_BACKEND_API_KEY")
async def backend_refuses_our_key(on: Machine) -> None:
    await backend(on, {"error": {"message": "no"}}, status=401)


@FAULTS.of("backend", "serves no models", "Load one there")
async def backend_without_a_model(on: Machine) -> None:
    await backend(on, {"data": []}, responses=200)


@FAULTS.of("backend", "speaks neither", "the base URL, which ends in /v1")
async def backend_without_an_api(on: Machine) -> None:
    await backend(on, {"data": [{"id": "m"}]})


@FAULTS.of("backend", "/v1", "the base URL, which ends in /v1")
async def backend_url_without_its_path(on: Machine) -> None:
    await backend(on, {"detail": "Not Found"}, status=404)


async def test_nothing_is_found_where_nothing_is_wrong(machine: Machine) -> None:
    await machine.log(2)
    await machine.views(2)
    found = await machine.examine()
    assert [each for each in found if isinstance(each, CheckFailed)] == []


def test_the_table_is_not_shorter_than_promised() -> None:
    assert len({*FAULTS.names}) == len(FAULTS) >= 25


@pytest.mark.parametrize("fault", FAULTS, ids=FAULTS.names)
async def test_a_fault_is_found_with_the_way_out(fault: Fault, machine: Machine) -> None:
    await fault.is_found(machine)
