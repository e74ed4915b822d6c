"""A disk that gets full: refused in time, nothing accepted is lost, and all goes on with room."""

import asyncio
import os
import signal
import time
from contextlib import suppress

import pytest
from nats.errors import Error as NatsError

from chaos.disk.conftest import RESERVE_MIB
from chaos.disk.rig.small_disk import MIB, SmallDisk
from e2e.rig.broker import connected_as
from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, says
from turnwire_chassis.broker_authorization.rights import User

pytestmark = [pytest.mark.chaos, pytest.mark.process]

REFUSED_WITHIN_S = 1.0
WELL_WITHIN_S = 20.0
HALF = RESERVE_MIB * MIB // 2
LARGE = "x" * 400_000


async def test_new_turns_are_refused_at_the_reserve_and_running_ones_end(
    api: Api, backend: ScriptedBackend, stack: Stack, disk: SmallDisk
) -> None:
    backend.script(says("Before."), says("Run", "ning.").paused(after=1))
    before = await _accepted(api, asks(LARGE))
    async with api.stream(asks("go on")) as stream:
        await stream.until("response.output_text.delta")
        disk.fill(leave=HALF)

        await _is_refused(api)
        assert await api.get(f"/responses/{before['id']}") == (200, before)
        assert "storage_full" not in str(await api.get("/conversations?limit=1"))
        backend.release()
        end = (await stream.to_the_end())[-1]

    assert end["type"] == "response.completed"
    stack.wait_until_said("is full")
    disk.make_room()
    stack.wait_until_said("has room again")
    backend.script(says("After."))
    await _accepted(api, asks("again", end["response"]["id"]))


async def test_what_finds_no_room_at_all_is_held_and_ends_when_there_is_some(
    api: Api, backend: ScriptedBackend, stack: Stack, disk: SmallDisk
) -> None:
    pids = {name: stack.pid(name) for name in stack.run()["children"]}
    backend.script(
        says("Kept."), says("He", "ld.").paused(after=1), says("Unseen.").paused(after=0)
    )
    kept = await _accepted(api, asks("keep this"))
    async with api.stream(asks("hold this")) as stream:
        await stream.until("response.output_text.delta")
        status, background = await api.post(asks("later", background=True))
        assert status == 202
        await backend.saw_pause(count=2)
        disk.fill()

        await _is_refused(api)
        backend.release()
        await stream.until("response.output_text.delta")
        # The log lines of all these requests find no room either.
        for _ in range(20):
            await _is_refused(api)
        assert await api.get(f"/responses/{kept['id']}") == (200, kept)
        assert {name: stack.pid(name) for name in pids} == pids

        disk.make_room()
        began = time.monotonic()
        end = (await stream.to_the_end())[-1]

    assert time.monotonic() - began < WELL_WITHIN_S / 2
    assert end["type"] == "response.completed"
    assert text_of(end["response"]) == "Held."
    assert text_of(await api.ended(background["id"])) == "Unseen."
    await api.until_well(WELL_WITHIN_S)


async def test_an_owner_that_dies_on_a_full_disk_loses_nothing(
    api: Api, backend: ScriptedBackend, stack: Stack, disk: SmallDisk
) -> None:
    backend.script(says("One", " lost.").paused(after=1), says("Another."))
    status, begun = await api.post(asks("who answers?", background=True))
    assert status == 202
    await backend.saw_pause()
    disk.fill()
    backend.release()
    os.kill(stack.pid("orchestrator"), signal.SIGKILL)
    stack.wait_until_said("orchestrator died")
    await _is_refused(api)

    disk.make_room()

    ended = await api.ended(begun["id"], within=WELL_WITHIN_S)
    assert ended["status"] == "completed"
    stack.wait_until_said("orchestrator is back")


async def test_a_broker_that_met_the_full_disk_is_restarted_with_room_and_not_before(
    api: Api, backend: ScriptedBackend, stack: Stack, disk: SmallDisk
) -> None:
    backend.script(says("Before."), says("After."))
    before = await _accepted(api, asks("remember"))
    disk.fill()
    async with connected_as(User.STORE, stack) as client:
        # Past everything that looks at the disk: the stream of dead letters cannot be written now.
        with suppress(NatsError, TimeoutError):
            await client.jetstream(timeout=1).publish("dead.letter", bytes(MIB))
    stack.kill("nats")
    stack.wait_until_said("nats starts when there is room")

    await _is_refused(api)
    disk.make_room()

    stack.wait_until_said("nats is back")
    await api.until_well(WELL_WITHIN_S)
    assert await api.get(f"/responses/{before['id']}") == (200, before)
    await _accepted(api, asks("and?", before["id"]))


async def test_a_broker_that_can_write_no_more_is_restarted(
    api: Api, backend: ScriptedBackend, stack: Stack, disk: SmallDisk
) -> None:
    broker = stack.pid("nats")
    disk.fill()
    async with connected_as(User.STORE, stack) as client:
        with suppress(NatsError, TimeoutError):
            await client.jetstream(timeout=1).publish("dead.letter", bytes(MIB))
    disk.make_room()

    stack.wait_until_said("nats cannot write any more and is restarted")
    stack.wait_until_said("nats is back")
    assert stack.pid("nats") != broker
    await api.until_well(WELL_WITHIN_S)
    backend.script(says("Well."))
    await _accepted(api, asks("are you?"))


async def test_a_database_that_met_the_full_disk_is_restarted_and_catches_up(
    api: Api, backend: ScriptedBackend, stack: Stack, disk: SmallDisk
) -> None:
    url = stack.run()["mongodb_url"]
    await asyncio.to_thread(_write_to_the_database, url, 1)
    disk.fill()
    await asyncio.to_thread(_write_to_the_database, url, 1000)
    backend.script(says("After."))
    disk.make_room()

    stack.wait_until_said("mongo cannot write any more and is restarted")
    stack.wait_until_said("mongo is back")
    await api.until_well(WELL_WITHIN_S)
    await _accepted(api, asks("again?"))


async def _accepted(api: Api, body: JSON) -> JSON:
    status, response = await api.post(body)
    assert (status, response.get("status")) == (200, "completed"), response
    return response


async def _is_refused(api: Api) -> None:
    began = time.monotonic()
    async with api.answer(asks(LARGE)) as answer:
        refusal = await answer.json()
    assert time.monotonic() - began < REFUSED_WITHIN_S
    assert (answer.status, refusal["error"]["code"]) == (503, "storage_full")
    assert int(answer.headers["Retry-After"]) > 0


def _write_to_the_database(url: str, most: int) -> None:
    """Write so many MiB, or until the database refuses: then its storage has failed."""
    from pymongo import MongoClient  # noqa: PLC0415 -- only here
    from pymongo.errors import PyMongoError  # noqa: PLC0415 -- only here

    client: MongoClient[JSON] = MongoClient(url, timeoutMS=5000)
    with suppress(PyMongoError):
        for _ in range(most):
            client["elsewhere"]["things"].insert_one({"large": bytes(MIB)})
    client.close()
