"""`turnwire dead`: on a real broker, with a real store and no orchestrator."""

import json
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from pymongo import AsyncMongoClient

from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.jetstream import topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask
from turnwire_contracts import queries, subjects
from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_contracts.audit.acts import audit_kind_of
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ConversationId, ResponseId
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import Sampling
from turnwire_dev.components.mongo import running_mongo
from turnwire_dev.components.nats import running_nats
from turnwire_testing.examples import (
    CONVERSATION_ID,
    TENANT,
    cancel_requested,
    closed,
    conversation_created,
    fresh_id,
    requested,
    user,
)
from turnwire_testing.python_programs import turnwire
from turnwire_testing.service_processes import service_processes
from turnwire_testing.waiting import eventually

pytestmark = pytest.mark.process

WITHIN_S = 40.0


@dataclass
class Rig:
    """A broker, a database and a store."""

    client: Client
    log: JetStreamEventLog
    database: AsyncMongoClient[dict[str, Any]]
    environment: dict[str, str]

    async def dead(self, *arguments: str) -> tuple[int, list[Any]]:
        """Run `turnwire dead … -o json`; gives the exit code and what it printed."""
        command = ("dead", *arguments, "-o", "json")
        ran = await turnwire(command, self.environment, Path.cwd(), WITHIN_S)
        return ran.exit_code, [json.loads(line) for line in ran.printed.splitlines()]

    async def letters(self) -> list[Any]:
        """Give what the list has."""
        return (await self.dead("list"))[1]

    async def write(self, subject: str, sequence: int, about: ResponseId | ConversationId) -> None:
        """Write a letter, as a store would that could not read an entry."""
        letter = DeadLetter(subject, sequence, "UnreadableEventError: too new", about)
        dead = subjects.dead("unprojectable", ResponseId(about))
        await self.client.jetstream().publish(dead, msgspec.json.encode(letter))

    async def has_view(self, response_id: ResponseId) -> bool:
        """Tell whether a turn has a view."""
        views = self.database.get_default_database()["responses"]
        return await views.find_one({"_id": response_id}) is not None


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[Rig]:
    """A store that answers."""
    async with (
        running_nats(tmp_path / "nats") as nats_url,
        running_mongo(tmp_path / "mongo") as mongodb_url,
        AsyncMongoClient[dict[str, Any]](mongodb_url) as database,
        service_processes("turnwire_store", tmp_path) as start,
    ):
        client = await connect(nats_url, "operator")
        log = JetStreamEventLog(client, await topology.declare(client, 1))
        told = {"TURNWIRE_MONGODB_URL": mongodb_url, "TURNWIRE_RETENTION_DAYS": "0"}
        await start(nats_url, **told)

        async def answers() -> bool:
            try:
                health = await ask(client, queries.STORE_HEALTH, queries.AskForHealth(), 2)
            except UnansweredQueryError:
                return False
            return health.ok

        await eventually(answers, WITHIN_S)
        clean = {name: of for name, of in os.environ.items() if not name.startswith("TURNWIRE_")}
        yield Rig(client, log, database, {**clean, "TURNWIRE_NATS_URL": nats_url})
        await disconnect(client)


async def test_what_cannot_be_read_is_listed_shown_retried_in_vain_and_dropped(rig: Rig) -> None:
    about = fresh_id()
    subject = subjects.turn_event(TENANT, about, "requested")
    body = {**msgspec.to_builtins(requested(response_id=about, input=[user("Hello")])), "v": 99}
    body["authorization"] = "Bearer not-to-be-seen"
    ack = await rig.client.jetstream().publish(subject, msgspec.json.encode(body))

    async def arrived() -> bool:
        return bool(await rig.letters())

    await eventually(arrived, WITHIN_S)
    (row,) = await rig.letters()
    assert (row["subject"], row["sequence"]) == (subject, str(ack.seq))
    assert "version 99 is not known here" in row["reason"]

    _, (shown,) = await rig.dead("show", row["letter"])
    assert "content" not in shown
    assert "cannot be read" in shown["entry"]["state"]
    _, (shown,) = await rig.dead("show", row["letter"], "--content")
    assert "Hello" in str(shown["content"])
    assert "not-to-be-seen" not in str(shown)

    code, (retried,) = await rig.dead("retry", row["letter"])
    assert (code, retried["result"]) == (1, "unprojectable")
    assert [one["retried"] for one in await rig.letters()] == ["unprojectable"]

    assert await rig.dead("drop", row["letter"], "--yes") == (0, [{"dropped": 1}])
    assert await rig.letters() == []
    code, (problem,) = await rig.dead("drop", row["letter"], "--yes")
    assert (code, problem["event"]) == (1, "problem")
    acts = [audit_kind_of(act) async for act in JetStreamAuditLog(rig.client).read(TENANT, 0)]
    assert acts == ["dead_letter_dropped"]


