"""A replica set as a driver sees it: members that speak MongoDB's protocol before one server.

Each member is a proxy of the same document server. What it says of itself (`hello`) is rewritten,
so that the driver sees a set whose primary moves; commands are answered with the errors that
MongoDB documents, either instead of being done or after they were done.
"""

import asyncio
import struct
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import bson
from bson.objectid import ObjectId

from turnwire_dev.instance.ports import LOOPBACK

Document = dict[str, Any]

SET: Final = "rs0"

_HEADER: Final = struct.Struct("<iiii")
_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_MORE_TO_COME: Final = 2
_HELLO: Final = frozenset({"hello", "ismaster", "isMaster"})
_NOT_ASKED: Final = ("topologyVersion", "compression", "msg")

NOT_WRITABLE_PRIMARY: Final = 10107

ERRORS: Final[Mapping[str, int]] = {
    "NotWritablePrimary": NOT_WRITABLE_PRIMARY,
    "PrimarySteppedDown": 189,
    "InterruptedAtShutdown": 11600,
    "InterruptedDueToReplStateChange": 11602,
    "NotPrimaryNoSecondaryOk": 13435,
    "NotPrimaryOrSecondary": 13436,
    "ShutdownInProgress": 91,
}
"""State change errors: a driver forgets who the primary was (server discovery and monitoring)."""


def command_error(name: str, code: int, labels: Collection[str] = ()) -> Document:
    """Answer with an error instead of a result."""
    return {
        "ok": 0.0,
        "errmsg": f"scripted {name}",
        "code": code,
        "codeName": name,
        "errorLabels": list(labels),
    }


def write_concern_error(name: str, code: int) -> Document:
    """Add to a result that it is not known to be on enough members."""
    told = {"code": code, "codeName": name, "errmsg": f"scripted {name}"}
    return {"writeConcernError": told}


@dataclass
class Scripted:
    """What the next commands of some names are answered with."""

    commands: Collection[str]
    answer: Document
    times: int
    is_done: bool
    """Whether the server is asked all the same, so that only its answer is another."""
    given: int = 0

    def takes(self, command: str) -> bool:
        """Tell whether this is for a command, and count it."""
        if command not in self.commands or self.given >= self.times:
            return False
        self.given += 1
        return True


@dataclass
class ReplicaSet:
    """The members, and which of them is the primary."""

    server_port: int
    members: list["Member"] = field(default_factory=list["Member"])
    primary: int | None = 0
    election: int = 1
    scripts: list[Scripted] = field(default_factory=list[Scripted])

    @property
    def url(self) -> str:
        """Where a driver finds it, with the options that the page on MongoDB asks for."""
        hosts = ",".join(member.host for member in self.members)
        return f"mongodb://{hosts}/turnwire?replicaSet={SET}"

    def script(
        self, commands: Collection[str], answer: Document, *, times: int = 1, is_done: bool = False
    ) -> Scripted:
        """Answer the next commands of these names so."""
        scripted = Scripted(commands, answer, times, is_done)
        self.scripts.append(scripted)
        return scripted

    def step_down(self, to: int | None = None) -> None:
        """Let another member be the primary, or none; who is connected to the old one is told."""
        self.primary = to
        self.election += 1

    def be_well(self) -> None:
        """Have a primary, the first member, and answer as the server does."""
        self.scripts.clear()
        if self.primary != 0:
            self.step_down(0)

    def cut(self) -> None:
        """Close every connection, as members do that change their state."""
        for member in self.members:
            member.cut()


