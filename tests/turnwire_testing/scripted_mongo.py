"""A server that speaks as much of MongoDB's wire protocol as a greeting takes."""

import asyncio
import struct
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import bson

_HEADER = struct.Struct("<iiii")
_QUERY, _REPLY, _MESSAGE = 2004, 1, 2013
_HELLO = {"ok": 1, "isWritablePrimary": True, "ismaster": True, "maxWireVersion": 21}

Answers = Mapping[str, Mapping[str, Any]]
"""By the name of the command."""


@asynccontextmanager
async def scripted_mongo(answers: Answers) -> AsyncGenerator[str]:
    """Serve a lone server that answers each command as said, others with ok; gives host:port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                writer.write(_answered(await _read(reader), answers))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


async def _read(reader: asyncio.StreamReader) -> tuple[int, int, dict[str, Any]]:
    length, number, _, code = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    body = await reader.readexactly(length - _HEADER.size)
    # A query has flags, a name that ends in zero and two numbers; a message flags and a kind.
    document = body[body.index(b"\0", 4) + 9 :] if code == _QUERY else body[5:]
    size = int.from_bytes(document[:4], "little")
    return number, code, bson.decode(document[:size])


def _answered(asked: tuple[int, int, dict[str, Any]], answers: Answers) -> bytes:
    number, code, command = asked
    name = next(iter(command))
    answer = {**_HELLO, "ok": 1, "minWireVersion": 0, **answers.get(name, {})}
    document = bson.encode(answer)
    if code == _QUERY:
        body, code = struct.pack("<iqii", 0, 0, 0, 1) + document, _REPLY
    else:
        body = struct.pack("<IB", 0, 0) + document
    return _HEADER.pack(_HEADER.size + len(body), 1, number, code) + body
