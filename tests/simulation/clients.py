"""Clients: chains of turns over any gateway, read, resumed after a break, left, and asked again."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal

from simulation import requests
from simulation.attending import StreamReader, served
from simulation.laws import BrokenLawError, Laws
from simulation.processes import GoneError
from simulation.requests import GatewayRequest
from simulation.wishes import CROWD, Approval, Wish, requested
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ConversationId, ResponseId
from turnwire_contracts.queries import Running
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_gateway.errors import ApiError

if TYPE_CHECKING:
    from simulation.world import World

_TRIES: Final = 400
_AGAIN_S: Final = 0.3
_WITHIN_S: Final = 2.0
_CROWD_WITHIN_S: Final = 0.5
_MOST_APPROVALS: Final = 2
"""How many turns in a row a client makes only to answer requests for approval."""

Seen = Literal["nothing", "locked", "part", "end"]
"""What a client knows of a turn that it asked for; `locked`: it was not made, and may be later."""


class Chat:
    """One client with a chain of turns."""

    def __init__(self, world: "World", random: Random, number: int, asked: Sequence[Wish]) -> None:
        """`asked`: its turns; each continues the last one that ended well."""
        self.world = world
        self.laws: Laws = world.laws
        self.number = number
        self._random = random
        self._speeds = world.schedule.random(f"speeds {number}")
        self._wishes = asked
        self._tenant = asked[0].tenant
        self._ids = 0
        self._previous: ResponseId | None = None

    async def run(self) -> None:
        """Ask for turn after turn, and answer what they ask for."""
        within_s = _CROWD_WITHIN_S if self._tenant == CROWD else _WITHIN_S
        await asyncio.sleep(self._random.random() * within_s)
        if self._wishes[0].conversation is not None:
            await self._begin_conversation(self._wishes[0].conversation)
        for wish in self._wishes:
            turn = await self._turn_of(wish)
            for _ in range(_MOST_APPROVALS):
                approve = self._random.random() < 0.6 if wish.approval != "never" else False
                said = self.laws.approvals.say(turn, approve=approve) if turn is not None else []
                if turn is None or not said or self._previous != turn.request.response_id:
                    break
                turn = await self._turn_of(wish, said)

    async def _turn_of(self, wish: Wish, said: Sequence[Approval] = ()) -> ClosedTurn | None:
        """Make one turn; gives it as it ended, if it was made."""
        for _ in range(_TRIES):
            self._ids += 1
            request = requested(wish, self._previous, self.number * 256 + self._ids, said)
            self.world.note(f"client {self.number} asks for {request.response_id[-4:]} ({wish})")
            seen = await self._turn(wish, request)
            if seen != "locked":
                return None if seen == "nothing" else await self._ended(request, seen)
            await asyncio.sleep(_AGAIN_S)
        return None

    async def _ended(self, request: Requested, seen: Seen) -> ClosedTurn | None:
        """Give a turn that was made as it ended; the next one continues it if it ended well."""
        turn = await self._found(request.response_id, ended=seen == "end")
        self.world.note(f"client {self.number} has {request.response_id[-4:]}")
        if turn is not None and turn.closed.stored and turn.closed.status != "failed":
            self._previous = request.response_id
        return turn

    async def _begin_conversation(self, conversation: ConversationId) -> None:
        for _ in range(_TRIES):
            with suppress(GoneError, ApiError):
                if await self._at_gateway(
                    partial(requests.conversation, tenant=self._tenant, wanted=conversation)
                ):
                    return
            await asyncio.sleep(_AGAIN_S)
        raise self.laws.broken("every client has its answer", f"{conversation}")

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
                    return _refused(error)
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
        reader = StreamReader(self.laws.readers, reading, wish.leaves_after, self._speeds)
        for _ in range(_TRIES):
            try:
                if reader.next_number:
                    reading = self.laws.readers.opened(request.response_id, reader.next_number)
                    reader = StreamReader(
                        self.laws.readers, reading, wish.leaves_after, self._speeds
                    )
                    await self._at_gateway(_joining(request, reader))
                else:
                    await self._at_gateway(partial(requests.begin, request=request, client=reader))
            except (GoneError, ApiError) as error:
                if requests.is_final(error):
                    return _refused(error)
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
                    return _refused(error)
                await asyncio.sleep(_AGAIN_S)
        reading = self.laws.readers.opened(request.response_id, 0)
        for _ in range(_TRIES):
            reader = StreamReader(self.laws.readers, reading, -1, self._speeds)
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
                    partial(requests.retrieve, tenant=self._tenant, response_id=response_id)
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
        # What a gateway has on its way for a tenant says on which level it waits.
        number = 0 if self._tenant == CROWD else int(self._random.random() * len(lives))
        life = lives[number]
        answered = asyncio.get_running_loop().create_future()
        life.waiting.append(answered)
        self.world.loop.spawn(life.process, served(life, request, answered))
        try:
            return await answered
        except (GoneError, ApiError, BrokenLawError):
            raise
        except Exception as error:
            raise self.laws.broken("no request ends in an error", repr(error)) from error
        finally:
            life.waiting.remove(answered)


def _refused(error: Exception) -> Seen:
    """Tell what a client makes of a refusal: another turn of the conversation may run."""
    is_locked = isinstance(error, ApiError) and error.failure.code == "conversation_locked"
    return "locked" if is_locked else "nothing"


def _joining(request: Requested, reader: "StreamReader") -> GatewayRequest:
    """Read a stream from where a reader stands."""
    return partial(
        requests.join,
        tenant=request.tenant,
        response_id=request.response_id,
        start=reader.next_number,
        client=reader,
    )


async def _for_ever() -> None:
    """Stay: a client that waits for its answer."""
    await asyncio.get_running_loop().create_future()