class Member:
    """One member, at a port of its own."""

    def __init__(self, number: int, of: ReplicaSet) -> None:
        self._number = number
        self._set = of
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.host = ""

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.host = f"{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening, and drop all connections."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Close all connections."""
        for writer in list(self._writers):
            writer.transport.abort()

    @property
    def is_primary(self) -> bool:
        """Whether it takes writes."""
        return self._set.primary == self._number

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        with suppress(OSError, asyncio.IncompleteReadError):
            far_reader, far = await asyncio.open_connection(LOOPBACK, self._set.server_port)
            while True:
                request = await _message(reader)
                if (reply := await self._answer(request, far_reader, far)) is not None:
                    writer.write(reply)
                    await writer.drain()
        for each in (writer, far):
            if each is not None:
                each.transport.abort()
        self._writers.discard(writer)

    async def _answer(
        self, request: bytes, reader: asyncio.StreamReader, server: asyncio.StreamWriter
    ) -> bytes | None:
        command, wants_answer = _asked(request)
        scripted = None
        if command not in _HELLO:
            if command in _WRITES and not self.is_primary:
                told = command_error("NotWritablePrimary", NOT_WRITABLE_PRIMARY)
                return _reply(request, told)
            scripted = next((each for each in self._set.scripts if each.takes(command)), None)
        if scripted is not None and not scripted.is_done:
            return _reply(request, scripted.answer)
        server.write(request)
        await server.drain()
        if not wants_answer:
            return None
        reply = await _message(reader)
        if command in _HELLO:
            return _reply(request, {**_told(reply), **self._hello()}, _NOT_ASKED)
        if scripted is None:
            return reply
        return _reply(request, {**_told(reply), **scripted.answer})

    def _hello(self) -> Document:
        primary = self._set.primary
        told: Document = {
            "setName": SET,
            "setVersion": 1,
            "hosts": [member.host for member in self._set.members],
            "me": self.host,
            "isWritablePrimary": self.is_primary,
            "ismaster": self.is_primary,
            "secondary": not self.is_primary,
        }
        if primary is not None:
            told["primary"] = self._set.members[primary].host
        if self.is_primary:
            told["electionId"] = ObjectId(f"{self._set.election:024x}")
        return told


_WRITES: Final = frozenset(
    {"insert", "update", "delete", "findAndModify", "createIndexes", "drop", "create"}
)


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(_HEADER.size)
    length, *_ = _HEADER.unpack(head)
    return head + await reader.readexactly(length - _HEADER.size)


def _asked(request: bytes) -> tuple[str, bool]:
    """Name the command of a request, and tell whether it wants an answer."""
    operation = _HEADER.unpack_from(request)[3]
    if operation == _OP_MSG:
        wants_answer = not struct.unpack_from("<I", request, 16)[0] & _MORE_TO_COME
        return next(iter(_document(request, 21))), wants_answer
    assert operation == _OP_QUERY, operation
    end_of_name = request.index(b"\0", 20)
    return next(iter(_document(request, end_of_name + 9))), True


def _told(reply: bytes) -> Document:
    """Read the document of an answer."""
    operation = _HEADER.unpack_from(reply)[3]
    return _document(reply, 21 if operation == _OP_MSG else 36)


def _document(message: bytes, at: int) -> Document:
    (length,) = struct.unpack_from("<i", message, at)
    return bson.decode(message[at : at + length])


def _reply(request: bytes, told: Document, without: Collection[str] = ()) -> bytes:
    """Write an answer to a request, in the form that it was asked in."""
    _, number, _, operation = _HEADER.unpack_from(request)
    body = bson.encode({name: value for name, value in told.items() if name not in without})
    if operation == _OP_MSG:
        body = struct.pack("<IB", 0, 0) + body
        kind = _OP_MSG
    else:
        body = struct.pack("<iqii", 8, 0, 0, 1) + body
        kind = _OP_REPLY
    return _HEADER.pack(_HEADER.size + len(body), number + 1, number, kind) + body


@asynccontextmanager
async def replica_set(server_port: int, members: int = 2) -> AsyncGenerator[ReplicaSet]:
    """Run a set before a document server; its first member is the primary."""
    running = ReplicaSet(server_port)
    running.members += [Member(number, running) for number in range(members)]
    try:
        for member in running.members:
            await member.start()
        yield running
    finally:
        for member in running.members:
            await member.stop()
