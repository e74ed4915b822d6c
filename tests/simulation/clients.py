"""Clients: chains of turns over any gateway, read, resumed after a break, left, and asked again."""

import asyncio
from contextlib import suppress
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from simulation import model, requests, stand_ins
from simulation.attending import StreamReader, served
from simulation.laws import Laws
from simulation.processes import GoneError
from simulation.requests import GatewayRequest
from turnwire_contracts.event_kinds import VERSIONS
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId, new_response_id
from turnwire_contracts.queries import Running
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_gateway.errors import ApiError

if TYPE_CHECKING:
    from simulation.world import World

TENANT: Final = TenantId("acme")
OWNER: Final = OwnerId("ada")
_TRIES: Final = 400
_AGAIN_S: Final = 0.3

_MCP: Final = {
    "type": "mcp",
    "server_label": "shop",
    "server_url": "https://shop.example/mcp",
    "require_approval": "never",
}


Seen = Literal["nothing", "part", "end"]
"""What a client knows of a turn that it asked for."""


class Wish(Struct, frozen=True):
    """What a client asks for."""

    kind: str
    """`stream`, `plain` or `background`."""
    tools: bool = False
    screen: bool = False
    forbidden: bool = False
    keyed: bool = False
    leaves_after: int = -1
    """After how many chunks the client leaves for good; -1: it stays."""


def wishes(random: Random) -> list[Wish]:
    """Draw a chain of turns."""
    return [
        Wish(
            random.choice(("stream", "stream", "stream", "plain", "background")),
            tools=random.random() < 0.35,
            screen=(screen := random.random() < 0.3),
            forbidden=screen and random.random() < 0.2,
            keyed=random.random() < 0.3,
            leaves_after=random.choice((1, 3)) if random.random() < 0.08 else -1,
        )
        for _ in range(random.choice((1, 1, 2)))
    ]


