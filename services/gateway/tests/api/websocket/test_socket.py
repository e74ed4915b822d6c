"""A WebSocket: creates in lanes, what waits and what does not, and how it all ends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import orjson
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK

from turnwire_contracts.events import CancelRequested, Requested
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.json_values import JSON
from turnwire_contracts.notices.queue_state import LevelState, QueueState
from turnwire_contracts.queues import LEVELS
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.response import error_envelope
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.admission.admission import Admitted, Origin
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.middleware import IdentityMiddleware, RequestIdMiddleware
from turnwire_gateway.api.requests.validation import Rules, requested
from turnwire_gateway.api.turns import TurnLimits, Turns
from turnwire_gateway.api.websocket.connection import SocketHandlers
from turnwire_gateway.api.websocket.ports import SocketLimits, SocketPorts
from turnwire_gateway.auth.caller import Caller, caller_of
from turnwire_gateway.errors import invalid, unavailable
from turnwire_gateway.limits.limiter import unlimited
from turnwire_gateway.limits.request_quota import RequestQuota
from turnwire_testing.examples import AT, closed, fresh_id, message
from turnwire_testing.listening import listening
from turnwire_testing.memory_event_log import Event, MemoryEventLog
from turnwire_testing.memory_output_log import MemoryOutputLog
from turnwire_testing.sockets import Socket, connected
from turnwire_testing.waiting import eventually

WITHIN_S = 30.0
LARGEST = 20_000
BROKEN_INPUT = "What breaks the gateway."


class DirectedLog(MemoryEventLog):
    """A log whose new turns a test answers by itself."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        super().__init__()
        self.asked: asyncio.Queue[Requested] = asyncio.Queue()
        self.cancelled: list[str] = []

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        sequence = await super().append(event, expected)
        if isinstance(event, Requested):
            self.asked.put_nowait(event)
        if isinstance(event, CancelRequested):
            self.cancelled.append(event.response_id)
        return sequence


class Stage:
    """A gateway with WebSockets, and a test in place of all that is behind it."""

    def __init__(self, url: str) -> None:
        """Serve nothing yet."""
        self.url = url
        self.log = DirectedLog()
        self.output = MemoryOutputLog()
        self.admitted = 0

    def app(self, limits: SocketLimits) -> Starlette:
        """Give the application."""
        about = TurnLimits(60, stream_grace_s=0, max_body_bytes=LARGEST, max_queue_s=10)
        self.turns = Turns(Logs(self.log, self.output), about, self._nobody, lambda: AT)
        ports = SocketPorts(
            self.turns, self._read, self._admit, self._quota, inherit=True, limits=limits
        )
        route = WebSocketRoute("/v1/responses", SocketHandlers(ports).connect)
        identity = Middleware(IdentityMiddleware, identify=caller_of)
        return Starlette(routes=[route], middleware=[Middleware(RequestIdMiddleware), identity])

    def _quota(self, caller: Caller) -> RequestQuota:
        return RequestQuota(unlimited(), caller, 0)

    async def begin(self) -> Requested:
        """Take the next turn and tell its first two frames."""
        async with asyncio.timeout(WITHIN_S):
            request = await self.log.asked.get()
        await self._tell(request, 0, 2)
        return request

    async def end(self, request: Requested, text: str = "Hi.", **closing: object) -> None:
        """Tell the rest of a turn."""
        await self._tell(request, 2, None, text, **closing)

    async def refuse(self, request: Requested) -> None:
        """Answer a turn that has not begun with an error."""
        failure = unavailable("store_unavailable").failure
        body = orjson.dumps(error_envelope(failure))
        answer = FrameMessage("A", 1, failure.http_status, 0, body)
        await self.output.publish(request.turn_key, answer)

    async def _tell(
        self, request: Requested, first: int, end: int | None, text: str = "Hi.", **closing: object
    ) -> None:
        about = {"output": [message(text)], **closing}
        turn = ClosedTurn(request, closed(response_id=request.response_id, **about))
        frames = stream_of(turn)[first:end]
        kind = "E" if end is None else "F"
        told = FrameMessage(kind, 1, first, len(frames), b"".join(frames))
        await self.output.publish(request.turn_key, told)

    def _read(
        self, fields: JSON, caller: Caller, request_id: str, application: str | None
    ) -> Requested:
        if fields.get("input") == BROKEN_INPUT:
            raise RuntimeError("a fault of the gateway")
        origin = Origin(
            tenant=caller.tenant,
            owner=caller.owner,
            request_id=request_id,
            response_id=fresh_id(),
            at=AT,
            application=application,
        )
        return requested(fields, origin, Rules(screen=False, prompts={}))

    async def _admit(self, caller: Caller, request: Requested) -> Admitted:
        del caller
        self.admitted += 1
        return Admitted(request)

    async def _nobody(self, _: TurnKey) -> bool:
        return False


