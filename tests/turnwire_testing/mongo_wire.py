"""Between a driver and its MongoDB: answers of the server that are made to come, at the wire.

What a replica set says while its primary steps down, what a slow one says, or nothing at all.
"""

import asyncio
import struct
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import bson
from msgspec import Struct

from turnwire_dev.instance.ports import LOOPBACK

_HEADER: Final = struct.Struct("<iiii")
_FLAGS: Final = struct.Struct("<I")
_OP_MSG: Final = 2013
_ONE_DOCUMENT: Final = b"\x00"
_BODY_AT: Final = _HEADER.size + _FLAGS.size

Answer = Mapping[str, Any]
When = Literal["instead", "after"]


class Fault(Struct, frozen=True):
    """One command that goes wrong."""

    command: str
    answer: Answer | None = None
    """What is answered; nothing: the connection ends."""
    when: When = "instead"
    """Whether the server does not hear of the command, or does it and its answer is lost."""


def error(code: int, name: str, *labels: str) -> Answer:
    """Give the answer of a command that failed."""
    return {"ok": 0.0, "errmsg": name, "code": code, "codeName": name, "errorLabels": list(labels)}


def unconfirmed(code: int, name: str) -> Answer:
    """Give the answer of a write that was done here, and that not enough others have confirmed."""
    return {
        "ok": 1.0,
        "n": 1,
        "writeConcernError": {"code": code, "codeName": name, "errmsg": name},
    }


class MongoWire:
    """Hands on everything, but for the faults that are due, each once, in their order."""

    def __init__(self, upstream: str) -> None:
        """Stand in front of the server that the URL `upstream` names."""
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self.faults: list[Fault] = []
        self.commands: list[str] = []
        """All that was asked for, in its order, but for what keeps a connection."""
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the driver."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        lost: list[Fault] = []
        answers = asyncio.create_task(_hand_back(up_reader, writer, lost))
        try:
            while (message := await _next(reader)) is not None:
                fault = self._due(message)
                if fault is not None and fault.when == "after":
                    lost.append(fault)
                if fault is None or fault.when == "after":
                    up_writer.write(message)
                    await up_writer.drain()
                elif fault.answer is None:
                    break
                else:
                    writer.write(_written(fault.answer, to=message))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            answers.cancel()
            writer.close()
            up_writer.close()
            self._open.discard(task)

    def close(self) -> None:
        """End all connections."""
        for task in self._open:
            task.cancel()

    def _due(self, message: bytes) -> Fault | None:
        command = _command(message)
        if command in (None, "hello", "isMaster", "ismaster"):
            return None
        self.commands.append(str(command))
        for fault in self.faults:
            if fault.command == command:
                self.faults.remove(fault)
                return fault
        return None


@asynccontextmanager
async def mongo_wire(url: str) -> AsyncGenerator[tuple[MongoWire, str]]:
    """Stand in front of a server; yields the wire, and the URL of the same database through it.

    `url` must name one host, and no TLS.
    """
    wire = MongoWire(url)
    server = await asyncio.start_server(wire.serve, LOOPBACK, 0)
    host, port = server.sockets[0].getsockname()[:2]
    parts = urlsplit(url)
    credentials = parts.netloc.rpartition("@")[0]
    netloc = f"{credentials}@{host}:{port}" if credentials else f"{host}:{port}"
    query = dict(parse_qsl(parts.query))
    # Writes are repeated by the driver as they are on a user's own server.
    query |= {"retryWrites": "true", "directConnection": "true"}
    # A primary that steps down tells so by the answer that a monitor waits for; ours keeps silent.
    query |= {"serverMonitoringMode": "poll"}
    try:
        yield wire, urlunsplit(parts._replace(netloc=netloc, query=urlencode(query)))
    finally:
        server.close()
        wire.close()


async def _hand_back(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: list[Fault]
) -> None:
    with suppress(ConnectionError):
        while (message := await _next(reader)) is not None:
            fault = lost.pop() if lost else None
            if fault is None:
                writer.write(message)
            elif fault.answer is None:
                break
            else:
                _, request, responded, _ = _HEADER.unpack_from(message)
                writer.write(_answer(fault.answer, request, responded))
    writer.close()


async def _next(reader: asyncio.StreamReader) -> bytes | None:
    try:
        header = await reader.readexactly(_HEADER.size)
        return header + await reader.readexactly(_HEADER.unpack(header)[0] - _HEADER.size)
    except asyncio.IncompleteReadError:
        return None


def _command(message: bytes) -> str | None:
    """Name the command of a message; `None` for one of the old kind, which begins a connection."""
    if _HEADER.unpack_from(message)[3] != _OP_MSG:
        return None
    at = _BODY_AT
    while message[at : at + 1] != _ONE_DOCUMENT:
        at += 1 + int.from_bytes(message[at + 1 : at + 5], "little")
    size = int.from_bytes(message[at + 1 : at + 5], "little")
    return next(iter(bson.decode(message[at + 1 : at + 1 + size])))


def _written(answer: Answer, to: bytes) -> bytes:
    return _answer(answer, 0, _HEADER.unpack_from(to)[1])


def _answer(answer: Answer, request: int, responded: int) -> bytes:
    body = _FLAGS.pack(0) + _ONE_DOCUMENT + bson.encode(answer)
    return _HEADER.pack(_HEADER.size + len(body), request, responded, _OP_MSG) + body
