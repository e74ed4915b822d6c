"""What each user of the broker may say and hear, tried on a real one; and what it is for."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from nats.aio.client import Client

from turnwire_chassis.broker import BrokerConnection, connect, denied
from turnwire_chassis.broker_access import nkey
from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_authorization.rights import RIGHTS, User, subscriptions_of
from turnwire_chassis.broker_authorization.server_config import authorization
from turnwire_chassis.jetstream import api
from turnwire_chassis.jetstream.topology import create_missing, declare, streams
from turnwire_contracts import subjects
from turnwire_contracts.event_kinds import CONVERSATION_EVENT_KINDS, TURN_EVENT_KINDS
from turnwire_dev.components.nats import running_nats
from turnwire_dev.components.nats_security import NatsSecurity
from turnwire_testing.rights import Expected, expectations
from turnwire_testing.servers import held_open

WITHIN_S = 30.0

NO_SUBJECTS = ("_STREAM", "_QUEUE", "_CONSUMER", "_BUCKET")
"""What names of other things end in."""


class Guarded:
    """A broker that knows its users."""

    def __init__(self, url: str, seeds: Mapping[User, Path]) -> None:
        self.url = url
        self._seeds = seeds

    async def connected_as(self, user: User) -> BrokerConnection:
        access = Access(seed_file=self._seeds[user])
        client = await connect(self.url, user, access=access)
        assert isinstance(client, BrokerConnection)
        return client


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    seeds = {user: folder / f"{user}.seed" for user in User}
    for path in seeds.values():
        path.write_text(nkey.new_seed())
    keys = {user: nkey.public_key(path.read_text()) for user, path in seeds.items()}
    with held_open(running_nats(folder, NatsSecurity(keys))) as url:
        yield Guarded(url, seeds)


@pytest.fixture(params=list(User))
async def user(request: pytest.FixtureRequest) -> User:
    return request.param


@pytest.fixture
async def client(guarded: Guarded, user: User) -> AsyncGenerator[BrokerConnection]:
    connected = await guarded.connected_as(user)
    yield connected
    await connected.close()


async def test_everybody_says_what_it_is_expected_to_say_and_nothing_else(
    client: BrokerConnection, user: User
) -> None:
    for each in everything():
        await client.publish(each.subject)
    await told_all(client)
    denied = {each.subject for each in everything() if user not in each.says}
    assert refused(client, "publish") == lowered(denied)


async def test_everybody_hears_what_it_is_expected_to_hear_and_nothing_else(
    client: BrokerConnection, user: User
) -> None:
    for each in everything():
        await client.subscribe(each.subject, each.queue)
    await told_all(client)
    denied = {each.subject for each in everything() if user not in each.hears}
    assert refused(client, "subscription") == lowered(denied)


async def test_a_question_is_heard_in_its_queue_group_alone(client: BrokerConnection) -> None:
    questions = [each for each in everything() if each.queue]
    for each in questions:
        await client.subscribe(each.subject)
        await client.subscribe(each.subject, "another")
    await told_all(client)
    assert refused(client, "subscription") == lowered({each.subject for each in questions})
    assert all(times == 2 for times in client.refusals.counts.values())


def test_every_subject_that_has_a_name_is_expected_of_somebody() -> None:
    tried = [each.subject for each in everything()]
    unknown = {
        name: pattern
        for name, pattern in named_subjects()
        if not any(covers(pattern, subject) for subject in tried)
    }
    assert unknown == {}


def test_every_kind_of_event_is_written_by_somebody() -> None:
    written = {each.subject for each in everything() if each.says}
    turns = {f"turn.t.resp_1.{kind}" for kind in TURN_EVENT_KINDS}
    conversations = {f"conversation.t.conv_1.{kind}" for kind in CONVERSATION_EVENT_KINDS}
    assert turns | conversations <= written


def test_the_table_grants_nothing_that_is_not_tried() -> None:
    tried = [each.subject for each in everything()]
    granted = {
        subject.partition(" ")[0]
        for user, rights in RIGHTS.items()
        for subject in (*rights.publish, *subscriptions_of(user))
    }
    assert {each for each in granted if not any(covers(each, one) for one in tried)} == set()


async def test_what_was_denied_is_counted_and_health_says_so(guarded: Guarded) -> None:
    client = await guarded.connected_as(User.GUARD)
    assert denied(client) is None
    await client.publish("turn.t.resp_1.closed")
    await client.publish("turn.t.resp_1.closed")
    await told_all(client)
    assert denied(client) == "the broker refused: publish to turn.t.resp_1.closed (2)"
    await client.close()


async def test_an_answer_reaches_who_asked_and_only_once(guarded: Guarded) -> None:
    gateway = await guarded.connected_as(User.GATEWAY)
    guard = await guarded.connected_as(User.GUARD)
    question = await guard.subscribe(subjects.GUARD_CHECK, subjects.GUARD_QUEUE)
    await told_all(guard)
    asking = asyncio.create_task(gateway.request(subjects.GUARD_CHECK, b"?", timeout=WITHIN_S))
    asked = await question.next_msg(WITHIN_S)
    await asked.respond(b"!")
    await asked.respond(b"again")
    assert (await asking).data == b"!"
    await told_all(guard)
    assert list(refused(guard, "publish")) == [asked.reply.lower()]
    await gateway.close()
    await guard.close()


@pytest.mark.parametrize(
    "filters",
    [
        {"filter_subject": "turn.>"},
        {"filter_subjects": ["turn.*.*.requested", "turn.*.*.closed"]},
        {},
    ],
)
async def test_a_consumer_hears_no_more_than_its_subject_says(
    guarded: Guarded, filters: dict[str, Any]
) -> None:
    client = await guarded.connected_as(User.ORCHESTRATOR)
    await declare(client, replicas=1)
    consumer = subjects.ORCHESTRATOR_CONSUMER
    only = api.create_consumer(subjects.TURNS_STREAM, consumer, subjects.TURN_REQUESTED)
    config = {"durable_name": consumer, "name": consumer, "ack_policy": "explicit", **filters}
    body = orjson.dumps({"stream_name": subjects.TURNS_STREAM, "config": config})
    answer = orjson.loads((await client.request(only, body, timeout=WITHIN_S)).data)
    assert "error" in answer
    await client.close()


async def test_a_gateway_restores_streams_and_changes_none(guarded: Guarded) -> None:
    orchestrator = await guarded.connected_as(User.ORCHESTRATOR)
    jetstream = await declare(orchestrator, replicas=1)
    changed = (await jetstream.stream_info(subjects.TURNS_STREAM)).config
    changed.description = "of a later version"
    await jetstream.update_stream(changed)

    gateway = await guarded.connected_as(User.GATEWAY)
    async with asyncio.timeout(WITHIN_S):
        await create_missing(gateway, replicas=1)

    assert gateway.refusals.denied is None
    info = await jetstream.stream_info(subjects.TURNS_STREAM)
    assert info.config.description == "of a later version"
    await declare(orchestrator, replicas=1)
    await gateway.close()
    await orchestrator.close()


def test_a_user_without_a_key_has_no_entry() -> None:
    key = nkey.public_key(nkey.new_seed())
    text = authorization({User.GUARD: key})
    assert text.count("nkey:") == 1
    assert key in text


def everything() -> list[Expected]:
    """All that is expected, and what is asked of streams without anybody being expected to."""
    said = {each.subject: each for each in expectations()}
    asked = (api.create_stream, api.update_stream, api.stream_info, api.purge, api.erase_message)
    names = [stream.name or "" for stream in streams(1)]
    unexpected = {about(name) for about in (*asked, api.direct_get) for name in names}
    nobody: frozenset[User] = frozenset()
    return [*said.values(), *(Expected(s, nobody, nobody, "") for s in unexpected - said.keys())]


async def told_all(client: Client) -> None:
    """Wait until the broker has had everything, and has complained about it."""
    # The ping of a flush overtakes what waits to be sent.
    await client.flush()
    await client.flush()


def refused(client: BrokerConnection, verb: str) -> set[str]:
    prefix = f"{verb} to "
    return {what.removeprefix(prefix) for what in client.refusals.counts if what.startswith(prefix)}


def lowered(names: set[str]) -> set[str]:
    """As nats-py hands the broker's words over."""
    return {name.lower() for name in names}


def named_subjects() -> Iterator[tuple[str, str]]:
    """Give all patterns of the contracts, whatever a function wants replaced by a star."""
    for name, value in vars(subjects).items():
        if isinstance(value, str) and name.isupper() and not name.endswith(NO_SUBJECTS):
            yield name, value
        elif inspect.isfunction(value) and not name.startswith("parse_"):
            pattern: str = value(*("*" for _ in inspect.signature(value).parameters))
            yield name, f"{subjects.inbox('gateway')}.>" if name == "inbox" else pattern


def covers(pattern: str, subject: str) -> bool:
    """Whether a subject is one of those that a pattern names, itself included."""
    wanted, words = pattern.split("."), subject.split(".")
    for at, word in enumerate(wanted):
        if word == ">":
            return len(words) > at
        if at >= len(words) or word not in ("*", words[at]):
            return False
    return len(words) == len(wanted)