class Chat:
    """One client with a chain of turns."""

    def __init__(self, world: "World", random: Random, number: int) -> None:
        self.world = world
        self.laws: Laws = world.laws
        self.number = number
        self._random = random
        self._wishes = wishes(random)
        self._ids = 0

    async def run(self) -> None:
        """Ask for turn after turn; each continues the last one that ended well."""
        previous: ResponseId | None = None
        await asyncio.sleep(self._random.random() * 2)
        for wish in self._wishes:
            request = self._request(wish, previous)
            self.world.note(f"client {self.number} asks for {request.response_id[-4:]} ({wish})")
            seen = await self._turn(wish, request)
            if seen != "nothing":
                turn = await self._found(request.response_id, ended=seen == "end")
                self.world.note(f"client {self.number} has {request.response_id[-4:]}")
                if turn is not None and turn.closed.stored and turn.closed.status != "failed":
                    previous = request.response_id

    def _request(self, wish: Wish, previous: ResponseId | None) -> Requested:
        self._ids += 1
        now = stand_ins.now_ms()
        mark = self.number * 256 + self._ids
        word = model.FORBIDDEN if wish.forbidden else "hello"
        return Requested(
            v=VERSIONS[Requested],
            tenant=TENANT,
            response_id=new_response_id(now, mark.to_bytes(10, "big")),
            at=now,
            cause=f"req_{mark}",
            owner=OWNER,
            model="m",
            input=[{"type": "message", "role": "user", "content": f"{word} {mark}"}],
            previous_response_id=previous,
            params={"tools": [_MCP]} if wish.tools else {},
            stream=wish.kind == "stream",
            background=wish.kind == "background",
            screen=wish.screen,
            fingerprint=f"body {mark}" if wish.keyed else None,
        )

    async def _turn(self, wish: Wish, request: Requested) -> Seen:
        """Ask for a turn and follow it."""
        match wish.kind:
            case "stream":
                return await self._stream(wish, request)
            case "plain":
                return await self._plain(wish, request)
            case _:
                return await self._background(wish, request)

    async def _plain(self, wish: Wish, request: Requested) -> Seen:
        for _ in range(_TRIES):
            try:
                answer = await self._at_gateway(
                    lambda gateway: requests.answer(gateway, request, _for_ever())
                )
            except (GoneError, ApiError) as error:
                if requests.is_final(error):
                    return "nothing"
                await asyncio.sleep(_AGAIN_S)
                if not wish.keyed:
                    known = await self._is_known(request.response_id)
                    return "end" if known else "nothing"
                continue
            if answer is not None and answer[0] < 500 and answer[0] != 499:
                self.laws.answered(request.response_id, *answer)
            return "end"
        raise self.laws.broken("every client has its answer", f"{request.response_id}: plain")

    async def _stream(self, wish: Wish, request: Requested) -> Seen:
        reading = self.laws.readers.opened(request.response_id, 0)
        reader = StreamReader(self.laws.readers, reading, wish.leaves_after)
        for _ in range(_TRIES):
            try:
                if reader.next_number:
                    reading = self.laws.readers.opened(request.response_id, reader.next_number)
                    reader = StreamReader(self.laws.readers, reading, wish.leaves_after)
                    await self._at_gateway(_joining(request, reader))
                else:
                    await self._at_gateway(partial(requests.begin, request=request, client=reader))
            except (GoneError, ApiError) as error:
                if requests.is_final(error):
                    return "nothing"
                if not reader.next_number and not wish.keyed:
                    # It does not know the id, and may not ask twice.
                    return "nothing"
            if reader.left or reader.refused:
                return "nothing"
            if reading.done or reading.interrupted:
                return "part" if reading.interrupted else "end"
            await asyncio.sleep(_AGAIN_S)
        raise self.laws.broken("every client has its answer", f"{request.response_id}: stream")

    async def _background(self, wish: Wish, request: Requested) -> Seen:
        for _ in range(_TRIES):
            try:
                await self._at_gateway(lambda gateway: requests.queue(gateway, request))
                break
            except (GoneError, ApiError) as error:
                if requests.is_final(error) or not wish.keyed:
                    return "nothing"
                await asyncio.sleep(_AGAIN_S)
        reading = self.laws.readers.opened(request.response_id, 0)
        for _ in range(_TRIES):
            reader = StreamReader(self.laws.readers, reading, -1)
            with suppress(GoneError, ApiError):
                await self._at_gateway(_joining(request, reader))
            if reading.done or reading.interrupted:
                return "part" if reading.interrupted else "end"
            await asyncio.sleep(_AGAIN_S)
            reading = self.laws.readers.opened(request.response_id, reader.next_number)
        raise self.laws.broken("every client has its answer", f"{request.response_id}: background")

    async def _is_known(self, response_id: ResponseId) -> bool:
        """Wait for the end of a turn whose client does not know whether it was requested."""
        for _ in range(_TRIES):
            if response_id not in self.laws.turns:
                return False
            if response_id not in (each.split()[0] for each in self.laws.unended()):
                return True
            await asyncio.sleep(1.0)
        return False

    async def _found(self, response_id: ResponseId, *, ended: bool) -> ClosedTurn | None:
        """Read a turn: one whose end was seen must be there, as the log has it."""
        for _ in range(_TRIES):
            try:
                found = await self._at_gateway(
                    lambda gateway: requests.retrieve(gateway, response_id)
                )
            except (GoneError, ApiError) as error:
                if isinstance(error, ApiError) and error.failure.code == "response_not_found":
                    turn = self.laws.turns[response_id].turn
                    if isinstance(turn, ClosedTurn) and turn.closed.stored:
                        raise self.laws.broken("what has ended can be read", response_id) from error
                    return None
                await asyncio.sleep(_AGAIN_S)
                continue
            if isinstance(found, Running) and not ended:
                await asyncio.sleep(1.0)
                continue
            if isinstance(found, Running) or found != self.laws.turns[response_id].turn:
                raise self.laws.broken("what has ended can be read", f"{response_id}: {found}")
            return found
        raise self.laws.broken("what has ended can be read", f"{response_id}: no answer")

    async def _at_gateway(self, request: GatewayRequest) -> Any:
        """Run a request in some gateway's process; raises `GoneError` when that goes away."""
        lives = [life for life in self.world.supervisor.lives.values() if life.deps is not None]
        if not lives:
            raise GoneError
        life = lives[int(self._random.random() * len(lives))]
        answered = asyncio.get_running_loop().create_future()
        life.waiting.append(answered)
        self.world.loop.spawn(life.process, served(life, request, answered))
        try:
            return await answered
        finally:
            life.waiting.remove(answered)


def _joining(request: Requested, reader: "StreamReader") -> GatewayRequest:
    """Read a stream from where a reader stands."""
    return partial(
        requests.join,
        response_id=request.response_id,
        start=reader.next_number,
        client=reader,
    )


async def _for_ever() -> None:
    """Stay: a client that waits for its answer."""
    await asyncio.get_running_loop().create_future()
