"""Messages that nobody can use, on every subject that a service listens to."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from itertools import islice

import orjson
from nats.aio.client import Client

from chaos.faults.system import System
from turnwire_chassis.broker import connect, disconnect
from turnwire_contracts import codec, subjects
from turnwire_contracts.event_kinds import CONVERSATION_EVENT_KINDS, TURN_EVENT_KINDS
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_testing import examples

LONG_COUNT = 1000
"""Messages a subject, in the long form."""
DEAD_LETTERS_WITHIN_S = 120.0
"""In which the store is through 28,000 letters, each of which is on a disk before it counts."""

_UNCONFIRMED = 200
_STORED_WITHIN_S = 30.0

_OURS, _FOREIGN = TenantId("local"), TenantId("foreign")

QUESTIONS = (
    subjects.GUARD_CHECK,
    subjects.TOOLS_LIST,
    subjects.TOOLS_CALL,
    subjects.STORE_RESPONSE,
    subjects.STORE_HISTORY,
    subjects.STORE_CONVERSATION,
    subjects.STORE_CONVERSATIONS,
    subjects.STORE_TREE,
    subjects.STORE_RESPONSES,
    subjects.STORE_HEALTH,
    subjects.STORE_ERASURE,
    subjects.BACKEND_MODELS,
    subjects.BACKEND_INPUT_TOKENS,
    subjects.BACKEND_PROMPT,
)


def bodies(response_id: ResponseId) -> list[bytes]:
    """Bytes that are no message, messages of another kind, version or tenant."""
    requested = examples.requested(response_id=response_id)
    foreign = examples.requested(response_id=response_id, tenant=_FOREIGN)
    future = {**orjson.loads(codec.encode(requested)), "v": 999}
    return [
        b"",
        b"\x00\xff\xfe garbage \x80",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b'{"v":1}',
        b"[" * 3000,
        orjson.dumps(future),
        codec.encode(foreign),
        codec.encode(examples.closed(response_id=response_id)),
        b'{"v":1,"tenant":17,"response_id":null,"at":"now"}',
    ]


def poisoned_log(count: int) -> Iterator[tuple[str, bytes]]:
    """Messages for the log, `count` of each kind of event."""
    for name in [*TURN_EVENT_KINDS, "requested.background", "no_such_kind"]:
        for number in range(count):
            response_id = ResponseId(f"resp_0bad{abs(hash((name, number))):028x}"[:37])
            every = bodies(response_id)
            yield subjects.turn_event(_OURS, response_id, name), every[number % len(every)]
    for name in [*CONVERSATION_EVENT_KINDS, "no_such_kind"]:
        for number in range(count):
            every = bodies(ResponseId(f"resp_{number:032x}"))
            subject = f"conversation.{_OURS}.conv_0bad{number:028x}.{name}"
            yield subject, every[number % len(every)]
    for subject in ("turn.x", "turn.local", "conversation.local.conv_1", "turn.local.resp_1"):
        for number in range(count):
            every = bodies(ResponseId(f"resp_{number:032x}"))
            yield subject, every[number % len(every)]


def poisoned_subjects(response_id: ResponseId, count: int) -> Iterator[tuple[str, bytes]]:
    """Messages for everything else, `count` a subject; some are about a turn that runs."""
    named = (
        *QUESTIONS,
        subjects.output(_OURS, response_id),
        subjects.answer(_OURS, response_id),
        subjects.viewers(_OURS, response_id),
        subjects.owner(_OURS, response_id),
        subjects.turn_ended(_OURS),
        subjects.limits(_OURS),
        "$KV.VIEW_KEYS.foreign",
        subjects.tool_progress("x"),
        subjects.tool_cancel("x"),
        subjects.OUTPUT_LEADER_ELECTED,
    )
    every = bodies(response_id)
    for subject in named:
        for number in range(count):
            yield subject, every[number % len(every)]


async def publish_to_log(client: Client, messages: Iterator[tuple[str, bytes]]) -> int:
    """Publish all as fast as the broker takes them; gives how many there were."""
    jetstream = client.jetstream(timeout=_STORED_WITHIN_S)
    count = 0
    while some := list(islice(messages, _UNCONFIRMED)):
        await asyncio.gather(*(jetstream.publish(subject, body) for subject, body in some))
        count += len(some)
    return count


async def publish_all(client: Client, messages: Iterator[tuple[str, bytes]]) -> None:
    """Publish all on subjects that nothing confirms."""
    while some := list(islice(messages, _UNCONFIRMED)):
        for subject, body in some:
            await client.publish(subject, body)
        await client.flush(timeout=30)


@asynccontextmanager
async def poisoned(system: System) -> AsyncGenerator[None]:
    """Publish `LONG_COUNT` messages that nobody can use on every subject."""
    client = await connect(system.broker_url, "test")
    try:
        await publish_to_log(client, poisoned_log(LONG_COUNT))
        await publish_all(client, poisoned_subjects(ResponseId(f"resp_{0:032x}"), LONG_COUNT))
        yield
    finally:
        await disconnect(client)
