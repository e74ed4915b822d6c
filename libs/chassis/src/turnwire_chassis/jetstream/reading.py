"""Reads messages of a stream by their subject, whole and in order.

Any node that keeps the stream answers a direct get, and one that is behind answers with less than
there is: of 6,400 events that were read as soon as their append was confirmed, 34 were not there
yet, and a node that has just come back may be further behind. So in a cluster the stream's leader
is asked, once a read has come to its end, whether anything follows.

A connection has a few reads at the broker at once, and the rest wait their turn here.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from turnwire_chassis.broker import is_clustered, reads_of
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream import api

READ_WITHIN_S = 8.0
"""How long a read waits for its turn, for nodes that keep the stream, and in a cluster for its
leader."""

_SILENCE_S = 2.0
_AGAIN_S = 0.1
_BATCH = 1000
_LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""
BEHIND_ALL = 2**62
"""Greater than the sequence of any message."""
_PATTERNS = 50
"""The broker refuses a question that more than 1,024 subjects match; a turn has at most 20."""
_NO_MESSAGE = 10037
_WHOLE = frozenset({"204", "404"})
"""The broker's words for the end of a batch, and for nothing to give."""


class _UnansweredError(Exception):
    """No node could answer; one may soon."""


async def read_batch(client: Client, stream: str, subject: str, after: int = 0) -> list[Msg]:
    """Read all messages of `subject` behind the sequence `after`.

    Each message carries its place in the headers `Nats-Sequence` and `Nats-Subject`.
    Raises `LogUnavailableError`.
    """
    return [message async for some in pages(client, stream, subject, after) for message in some]


async def pages(
    client: Client, stream: str, subject: str, after: int = 0
) -> AsyncIterator[list[Msg]]:
    """Give the same page by page, for what may be too much to hold. Raises `LogUnavailableError`.

    `subject` may be a pattern.
    """
    while messages := await page(client, stream, subject, after):
        after = sequence_of(messages[-1])
        yield messages


async def page(
    client: Client, stream: str, subject: str, after: int, most: int = _BATCH
) -> list[Msg]:
    """Read the next `most` messages of `subject`; none at the end. Raises `LogUnavailableError`.

    Waits while the stream has no leader, `READ_WITHIN_S` at most.
    """
    return await _page(client, stream, subject, {"seq": after + 1, "batch": most})


async def page_of_bytes(
    client: Client, stream: str, subject: str, after: int, most_bytes: int
) -> list[Msg]:
    """Read the next messages until these have so many bytes, one at least; otherwise as `page`."""
    wish = {"seq": after + 1, "batch": _BATCH, "max_bytes": most_bytes}
    return await _page(client, stream, subject, wish)


async def _page(client: Client, stream: str, subject: str, wish: dict[str, int]) -> list[Msg]:
    question = orjson.dumps({**wish, "next_by_subj": subject})

    async def read() -> list[Msg]:
        messages = await _direct_get(client, stream, question)
        if len(messages) < wish["batch"] and is_clustered(client) and not more_follow(messages):
            await _complete(client, stream, subject, wish["seq"] - 1, messages)
        return messages

    return await _patiently(client, read)


def more_follow(messages: Sequence[Msg]) -> bool:
    """Tell whether the node that gave a page had more, and held them back for their size."""
    left = (messages[-1].headers or {}).get("Nats-Num-Pending") if messages else None
    return left is not None and int(left) > 0


async def last_message(client: Client, stream: str, subject: str) -> Msg | None:
    """Read the last message of a subject. Raises `LogUnavailableError`."""
    question = orjson.dumps({"multi_last": [subject], "batch": 1})
    found = await _patiently(client, partial(_direct_get, client, stream, question))
    return found[-1] if found else None


async def last_of_each(
    client: Client, stream: str, patterns: Sequence[str]
) -> dict[str, list[Msg]]:
    """Read, for each of many patterns, the last message of each subject that it matches.

    `patterns` are those of turns or conversations. One question for many of them costs the broker
    less than a read of one. In a cluster a node that is behind may answer.
    Raises `LogUnavailableError`.
    """
    found: dict[str, list[Msg]] = {pattern: [] for pattern in patterns}
    for start in range(0, len(patterns), _PATTERNS):
        request = {"multi_last": patterns[start : start + _PATTERNS], "batch": _BATCH}
        question = orjson.dumps(request)
        for message in await _patiently(client, partial(_direct_get, client, stream, question)):
            root, tenant, about, _ = subject_of_message(message).split(".", 3)
            found[f"{root}.{tenant}.{about}.>"].append(message)
    return found


