"""A gateway in one process: real handlers between logs in memory and a broker."""

import asyncio

import orjson
from fastapi import FastAPI
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.memory.event_log import MemoryEventLog
from turnwire_contracts.events import AnyEvent, Failure, Requested
from turnwire_contracts.turn import ClosedTurn, fold
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.response import closed_response, error_envelope
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.answers.feed import Logs
from turnwire_gateway.app import build
from turnwire_gateway.handlers import ResponseHandlers
from turnwire_gateway.turns import Limits, Turns
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.examples import AT, closed
from turnwire_testing.told_turns import LossyOutput

LIMIT = 10_000


class OrchestratedLog(MemoryEventLog):
    """A log with an orchestrator behind it that answers every turn the same way."""

    def __init__(self, output: LossyOutput) -> None:
        """Answer well."""
        super().__init__()
        self.failure: Failure | None = None
        self.requests: list[Requested] = []
        self._output = output

    async def append(self, event: AnyEvent, expected: int | None) -> int:
        """See `EventLog.append`."""
        sequence = await super().append(event, expected)
        if isinstance(event, Requested):
            self.requests.append(event)
            await self._answer(event)
        return sequence

    async def _answer(self, request: Requested) -> None:
        about = {"tenant": request.tenant, "response_id": request.response_id}
        turn = ended([request, closed(**about)])
        await super().append(turn.closed, None)
        if self.failure is not None:
            body = orjson.dumps(error_envelope(self.failure))
            answer = FrameMessage("A", 1, self.failure.http_status, 0, body)
            say = self._output.publish if request.stream else self._output.answer
            await say(request.response_id, answer)
        elif request.stream:
            frames = stream_of(turn)
            message = FrameMessage("E", 1, 0, len(frames), b"".join(frames))
            await self._output.publish(request.response_id, message)
        else:
            answer = FrameMessage("A", 1, 200, 0, orjson.dumps(closed_response(turn)))
            await self._output.answer(request.response_id, answer)


class Api:
    """A gateway, and what a test decides about the services behind it."""

    def __init__(self, client: Client) -> None:
        """Services answer once they are told what."""
        self.output = LossyOutput()
        self.log = OrchestratedLog(self.output)
        self.client = client
        limits = Limits(turn_timeout_s=60, stream_grace_s=0, max_body_bytes=LIMIT)
        turns = Turns(Logs(self.log, self.output), limits, self._nobody, lambda: AT)
        self.app: FastAPI = build(ResponseHandlers(turns, client, lambda: AT, screen=False))

    async def _nobody(self, _: str) -> bool:
        return False

    async def answers(self, subject: str, answer: bytes) -> None:
        """Let a service answer every question like this."""

        async def on_question(message: Msg) -> None:
            await message.respond(answer)

        await self.client.subscribe(subject, cb=on_question)
        await self.client.flush()

    async def get(self, target: str, **headers: str) -> Exchange:
        """Ask for something."""
        return await call(self.app, "GET", target, Exchange(fields=headers))  # pyright: ignore[reportArgumentType]

    async def create(self, **fields: object) -> Exchange:
        """Ask for a response."""
        return await self.post(orjson.dumps({"model": "m", "input": "Hello?", **fields}))

    async def post(self, body: bytes, **headers: str) -> Exchange:
        """Send a body."""
        async with asyncio.timeout(5):
            return await call(self.app, "POST", "/v1/responses", Exchange(body, headers))  # pyright: ignore[reportArgumentType]


def ended(events: list[AnyEvent]) -> ClosedTurn:
    """Fold the events of a turn that has ended."""
    turn = fold(events)
    assert isinstance(turn, ClosedTurn)
    return turn
