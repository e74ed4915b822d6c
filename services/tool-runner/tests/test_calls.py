"""Calls through tool-runners that are processes, on a real broker and a real MCP server."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
import msgspec
import pytest
from mcp.server.lowlevel import Server
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask
from turnwire_chassis.tool_servers.secret_envelope import Purpose, Sealer, ToolServerSecrets
from turnwire_contracts import subjects
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import (
    TOOLS_CALL,
    TOOLS_LIST,
    AskForCall,
    AskForTools,
    Called,
    CallError,
    CallProgress,
    ToolServer,
)
from turnwire_testing.service_processes import StartService
from turnwire_testing.waiting import eventually

pytestmark = pytest.mark.process

ServeMcp = Callable[..., str]
WITHIN_S = 40
TENANT, TURN = TenantId("acme"), ResponseId("resp_1")
KEY = "6b" * 32
CANARY = "canary-5f1d9c"


@dataclass
class Office:
    """An MCP server whose tool works as long as it is let, and what became of its work."""

    begun: list[str] = field(default_factory=list[str])
    clients: set[str] = field(default_factory=set[str])
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    beats: bool = False

    def server(self) -> Server:
        async def list_tools(*_: object) -> types.ListToolsResult:
            tool = types.Tool(name="work", input_schema={"type": "object"})
            return types.ListToolsResult(tools=[tool])

        return Server("office", on_list_tools=list_tools, on_call_tool=self._work)

    async def _work(
        self, context: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        self.begun.append(str((params.arguments or {}).get("n")))
        self.clients.add(str(context.request.client.port))
        try:
            while self.beats and not self.may_end.is_set():
                await context.session.report_progress(1, None, "still here")
                await asyncio.sleep(0.1)
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        said = context.request.headers.get("authorization", "done")
        return types.CallToolResult(content=[types.TextContent(text=said)])


def call(
    url: str, n: int = 0, timeout_s: float = WITHIN_S, sealed: str | None = None
) -> AskForCall:
    server = ToolServer("office", url, sealed)
    return AskForCall(TENANT, server, f"mcp_{n}", "work", f'{{"n": {n}}}', None, timeout_s, TURN)


async def done(client: Client, question: AskForCall, within_s: float = WITHIN_S) -> Called:
    answer = await ask(client, TOOLS_CALL, question, within_s)
    assert isinstance(answer, Called)
    return answer


@dataclass
class Heard:
    """Signs of life of a call."""

    messages: list[bytes] = field(default_factory=list[bytes])
    any: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, client: Client, call_id: str) -> "Heard":
        async def hear(message: Msg) -> None:
            self.messages.append(message.data)
            self.any.set()

        await client.subscribe(subjects.tool_progress(call_id), cb=hear)
        await client.flush()
        return self

    async def next(self) -> None:
        self.any.clear()
        async with asyncio.timeout(WITHIN_S):
            await self.any.wait()


async def test_several_runners_share_the_calls(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    office = Office()
    url = serve_mcp(office.server())
    runners = [await start_runner(nats_url, TURNWIRE_MAX_TOOL_CALLS="64") for _ in range(3)]
    for runner in runners:
        await runner.becomes(200)

    calling = [asyncio.create_task(done(client, call(url, n))) for n in range(30)]

    async def all_begun() -> bool:
        return len(office.begun) == 30

    await eventually(all_begun)
    owners = {runner.is_connected_to(url) for runner in runners}
    office.may_end.set()
    answers = await asyncio.gather(*calling)

    assert owners == {True}
    assert {answer.output for answer in answers} == {"done"}
    assert sorted(office.begun, key=int) == [str(n) for n in range(30)]


async def test_a_runner_that_is_killed_in_a_call_answers_nothing_and_says_no_more(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    office = Office()
    runner = await start_runner(nats_url)
    await runner.becomes(200)
    heard = await Heard().listen(client, "mcp_0")
    question = call(serve_mcp(office.server()))
    calling = asyncio.create_task(ask(client, TOOLS_CALL, question, 4))

    async def begun() -> bool:
        return bool(office.begun)

    await eventually(begun)
    await heard.next()

    await runner.kill()
    said = len(heard.messages)
    with pytest.raises(UnansweredQueryError):
        await calling

    assert len(heard.messages) == said
    assert office.begun == ["0"]


async def test_signs_of_life_go_on_while_a_silent_tool_works(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    office = Office()
    await (await start_runner(nats_url)).becomes(200)
    heard = await Heard().listen(client, "mcp_0")
    calling = asyncio.create_task(done(client, call(serve_mcp(office.server()))))

    for _ in range(3):
        await heard.next()
    office.may_end.set()

    assert (await calling).output == "done"
    observer = [msgspec.json.decode(each, type=CallProgress) for each in heard.messages]
    assert observer[0] == CallProgress("mcp_0")
    assert len(observer) >= 3


async def test_progress_of_the_tool_keeps_its_call_alive(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    office = Office(beats=True)
    await (await start_runner(nats_url)).becomes(200)
    heard = await Heard().listen(client, "mcp_0")
    calling = asyncio.create_task(done(client, call(serve_mcp(office.server()), timeout_s=1)))

    while b"still here" not in b"".join(heard.messages):
        await heard.next()
    office.may_end.set()

    assert (await calling).output == "done"


async def test_a_call_has_an_end_whatever_progress_it_shows(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    office = Office(beats=True)
    await (await start_runner(nats_url, TURNWIRE_TOOL_CALL_LIMIT_S="0.5")).becomes(200)
    question = call(serve_mcp(office.server()))
    # Opens the session, which on a busy machine takes longer than the call may.
    await ask(client, TOOLS_LIST, AskForTools(TENANT, question.server), WITHIN_S)

    answer = await done(client, question)

    assert answer.error == CallError("http_error", "It took longer than 0.5 s.")


async def test_a_call_is_cancelled_whoever_has_it(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    office = Office()
    for _ in range(2):
        await (await start_runner(nats_url)).becomes(200)
    heard = await Heard().listen(client, "mcp_0")
    url = serve_mcp(office.server())
    calling = asyncio.create_task(done(client, call(url)))

    async def has_begun() -> bool:
        return bool(office.begun)

    await eventually(has_begun)
    await heard.next()
    await client.publish(subjects.tool_cancel("mcp_0"), b"")
    answer = await calling

    assert answer.error == CallError("mcp_protocol_error", "cancelled")
    async with asyncio.timeout(WITHIN_S):
        await office.cancelled.wait()


async def test_secrets_reach_their_server_and_no_other_place(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    office = Office()
    office.may_end.set()
    url = serve_mcp(office.server())
    runner = await start_runner(nats_url, TURNWIRE_SEAL_KEY=KEY, TURNWIRE_LOG_LEVEL="debug")
    await runner.becomes(200)
    purpose = Purpose.of(TENANT, TURN, ToolServer("office", url))
    secrets = ToolServerSecrets(CANARY)
    sealed = Sealer.parse(KEY).seal(secrets, purpose, until_ms=2**50)

    for question in (call(url, sealed=sealed), call(url + "/none", sealed=sealed)):
        reply = await client.request(
            TOOLS_CALL.subject, TOOLS_CALL.encode_question(question), timeout=WITHIN_S
        )
        assert CANARY.encode() not in reply.data
    answer = await done(client, call(url, sealed=sealed))

    # The tool tells what it was told; we do not.
    assert answer.output == "[redacted]"
    await runner.stop()
    assert CANARY not in runner.log.read_text()


async def test_a_server_that_hangs_slows_no_other(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    hanging, other = Office(), Office()
    other.may_end.set()
    settings = {
        "TURNWIRE_MAX_TOOL_CALLS_PER_SERVER": "2",
        "TURNWIRE_TOOL_BREAKER_FAILURES": "2",
        "TURNWIRE_TOOL_BREAKER_OPEN_S": "300",
    }
    await (await start_runner(nats_url, **settings)).becomes(200)
    dead, alive = serve_mcp(hanging.server()), serve_mcp(other.server())

    calls = [call(dead, n, timeout_s=2) for n in range(8)]
    answers = [asyncio.create_task(ask(client, TOOLS_CALL, each, WITHIN_S)) for each in calls]
    assert (await done(client, call(alive, 9, timeout_s=WITHIN_S))).output == "done"
    ended = await asyncio.gather(*answers)

    # Two were tried, two waited, and the others were told at once. One of those that waited may
    # begin when the first has failed and the second has not yet.
    assert sum(isinstance(each, Refusal) for each in ended) >= 4
    assert len(hanging.begun) in (2, 3)
    late = await done(client, call(dead, 10, timeout_s=3 * WITHIN_S))
    assert late.error
    assert late.error.unsent
