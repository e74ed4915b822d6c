"""A client's request in the process of a gateway, and what comes back to the client."""

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, Final

from simulation.processes import GoneError
from simulation.reader_laws import ReaderLaws, Reading
from simulation.requests import GatewayRequest

if TYPE_CHECKING:
    from simulation.loop import Process
    from simulation.processes import Life


async def served(
    life: "Life",
    request: GatewayRequest,
    answered: "asyncio.Future[Any]",
) -> None:
    server, outside = life.deps, life.loop.outside
    if server is None:
        _tell(life, outside, answered, None, GoneError())
        return
    task = asyncio.current_task()
    server.open.add(task)
    try:
        result = await request(server)
    except Exception as error:  # noqa: BLE001 -- it is the client's to judge
        _tell(life, outside, answered, None, error)
    except asyncio.CancelledError:
        _tell(life, outside, answered, None, GoneError())
        raise
    else:
        _tell(life, outside, answered, result, None)
    finally:
        server.open.discard(task)


def _tell(
    life: "Life",
    outside: "Process",
    answered: "asyncio.Future[Any]",
    result: Any,
    error: Exception | None,
) -> None:
    with life.loop.as_process(outside):
        if answered.done():
            return
        if error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(result)


_BUSY: Final = 0.3
"""How often a connection does not take at once what it is given."""


class StreamReader:
    """Where a gateway sends a stream to (ASGI's `send`)."""

    def __init__(
        self, laws: ReaderLaws, reading: Reading, leaves_after: int, random: Random
    ) -> None:
        """`random` says what the connection takes at once."""
        self._laws = laws
        self._reading = reading
        self._leaves_after = leaves_after
        self._random = random
        self._chunks = 0
        self._leave = asyncio.get_running_loop().create_future()
        self.refused = self._begun = False
        self.left = False

    @property
    def next_number(self) -> int:
        """The frame that comes next."""
        return self._reading.start + len(self._reading.frames)

    async def send(self, message: dict[str, Any]) -> None:
        """Take what the gateway sends."""
        if message["type"] == "http.response.start":
            kind = dict(message["headers"]).get(b"content-type", b"")
            self.refused = not kind.startswith(b"text/event-stream")
            self._begun = not self.refused
            return
        self._take(message.get("body", b""))

    def write_part(self, body: bytes) -> bool:
        """Take a part at once, past `send`; false: it has to be sent."""
        takes = self._begun and not self.left and self._random.random() >= _BUSY
        if takes:
            self._take(body)
        return takes

    def _take(self, body: bytes) -> None:
        if self.refused or self.left or not body or body.startswith(b": "):
            return
        self._laws.read(self._reading, body)
        self._chunks += 1
        if self._chunks == self._leaves_after and not self._reading.done:
            self.left = True
            self._leave.set_result(None)

    async def receive(self) -> dict[str, Any]:
        """Tell when the client leaves (ASGI)."""
        await self._leave
        return {"type": "http.disconnect"}
