"""The tool-runner as a process on a real broker; `nats_url` comes from `turnwire_testing`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import mcp_types as types
import pytest
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from nats.aio.client import Client

from turnwire_chassis.broker import connect
from turnwire_chassis.request_reply.asking import ask
from turnwire_contracts.ids import TenantId
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import (
    TOOLS_LIST,
    AskForTools,
    Tools,
    ToolServer,
)
from turnwire_dev.components.nats import nats_url as url_of
from turnwire_dev.components.nats import running_nats
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_testing.service_processes import StartService

pytestmark = pytest.mark.process

ServeMcp = Callable[..., str]
ServeBytes = Callable[[bytes | None], Awaitable[str]]

WITHIN_S = 40
# One second is promised; the others are for a machine that has more to do.
STOPPED_S = 15
TENANT = TenantId("acme")
NO_URL = AskForTools(TENANT, ToolServer("nowhere"))


def weather(schema: dict[str, object] | None = None) -> Server:
    """Make a server with one tool."""

    async def list_tools(*_: object) -> types.ListToolsResult:
        tool = types.Tool(name="forecast", input_schema={"type": "object", **(schema or {})})
        return types.ListToolsResult(tools=[tool])

    return Server("weather", on_list_tools=list_tools)


def about(url: str, timeout_s: float = WITHIN_S) -> AskForTools:
    return AskForTools(TENANT, ToolServer("weather", url), timeout_s)


async def code_of(client: Client, url: str, timeout_s: float = WITHIN_S) -> str:
    given = await ask(client, TOOLS_LIST, about(url, timeout_s), 2 * WITHIN_S)
    assert isinstance(given, Refusal)
    return given.failure.code


async def test_it_lists_the_tools_of_a_server(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    await (await start_runner(nats_url)).becomes(200)
    url = serve_mcp(MCPServer("empty")), serve_mcp(weather())

    given = await asyncio.gather(
        *(ask(client, TOOLS_LIST, about(url[n % 2]), WITHIN_S) for n in range(40))
    )

    names = [[tool.name for tool in each.tools] for each in given if isinstance(each, Tools)]
    assert names == [[], ["forecast"]] * 20


async def test_it_answers_what_goes_wrong_and_goes_on(
    nats_url: str,
    client: Client,
    start_runner: StartService,
    serve_bytes: ServeBytes,
    dead_url: str,
) -> None:
    await (await start_runner(nats_url)).becomes(200)

    reply = await client.request(TOOLS_LIST.subject, b"\xff{", timeout=WITHIN_S)

    assert isinstance(TOOLS_LIST.decode_answer(reply.data), Refusal)
    assert await code_of(client, dead_url) == "mcp_unreachable"
    assert await code_of(client, await serve_bytes(None), 1) == "mcp_timeout"
    assert await code_of(client, await serve_bytes(b"hello\r\n\r\n")) == "mcp_protocol_error"


async def test_a_list_that_the_broker_does_not_carry_is_refused(
    nats_url: str, client: Client, start_runner: StartService, serve_mcp: ServeMcp
) -> None:
    await (await start_runner(nats_url)).becomes(200)

    assert await code_of(
        client, serve_mcp(weather(schema={"default": "x" * client.max_payload}))
    ) == ("mcp_protocol_error")


async def test_a_server_that_hangs_keeps_nobody_else_waiting(
    nats_url: str,
    client: Client,
    start_runner: StartService,
    serve_bytes: ServeBytes,
    serve_mcp: ServeMcp,
) -> None:
    await (await start_runner(nats_url)).becomes(200)
    silent = about(await serve_bytes(None))

    waiting = asyncio.create_task(ask(client, TOOLS_LIST, silent, WITHIN_S))
    given = await ask(client, TOOLS_LIST, about(serve_mcp(weather())), WITHIN_S)

    assert isinstance(given, Tools)
    assert not waiting.done()
    waiting.cancel()


async def test_it_ends_within_a_second_of_being_told_even_while_a_server_hangs(
    nats_url: str, client: Client, start_runner: StartService
) -> None:
    runner = await start_runner(nats_url)
    await runner.becomes(200)
    reached = asyncio.Event()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(meet, LOOPBACK, 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        question = about(f"http://{LOOPBACK}:{port}/mcp")
        await client.publish(
            TOOLS_LIST.subject, TOOLS_LIST.encode_question(question), reply=client.new_inbox()
        )
        await reached.wait()

        assert await runner.stop() < STOPPED_S


async def test_it_waits_for_its_broker_and_outlives_it(
    tmp_path: Path, start_runner: StartService, dead_url: str
) -> None:
    data = tmp_path / "nats"
    port = choose(("nats",), data, taken=0)["nats"]
    runner = await start_runner(url_of(port))
    await runner.becomes(503)

    for _ in range(2):
        async with running_nats(data) as url:
            assert url == url_of(port)
            await runner.becomes(200)
            client = await connect(url, "tool-runner-test")
            assert await code_of(client, dead_url) == "mcp_unreachable"
            await client.close()
        await runner.becomes(503)

    assert await runner.stop() < STOPPED_S


async def test_no_question_is_lost_when_a_member_leaves(
    nats_url: str, client: Client, start_runner: StartService
) -> None:
    staying, leaving = await start_runner(nats_url), await start_runner(nats_url)
    await staying.becomes(200)
    await leaving.becomes(200)

    async def ask_until(left: asyncio.Event) -> int:
        answers = 0
        while not left.is_set():
            assert isinstance(await ask(client, TOOLS_LIST, NO_URL, WITHIN_S), Refusal)
            answers += 1
        return answers

    left = asyncio.Event()
    asking = [asyncio.create_task(ask_until(left)) for _ in range(16)]
    await leaving.stop()
    left.set()

    assert min(await asyncio.gather(*asking)) > 0