async def test_a_turn_without_a_view_gets_it_by_a_retry(rig: Rig) -> None:
    about = fresh_id()
    await rig.log.append(requested(response_id=about), None)
    sequence = await rig.log.append(closed(response_id=about), None)

    async def projected() -> bool:
        return await rig.has_view(about)

    await eventually(projected, WITHIN_S)
    await rig.database.get_default_database()["responses"].delete_one({"_id": about})
    await rig.write(subjects.turn_event(TENANT, about, "closed"), sequence, about)

    for _ in range(2):
        code, (retried,) = await rig.dead("retry", "--all")
        assert (code, retried["result"], retried["delivered_again"]) == (0, "projected", False)
        assert await rig.has_view(about)


async def test_a_request_that_no_orchestrator_could_read_is_delivered_once_more(rig: Rig) -> None:
    about = fresh_id()
    sequence = await rig.log.append(requested(response_id=about), None)
    await rig.write(subjects.turn_event(TENANT, about, "requested"), sequence, about)

    told = [(await rig.dead("retry", "--all"))[1][0] for _ in range(2)]

    assert [one["result"] for one in told] == ["running", "running"]
    assert [one["delivered_again"] for one in told] == [True, False]
    events = [one.event for one in await rig.log.read(TENANT, about)]
    assert [type(event) for event in events] == [Requested, Requested]
    assert isinstance(fold(events), Sampling)


async def test_a_request_that_an_orchestrator_drives_is_not_delivered_again(rig: Rig) -> None:
    about = fresh_id()
    sequence = await rig.log.append(requested(response_id=about), None)
    await rig.write(subjects.turn_event(TENANT, about, "requested"), sequence, about)

    async def answer(message: Msg) -> None:
        await message.respond(b"yes")

    await rig.client.subscribe(subjects.owner(TENANT, about), cb=answer)
    _, (told,) = await rig.dead("retry", "--all")

    assert (told["result"], told["delivered_again"]) == ("running", False)
    assert len(await rig.log.read(TENANT, about)) == 1


@pytest.mark.parametrize("why", ["not to be kept", "cancelled before"])
async def test_a_request_is_not_delivered_in_vain_or_against_its_word(rig: Rig, why: str) -> None:
    about = fresh_id()
    request = requested(response_id=about, store="cancelled" in why)
    sequence = await rig.log.append(request, None)
    if request.store:
        await rig.log.append(cancel_requested(response_id=about), None)
    await rig.write(subjects.turn_event(TENANT, about, "requested"), sequence, about)

    code, (retried,) = await rig.dead("retry", "--all")

    assert (code, retried["result"], retried["delivered_again"]) == (1, "unprojectable", False)
    assert why in retried["reason"]
    assert sum(type(one.event) is Requested for one in await rig.log.read(TENANT, about)) == 1


async def test_of_a_conversation_only_a_rebuild_can_tell_an_earlier_event(rig: Rig) -> None:
    sequence = await rig.log.append(conversation_created(), None)
    subject = subjects.conversation_event(TENANT, CONVERSATION_ID, "created")
    await rig.write(subject, sequence, CONVERSATION_ID)

    code, (retried,) = await rig.dead("retry", "--all")

    assert (code, retried["result"]) == (1, "rebuild")


async def test_which_letters_must_be_said(rig: Rig) -> None:
    for arguments in (("retry",), ("retry", "1", "--all"), ("drop", "--yes")):
        assert (await rig.dead(*arguments))[0] == 2
