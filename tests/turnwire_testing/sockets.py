"""A WebSocket of the API as a client without a library uses it: messages out, events in."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from turnwire_contracts.json_values import JSON
from turnwire_testing.stream_grammar import TERMINAL

WITHIN_S = 60.0
_NO_LIMIT = None


class Socket:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        """Nothing has come yet."""
        self.connection = connection

    async def create(self, **fields: Any) -> None:
        """Ask for a response; its events are still to be read."""
        await self.send({"type": "response.create", **fields})

    async def send(self, message: JSON | str | bytes) -> None:
        """Send a message; an object as JSON text."""
        text = orjson.dumps(message).decode() if isinstance(message, dict) else message
        await self.connection.send(text)

    async def event(self) -> JSON:
        """Give the next event."""
        async with asyncio.timeout(WITHIN_S):
            text = await self.connection.recv()
        assert isinstance(text, str), "every event is a text message"
        return orjson.loads(text)

    async def until(self, kind: str) -> list[JSON]:
        """Read until an event of this kind has come; gives all that came."""
        events = [await self.event()]
        while events[-1]["type"] != kind:
            events.append(await self.event())
        return events

    async def rest(self) -> list[JSON]:
        """Read to the end of the turn: its terminal event, or an error."""
        events = [await self.event()]
        while events[-1]["type"] not in TERMINAL | {"error"}:
            events.append(await self.event())
        return events

    async def until_closed(self) -> list[JSON]:
        """Read until the connection has ended, well or not; gives all events that came."""
        events: list[JSON] = []
        with suppress(ConnectionClosed):
            while True:
                events.append(await self.event())
        return events

    async def turn(self, **fields: Any) -> list[JSON]:
        """Ask for a response and read all its events."""
        await self.create(**fields)
        return await self.rest()

    async def response(self, **fields: Any) -> JSON:
        """Ask for a response; gives it as it is at its end."""
        end = (await self.turn(**fields))[-1]
        assert "response" in end, end
        return end["response"]

    async def error(self, **fields: Any) -> JSON:
        """Ask for a response that is refused; gives the error message."""
        end = (await self.turn(**fields))[-1]
        assert end["type"] == "error", end
        return end


@asynccontextmanager
async def connected(url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[Socket]:
    """Connect to the API whose base URL this is (`http://…/v1`)."""
    address = url.replace("http", "ws", 1) + "/responses"
    given = {"Authorization": "Bearer any", **(headers or {})}
    async with connect(
        address, additional_headers=given, max_size=_NO_LIMIT, proxy=None, compression=None
    ) as connection:
        yield Socket(connection)
