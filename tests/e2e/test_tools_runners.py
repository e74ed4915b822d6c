"""Tool-runners: one does all the work, several share it."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from e2e.conftest import running
from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.stack import UP_WITHIN, Stack
from e2e.rig.wire import Api, text_of
from scripted_backend import ScriptedBackend, calls, says
from turnwire_testing.ports import free_port
from turnwire_testing.waiting import eventually

SERVERS = """
servers:
  desk:
    url: http://127.0.0.1:{port}/mcp
    headers_env: {{ X-Runner: OWN_NAME }}
    require_approval: never
"""
TURNS = 20
OFFICE = {"type": "mcp", "server_label": "desk"}


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, backend_port: int, desk_port: int
) -> Generator[Stack]:
    """A stack whose runners say their names to the server."""
    written: Path = tmp_path_factory.mktemp("written") / "servers.yaml"
    written.write_text(SERVERS.format(port=desk_port))
    named = Stack(
        tmp_path_factory.mktemp("runners"),
        backend_url=f"http://127.0.0.1:{backend_port}/v1",
        mcp_servers=str(written),
    )
    named.environment["OWN_NAME"] = "first"
    yield from running(named)


@contextmanager
def one_more_runner(stack: Stack, name: str, health_port: int) -> Generator[None]:
    """Run a tool-runner beside that of the stack."""
    told = {"OWN_NAME": name, "TURNWIRE_HEALTH_PORT": str(health_port)}
    process = subprocess.Popen(
        stack.python("turnwire_tool_runner"),
        env={**stack.service_environment("tool-runner"), **told},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def shares(api: Api, backend: ScriptedBackend, desk: Desk) -> Counter[str]:
    """Have tools called in many turns at once; gives how many calls each runner made."""
    backend.always(calls("add", {"a": 1, "b": 1}), when=lambda body: len(body["input"]) == 1)
    backend.always(says("2."), when=lambda body: len(body["input"]) > 1)
    asked = [api.post(asks("?", tools=[OFFICE])) for _ in range(TURNS)]
    answers = await asyncio.gather(*asked)
    assert [(status, text_of(response)) for status, response in answers] == [(200, "2.")] * TURNS
    return Counter(fact["headers"]["x-runner"] for fact in desk.asked("tools/call"))


async def test_one_runner_makes_all_calls(api: Api, backend: ScriptedBackend, desk: Desk) -> None:
    assert await shares(api, backend, desk) == {"first": TURNS}


async def test_three_runners_share_the_calls(
    api: Api,
    backend: ScriptedBackend,
    desk: Desk,
    stack: Stack,
    session: aiohttp.ClientSession,
) -> None:
    with ExitStack() as others:
        for name in ("second", "third"):
            port = free_port()
            others.enter_context(one_more_runner(stack, name, port))
            await eventually(partial(_is_well, session, port), UP_WITHIN)
        made = await shares(api, backend, desk)
    assert set(made) == {"first", "second", "third"}
    assert made.total() == TURNS


async def _is_well(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def test_servers_that_the_file_names_now_can_be_called_without_a_restart(
    api: Api, stack: Stack, backend: ScriptedBackend, desk: Desk
) -> None:
    key = await asyncio.to_thread(
        stack.new_key, "--user", "olga", "--role", "operator", tenant="ops"
    )
    operator = api.of({"Authorization": f"Bearer {key}"})
    file = Path(stack.environment["TURNWIRE_MCP_SERVERS"])
    before = await asyncio.to_thread(file.read_text)
    annexed = before + before.partition("servers:")[2].replace("desk:", "annex:")
    await asyncio.to_thread(file.write_text, annexed)
    try:
        told = await operator.until("/admin/tool_servers", lambda found: len(found["data"]) == 2)
        assert [(each["label"], each["status"]) for each in told["data"]] == [
            ("desk", "ok"),
            ("annex", "ok"),
        ]
        assert "add" in [tool["name"] for tool in told["data"][1]["tools"]]
        backend.always(calls("add", {"a": 1, "b": 1}), when=lambda body: len(body["input"]) == 1)
        backend.always(says("2."), when=lambda body: len(body["input"]) > 1)
        annex = {**OFFICE, "server_label": "annex"}
        async with asyncio.timeout(10):
            while (asked := await api.post(asks("?", tools=[annex])))[0] == 400:
                # The gateway takes the file on its own.
                assert asked[1]["error"]["param"] == "tools[0].server_url"
        assert (asked[0], text_of(asked[1])) == (200, "2.")
        assert len(desk.asked("tools/call")) == 1
    finally:
        await asyncio.to_thread(file.write_text, before)
        await operator.until("/admin/tool_servers", lambda found: len(found["data"]) == 1)