@asynccontextmanager
async def staged(limits: SocketLimits) -> AsyncGenerator[Stage]:
    """Run a gateway on a free port."""
    stage = Stage("")
    async with listening(stage.app(limits), LARGEST) as stage.url:
        yield stage


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with staged(SocketLimits(most_lanes=2, most_waiting=3)) as stage:
        yield stage


@pytest.fixture
async def socket(stage: Stage) -> AsyncGenerator[Socket]:
    async with connected(stage.url, {"x-request-id": "req_of_client"}) as socket:
        yield socket


async def ask(socket: Socket, text: str = "Hello?", **fields: object) -> None:
    """Ask for a response."""
    await socket.create(model="m", input=text, **fields)


def code_of(error: JSON) -> tuple[int, str]:
    """What an error message says, for programs."""
    return error["status"], error["error"]["code"]


async def test_a_turn_that_would_wait_too_long_is_refused_before_anything_is_written(
    stage: Stage, socket: Socket
) -> None:
    crowded = LevelState(waiting=5000, starts_per_s=1.0)
    stage.turns.queues.hear(QueueState("one", [crowded] * LEVELS))
    await ask(socket)
    assert code_of(await socket.event()) == (503, "overloaded")
    assert stage.admitted == 0


async def test_the_request_id_is_that_of_the_connection_and_counts(
    stage: Stage, socket: Socket
) -> None:
    assert socket.connection.response is not None
    assert socket.connection.response.headers["x-request-id"] == "req_of_client"
    for number in (1, 2):
        await ask(socket)
        request = await stage.begin()
        assert request.cause == f"req_of_client.{number}"
        await stage.end(request)
        await socket.rest()


async def test_a_turn_waits_for_the_one_before_it(stage: Stage, socket: Socket) -> None:
    await ask(socket, "One?")
    await ask(socket, "Two?")
    first = await stage.begin()
    await socket.until("response.in_progress")
    assert stage.log.asked.empty()
    await stage.end(first)
    await socket.rest()
    second = await stage.begin()
    assert second.input[0]["content"] == "Two?"
    await stage.end(second)
    assert (await socket.rest())[0]["response"]["id"] == second.response_id


async def test_more_creates_than_may_wait_are_refused(stage: Stage, socket: Socket) -> None:
    await ask(socket)
    first = await stage.begin()
    await socket.until("response.in_progress")
    for _ in range(4):
        await ask(socket)
    assert code_of(await socket.event()) == (429, "websocket_queue_full")
    await stage.end(first)
    for _ in range(3):
        await socket.rest()
        await stage.end(await stage.begin())
    assert (await socket.rest())[-1]["type"] == "response.completed"


async def test_more_lanes_than_may_be_busy_are_refused(stage: Stage, socket: Socket) -> None:
    for lane in ("a", "b"):
        await ask(socket, stream_id=lane)
    requests = [await stage.begin(), await stage.begin()]
    for _ in requests:
        await socket.until("response.in_progress")
    await ask(socket, stream_id="c")
    refused = await socket.event()
    assert (code_of(refused), refused["stream_id"]) == ((429, "websocket_too_many_lanes"), "c")
    for request in requests:
        await stage.end(request)
        await socket.rest()
    await ask(socket, stream_id="c")
    await stage.end(await stage.begin())
    assert (await socket.rest())[-1]["stream_id"] == "c"