async def first_since(client: Client, stream: str, milliseconds: int) -> int:
    """Give the sequence of the first message since a Unix time; `BEHIND_ALL` if there is none.

    In a cluster a node that is behind may answer. Raises `LogUnavailableError`.
    """
    since = datetime.fromtimestamp(max(0, min(milliseconds, _LATEST_MS)) / 1000, UTC)
    question = orjson.dumps({"start_time": since, "next_by_subj": ">", "batch": 1})
    messages = await _patiently(client, partial(_direct_get, client, stream, question))
    return sequence_of(messages[0]) if messages else BEHIND_ALL


def sequence_of(message: Msg) -> int:
    """Give the sequence of a message that was read."""
    return int((message.headers or {})["Nats-Sequence"])


def time_of(message: Msg) -> str | None:
    """Give when a message that was read was kept, as the broker writes it (`broker_times`)."""
    return (message.headers or {}).get("Nats-Time-Stamp")


def subject_of_message(message: Msg) -> str:
    """Give the subject that a message was published on."""
    return (message.headers or {})["Nats-Subject"]


async def _patiently(client: Client, read: Callable[[], Awaitable[list[Msg]]]) -> list[Msg]:
    """Read when it is this one's turn, and again while no node can answer."""
    until = asyncio.get_running_loop().time() + READ_WITHIN_S
    limit = reads_of(client)
    try:
        async with asyncio.timeout_at(until):
            await limit.enter()
    except TimeoutError as error:
        raise LogUnavailableError("reads before this one were not answered in time") from error
    try:
        return await _until_answered(read, until)
    except NatsError as error:
        raise LogUnavailableError(str(error)) from error
    finally:
        limit.leave()


async def _until_answered(read: Callable[[], Awaitable[list[Msg]]], until: float) -> list[Msg]:
    while True:
        try:
            return await read()
        except _UnansweredError as error:
            if asyncio.get_running_loop().time() >= until:
                raise LogUnavailableError(str(error)) from error
            await asyncio.sleep(_AGAIN_S)


async def _direct_get(client: Client, stream: str, question: bytes) -> list[Msg]:
    batch: list[Msg] = []
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def on_message(message: Msg) -> None:
        headers = message.headers or {}
        if "Nats-Sequence" in headers:
            batch.append(message)
        elif not ended.done():
            ended.set_result(headers.get("Status", ""))

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=on_message)
    try:
        await client.publish(api.direct_get(stream), question, reply=inbox)
        received = -1
        while received < len(batch) and not ended.done():
            received = len(batch)
            await asyncio.wait({ended}, timeout=_SILENCE_S)
    finally:
        await subscription.unsubscribe()
    if not ended.done():
        raise _UnansweredError(f"no answer from the nodes that keep {stream}")
    if ended.result() not in _WHOLE:
        raise _UnansweredError(f"no node keeps {stream}")
    return batch


async def _complete(
    client: Client, stream: str, subject: str, after: int, found: list[Msg]
) -> None:
    """Add what the node that was asked did not have yet."""
    while True:
        last = sequence_of(found[-1]) if found else after
        message = await _next_at_leader(client, stream, subject, last + 1)
        if message is None:
            return
        found.append(message)


async def _next_at_leader(client: Client, stream: str, subject: str, start: int) -> Msg | None:
    question = orjson.dumps({"seq": start, "next_by_subj": subject})
    try:
        reply = await client.request(api.message_at_leader(stream), question, timeout=_SILENCE_S)
    except NatsError as error:
        raise _UnansweredError(f"no answer from the leader of {stream}") from error
    answer = orjson.loads(reply.data)
    if "error" not in answer:
        kept = answer["message"]
        headers = {"Nats-Subject": kept["subject"], "Nats-Sequence": str(kept["seq"])}
        data = base64.b64decode(kept.get("data", ""))
        return Msg(client, kept["subject"], data=data, headers=headers)
    if answer["error"].get("err_code") == _NO_MESSAGE:
        return None
    raise _UnansweredError(answer["error"]["description"])
