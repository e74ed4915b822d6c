"""Messages that arrive twice, late, or again: proxies that know the broker's protocol.

Each stands between one service and the broker, and copies or holds back whole messages on their way
to the service. What goes to the broker passes as it is.
"""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from chaos.faults.poison import QUESTIONS
from chaos.faults.system import System
from turnwire_chassis.broker import connect, disconnect
from turnwire_contracts.subjects import TOOLS_CALL
from turnwire_dev.instance.ports import LOOPBACK

_MESSAGE: Final = re.compile(
    rb"H?MSG (?P<subject>\S+) \S+ (?:(?P<reply>\S+) )?(?:\d+ )?(?P<size>\d+)\r\n"
)
_LINE_END: Final = b"\r\n"
_LONGEST_S: Final = 0.05
_GIVEN_BACK: Final = 0.1

_SAFE_QUESTIONS: Final = frozenset(each.encode() for each in QUESTIONS) - {TOOLS_CALL.encode()}
"""Which may be asked again. A call of a tool is not: nothing repeats it, so it comes only once."""

Pass = Callable[[bytes, re.Match[bytes], Callable[[bytes], None]], None]
"""What becomes of one message: its bytes, its head, and what sends bytes to the service."""


def twice(data: bytes, head: re.Match[bytes], send: Callable[[bytes], None]) -> None:
    """Deliver now, and once more a little later, behind newer messages."""
    send(data)
    if _is_from_log(head) or head["subject"] in _SAFE_QUESTIONS:
        _later(data, send)


def out_of_order(data: bytes, head: re.Match[bytes], send: Callable[[bytes], None]) -> None:
    """Hold back for a while what the log delivers, so that newer entries overtake it."""
    if _is_from_log(head):
        _later(data, send)
    else:
        send(data)


def _is_from_log(head: re.Match[bytes]) -> bool:
    """Whether a consumer of a stream delivers it: a turn, an event, a frame."""
    return (head["reply"] or b"").startswith(b"$JS.ACK.")


def _later(data: bytes, send: Callable[[bytes], None]) -> None:
    pause_s = random.uniform(0, _LONGEST_S)  # noqa: S311 -- not for secrets
    asyncio.get_running_loop().call_later(pause_s, send, data)


@asynccontextmanager
async def delivered(system: System, passes: Pass) -> AsyncGenerator[None]:
    """Let every message to every service pass as `passes` says."""
    async with AsyncExitStack() as running:
        for service in system.services:
            port = await running.enter_async_context(_proxy(system.broker.port, passes))
            await service.restart(TURNWIRE_NATS_URL=f"nats://{LOOPBACK}:{port}")
        try:
            yield
        finally:
            for service in system.services:
                await service.restart()


@asynccontextmanager
async def given_back(system: System) -> AsyncGenerator[None]:
    """Give deliveries of the log back while their owner works on them, so that others get them."""
    client = await connect(system.broker_url, "test")
    loop = asyncio.get_running_loop()

    def passes(data: bytes, head: re.Match[bytes], send: Callable[[bytes], None]) -> None:
        send(data)
        reply = (head["reply"] or b"").decode()
        if _is_from_log(head) and random.random() < _GIVEN_BACK:  # noqa: S311
            asking.add(task := loop.create_task(client.publish(reply, b"-NAK")))
            task.add_done_callback(asking.discard)

    asking: set[asyncio.Task[None]] = set()
    try:
        async with delivered(system, passes):
            yield
    finally:
        await disconnect(client)


@asynccontextmanager
async def _proxy(target_port: int, passes: Pass) -> AsyncGenerator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(LOOPBACK, target_port)
        both = [asyncio.create_task(_copy(reader, back))]
        both.append(asyncio.create_task(_messages(there, writer, passes)))
        tasks.update(both)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        back.close()
        writer.close()

    server = await asyncio.start_server(connected, LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in tasks:
            task.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(64 * 1024):
        writer.write(data)
        await writer.drain()


async def _messages(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: Pass
) -> None:
    def send(data: bytes) -> None:
        if not writer.is_closing():
            writer.write(data)

    while line := await reader.readline():
        head = _MESSAGE.fullmatch(line)
        if head is None:
            send(line)
        else:
            body = await reader.readexactly(int(head["size"]) + len(_LINE_END))
            passes(line + body, head, send)
        await writer.drain()
