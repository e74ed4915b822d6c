"""A gateway in one process: real handlers between logs in memory and a broker."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import FastAPI
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_contracts.events import AnyEvent, Closed, Failure, Item, Requested
from turnwire_contracts.ids import (
    ConversationId,
    OwnerId,
    ResponseId,
    TenantId,
    TurnKey,
    output_item_id,
)
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.compaction import compaction_object
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.response import closed_response, error_envelope
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.requests.prompts import Prompts
from turnwire_gateway.api.requests.validation import Rules
from turnwire_gateway.api.turns import TurnLimits, Turns
from turnwire_gateway.app import GatewayDependencies, build
from turnwire_gateway.auth.caller import ADMIN, LOCAL, OPERATOR, Caller
from turnwire_gateway.limits.limiter import Limiter, unlimited
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.examples import AT, closed, message, started
from turnwire_testing.memory_audit_log import MemoryAuditLog
from turnwire_testing.memory_event_log import Event
from turnwire_testing.stores import AnsweringStore, ReadableLog
from turnwire_testing.told_turns import LossyOutput

LIMIT = 10_000


class OrchestratedLog(ReadableLog):
    """A log with an orchestrator behind it that answers every turn the same way."""

    def __init__(self, output: LossyOutput) -> None:
        """Answer well."""
        super().__init__()
        self.failure: Failure | None = None
        self.busy = False
        """Whether turns have to wait: nobody takes them until `finish`."""
        self.requests: list[Requested] = []
        self._output = output

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        sequence = await super().append(event, expected)
        if isinstance(event, Requested):
            self.requests.append(event)
            if not self.busy:
                await self.finish(event)
        return sequence

    async def start(self, request: Requested) -> None:
        """Take a background turn from the queue."""
        await super().append(started(**_about(request)), None)

    async def finish(self, request: Requested, **changes: Any) -> None:
        """Drive a turn to its end and tell it; `changes`: what is not usual about its end."""
        about = _about(request)
        said: Item = {
            **message("Hi."),
            "id": output_item_id(request.response_id, 0, "message"),
        }
        if self.failure is not None:
            changes = {"status": "failed", "output": [], "failure": self.failure, **changes}
        end = closed(**{**about, "output": [said], "stored": request.store, **changes})
        recorded = await self.read(request.tenant, request.response_id)
        turn = ended([*(each.event for each in recorded), end])
        await super().append(end if end.stored else _without_content(end), None)
        await self._tell(turn)
        for each in recorded if not end.stored else ():
            await self.erase(each)

    async def _tell(self, turn: ClosedTurn) -> None:
        request = turn.request
        if self.failure is not None:
            body = orjson.dumps(error_envelope(self.failure))
            answer = FrameMessage(
                "A", 1, self.failure.http_status, self.failure.retry_after_s or 0, body
            )
            say = self._output.publish if request.watched else self._output.answer
            await say(request.turn_key, answer)
        elif request.watched:
            frames = stream_of(turn)
            await self._output.publish(
                request.turn_key, FrameMessage("E", 1, 0, len(frames), b"".join(frames))
            )
        else:
            body = orjson.dumps(
                compaction_object(turn) if request.compact else closed_response(turn)
            )
            await self._output.answer(request.turn_key, FrameMessage("A", 1, 200, 0, body))


class Api:
    """A gateway, and what a test decides about the services behind it."""

    def __init__(
        self,
        client: Client,
        *,
        prompts: Prompts | None = None,
        limiter: Callable[[Callable[[], int]], Limiter] | None = None,
    ) -> None:
        """Services answer once they are told what; `limiter` is made for the API's own clock."""
        self.output = LossyOutput()
        self.log = OrchestratedLog(self.output)
        self.client = client
        self.now = AT
        limits = TurnLimits(60, stream_grace_s=0, max_body_bytes=LIMIT, max_queue_s=10)
        logs = Logs(self.log, self.output)
        turns = Turns(logs, limits, self._is_watched, self._now_ms)
        rules = Rules(screen=False, prompts=prompts or {})
        self.audit = MemoryAuditLog()
        self.world = GatewayDependencies(
            client,
            logs,
            turns,
            rules,
            self.audit,
            self._now_ms,
            guard_timeout_s=2,
            identify=by_name,
            limiter=limiter(self._now_ms) if limiter else unlimited(),
        )
        self.app: FastAPI = build(self.world)

    def _now_ms(self) -> int:
        return self.now

    async def _is_watched(self, turn: TurnKey) -> bool:
        return self.world.turns.watches(turn)

    async def with_store(self) -> "Api":
        """Let a store answer from the log."""
        await AnsweringStore(self.log).start(self.client)
        return self

    async def answers(self, subject: str, answer: bytes) -> None:
        """Let a service answer every question like this."""

        async def on_question(message: Msg) -> None:
            await message.respond(answer)

        await self.client.subscribe(subject, cb=on_question)
        await self.client.flush()

    async def call(
        self, method: str, target: str, body: JSON | None = None, **headers: str
    ) -> Exchange:
        """Make a request with a JSON body, or with none."""
        content = b"" if body is None else orjson.dumps(body)
        async with asyncio.timeout(30):
            return await call(self.app, method, target, Exchange(content, headers))  # pyright: ignore[reportArgumentType]

    async def get(self, target: str, **headers: str) -> Exchange:
        """Ask for something."""
        return await call(self.app, "GET", target, Exchange(fields=headers))  # pyright: ignore[reportArgumentType]

    async def create(self, **fields: object) -> Exchange:
        """Ask for a response."""
        return await self.post(orjson.dumps({"model": "m", "input": "Hello?", **fields}))

    async def post(self, body: bytes, **headers: str) -> Exchange:
        """Send a body."""
        async with asyncio.timeout(30):
            return await call(self.app, "POST", "/v1/responses", Exchange(body, headers))  # pyright: ignore[reportArgumentType]

    async def converse(self, **fields: object) -> str:
        """Begin a conversation; gives its id."""
        begun = await self.call("POST", "/v1/conversations", {**fields})
        assert begun.status == 200, begun.json
        return begun.json["id"]

    async def say(self, text: str, **fields: object) -> JSON:
        """Hold a turn; gives its response."""
        exchange = await self.create(**{"input": text, **fields})
        assert exchange.status in (200, 202), exchange.json
        return exchange.json

    def turn(self, response_id: str, tenant: TenantId = LOCAL.tenant) -> ClosedTurn:
        """Give a turn that must have ended."""
        found = self.log.turn(tenant, ResponseId(response_id))
        assert isinstance(found, ClosedTurn), found
        return found

    def last_of(self, conversation_id: str) -> str | None:
        """Name the turn that has the last place in a conversation."""
        found, _ = self.log.conversation(LOCAL.tenant, ConversationId(conversation_id))
        assert found is not None
        return found.last


async def by_name(authorization: str | None) -> Caller:
    """Take callers at their word; without one it is the local user.

    `tenant/owner`, and behind it `/admin`, `/operator` or the id of a key (`/key_1`).
    """
    if authorization is None or authorization.count("/") == 0:
        return LOCAL
    tenant, owner, *more = authorization.removeprefix("Bearer ").split("/")
    key = next((each for each in more if each.startswith("key_")), None)
    return Caller(TenantId(tenant), OwnerId(owner), frozenset(more) & {ADMIN, OPERATOR}, key)


def ended(events: list[AnyEvent]) -> ClosedTurn:
    """Fold the events of a turn that has ended."""
    turn = fold(events)
    assert isinstance(turn, ClosedTurn)
    return turn


def error_of(exchange: Exchange) -> tuple[int, str]:
    """Status and code of an error, which must have the envelope."""
    error = exchange.json["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    return exchange.status, error["code"]


def _about(request: Requested) -> dict[str, Any]:
    return {"tenant": request.tenant, "response_id": request.response_id}


def _without_content(end: Closed) -> Closed:
    return closed(
        tenant=end.tenant, response_id=end.response_id, output=[], status=end.status, stored=False
    )