@pytest.mark.parametrize(
    ("sent", "code", "param"),
    [
        ("no JSON", "invalid_json", None),
        ("[]", "invalid_json", None),
        (b"\xff", "invalid_json", None),
        ({"type": "response.steer"}, "invalid_value", "type"),
        ({"type": "response.create", "input": "x"}, "missing_required_parameter", "model"),
        ({"type": "response.create", "stream_id": 1}, "invalid_value", "stream_id"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_the_connection_goes_on(
    stage: Stage, socket: Socket, sent: JSON | str | bytes, code: str, param: str | None
) -> None:
    await socket.send(sent)
    refused = await socket.event()
    assert (code_of(refused), refused["error"]["param"]) == ((400, code), param)
    await ask(socket)
    await stage.end(await stage.begin())
    assert (await socket.rest())[-1]["type"] == "response.completed"


async def test_a_create_may_come_as_a_binary_message(stage: Stage, socket: Socket) -> None:
    await socket.send(b'{"type":"response.create","model":"m","input":"Hi"}')
    await stage.end(await stage.begin())
    assert (await socket.rest())[-1]["type"] == "response.completed"


async def test_a_fault_of_ours_ends_the_create_and_not_the_connection(
    stage: Stage, socket: Socket
) -> None:
    await ask(socket, BROKEN_INPUT, stream_id="a")
    refused = await socket.event()
    assert (code_of(refused), refused["stream_id"]) == ((500, "internal_error"), "a")
    await ask(socket)
    await stage.end(await stage.begin())
    assert (await socket.rest())[-1]["type"] == "response.completed"


async def test_a_turn_that_fails_before_its_stream_is_an_error(
    stage: Stage, socket: Socket
) -> None:
    await ask(socket)
    async with asyncio.timeout(WITHIN_S):
        await stage.refuse(await stage.log.asked.get())
    assert code_of(await socket.event()) == (503, "store_unavailable")


async def test_an_unstored_turn_is_continued_with_all_that_was_said(
    stage: Stage, socket: Socket
) -> None:
    await ask(socket, "One?", store=False)
    first = await stage.begin()
    await stage.end(first, "One.")
    await socket.rest()
    await ask(socket, "Two?", store=False, previous_response_id=first.response_id)
    second = await stage.begin()
    contents = [item["content"] for item in second.input]
    assert (contents[0], contents[1][0]["text"], contents[2]) == ("One?", "One.", "Two?")
    assert (second.previous_response_id, second.continues) == (None, first.response_id)
    await stage.end(second)
    await socket.rest()


async def test_a_stored_turn_is_left_to_the_store(stage: Stage, socket: Socket) -> None:
    await ask(socket, "One?")
    first = await stage.begin()
    await stage.end(first)
    await socket.rest()
    await ask(socket, "Two?", previous_response_id=first.response_id)
    second = await stage.begin()
    assert (second.previous_response_id, second.continues) == (first.response_id, None)
    assert len(second.input) == 1
    await stage.end(second)
    await socket.rest()


async def test_a_failed_continuation_is_forgotten(stage: Stage, socket: Socket) -> None:
    await ask(socket, "One?", store=False)
    first = await stage.begin()
    await stage.end(first)
    await socket.rest()
    after = {"store": False, "previous_response_id": first.response_id}
    await ask(socket, "Two?", **after)
    failure = invalid("No.", None).failure
    await stage.end(await stage.begin(), status="failed", output=[], failure=failure)
    assert (await socket.rest())[-1]["type"] == "response.failed"
    await ask(socket, "Two?", **after)
    again = await stage.begin()
    assert (again.previous_response_id, again.continues) == (first.response_id, None)
    await stage.end(again)
    await socket.rest()


async def test_a_client_that_leaves_ends_all_that_runs_and_all_that_waits(stage: Stage) -> None:
    async with connected(stage.url) as socket:
        for lane in ("a", "b"):
            await ask(socket, stream_id=lane)
            await ask(socket, stream_id=lane)
        running = [await stage.begin(), await stage.begin()]
        for _ in running:
            await socket.until("response.in_progress")

    async def are_cancelled() -> bool:
        return sorted(stage.log.cancelled) == sorted(each.response_id for each in running)

    await eventually(are_cancelled)
    assert stage.log.asked.empty()


async def test_an_old_connection_begins_nothing_new_and_ends_when_the_last_turn_has() -> None:
    async with staged(SocketLimits(lifetime_s=0.2)) as stage, connected(stage.url) as socket:
        await ask(socket)
        await ask(socket, "This one waits.")
        request = await stage.begin()
        await socket.until("response.in_progress")

        # Until the connection is old, such a create has another fault.
        refused: JSON = {}
        while not refused or code_of(refused) == (400, "missing_required_parameter"):
            await socket.create(input="No model.", stream_id="late")
            refused = await socket.event()
        await stage.end(request)
        events = await socket.until_closed()
        errors = [code_of(event) for event in events if event["type"] == "error"]
        assert errors == [(400, "websocket_connection_limit_reached")] * 2
        assert [e["response"]["id"] for e in events if e["type"] == "response.completed"] == [
            request.response_id
        ]
        with pytest.raises(ConnectionClosedOK):
            await socket.event()
        assert stage.log.asked.empty()


async def test_a_message_that_is_too_large_breaks_the_connection(socket: Socket) -> None:
    await ask(socket, "x" * LARGEST)
    with pytest.raises(ConnectionClosedError) as broken:
        await socket.event()
    assert broken.value.rcvd is not None
    assert broken.value.rcvd.code == 1009


async def test_a_server_that_is_stopped_says_so() -> None:
    async with staged(SocketLimits()) as stage:
        opened = connected(stage.url)
        socket = await opened.__aenter__()
        await ask(socket)
        await stage.begin()
        await socket.until("response.in_progress")
    with pytest.raises(ConnectionClosedError) as stopped:
        await socket.event()
    await opened.__aexit__(None, None, None)
    assert stopped.value.rcvd is not None
    assert stopped.value.rcvd.code == 1012
