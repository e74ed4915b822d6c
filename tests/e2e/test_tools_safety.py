"""What an MCP server may be, and that secrets reach it and nobody else."""

import secrets
from collections.abc import Generator
from pathlib import Path

import pytest

from e2e.conftest import running
from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says

SERVERS = """
servers:
  office:
    url: http://127.0.0.1:{port}/mcp
    description: The desk in the office.
    authorization_env: OFFICE_TOKEN
    headers_env: {{ X-Office: OFFICE_HEADER }}
    allowed_tools: [add, note]
    require_approval: {{ never: {{ read_only: true }} }}
"""
OFFICE_TOKEN = secrets.token_hex(16)
OFFICE_HEADER = secrets.token_hex(16)


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, backend_port: int, desk_port: int
) -> Generator[Stack]:
    """A stack that may call no private address, but has a server of its operator."""
    servers = tmp_path_factory.mktemp("servers") / "servers.yaml"
    servers.write_text(SERVERS.format(port=desk_port))
    strict = Stack(
        tmp_path_factory.mktemp("strict"),
        backend_url=f"http://127.0.0.1:{backend_port}/v1",
        allow_private_urls="",
        mcp_servers=str(servers),
        log_level="debug",
    )
    strict.environment |= {"OFFICE_TOKEN": OFFICE_TOKEN, "OFFICE_HEADER": OFFICE_HEADER}
    yield from running(strict)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/mcp",
        "http://localhost:{port}/mcp",
        "http://[::1]:{port}/mcp",
        "http://2130706433:{port}/mcp",
        "https://127.0.0.1:{port}/mcp",
        "http://169.254.169.254/latest/meta-data",
    ],
)
async def test_a_client_cannot_lead_into_the_operators_network(
    api: Api, desk: Desk, url: str
) -> None:
    tool = desk.tool(server_url=url.format(port=desk.port))
    status, body = await api.post(asks("?", tools=[tool]))
    assert (status, body["error"]["param"]) == (400, "tools"), body
    assert desk.journal == []


async def test_a_label_alone_names_the_operators_server_with_his_credentials(
    api: Api, backend: ScriptedBackend, desk: Desk, stack: Stack
) -> None:
    backend.script(calls("add", {"a": 2, "b": 3}), says("5."))

    status, response = await api.post(asks("?", tools=[{"type": "mcp", "server_label": "office"}]))

    assert (status, text_of(response)) == (200, "5."), response
    names = [tool["name"] for tool in backend.requests[0].body["tools"]]
    assert sorted(names) == ["add", "note"]
    heard = [fact["headers"] for fact in desk.asked("tools/call")]
    assert [each["authorization"] for each in heard] == [f"Bearer {OFFICE_TOKEN}"]
    assert [each["x-office"] for each in heard] == [OFFICE_HEADER]
    for secret in (OFFICE_TOKEN, OFFICE_HEADER):
        assert secret not in str(response)
        assert stack.files_with(secret) == []


async def test_an_unknown_label_is_refused(api: Api) -> None:
    status, body = await api.post(asks("?", tools=[{"type": "mcp", "server_label": "attic"}]))
    assert (status, body["error"]["param"]) == (400, "tools[0].server_url")


@pytest.fixture(scope="module")
def careful_stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """A stack that logs all it can."""
    url = f"http://127.0.0.1:{backend_port}/v1"
    data: Path = tmp_path_factory.mktemp("careful")
    yield from running(Stack(data, backend_url=url, log_level="debug", encrypt_log="false"))


@pytest.fixture
async def careful_api(api: Api, careful_stack: Stack) -> Api:
    """The API of that stack."""
    return api.under(careful_stack.url)


async def test_secrets_of_a_request_reach_their_server_and_no_sink(
    careful_api: Api, careful_stack: Stack, backend: ScriptedBackend, desk: Desk
) -> None:
    token, header, open_word = (secrets.token_hex(16) for _ in range(3))
    secret: JSON = {"authorization": token, "headers": {"X-Key": header}}
    said: list[bytes] = []
    tools = [desk.tool(**secret)]

    backend.script(calls("add", {"a": 1, "b": 1}), calls("explode", {"reason": "ow"}), says("2."))
    async with careful_api.stream(asks(open_word, tools=tools)) as stream:
        events = await stream.to_the_end()
    said.append(stream.raw)
    response_id = events[-1]["response"]["id"]
    async with careful_api.join(response_id) as again:
        await again.to_the_end()
    said.append(again.raw)
    _, stored = await careful_api.get(f"/responses/{response_id}")
    backend.script(says("Later."))
    _, background = await careful_api.post(asks("?", response_id, tools=tools, background=True))
    ended = await careful_api.ended(background["id"])
    wrong = desk.tool(**secret, require_approval=7)
    _, refused = await careful_api.post(asks("?", tools=[wrong]))
    gone = desk.tool(**secret, server_url="http://127.0.0.1:9/mcp")
    _, unreachable = await careful_api.post(asks("?", tools=[gone]))
    said += [str(each).encode() for each in (stored, background, ended, refused, unreachable)]

    heard = [fact["headers"] for fact in desk.asked("tools/call")]
    assert [each["authorization"] for each in heard] == [f"Bearer {token}"] * 2
    assert [each["x-key"] for each in heard] == [header] * 2
    assert all(each["status"] == "completed" for each in (stored, ended))
    assert careful_stack.files_with(open_word), "the search finds what is there"
    for canary in (token, header):
        assert not any(canary.encode() in each for each in said)
        assert not any(canary in str(request.body) for request in backend.requests)
        assert careful_stack.files_with(canary) == []
        assert canary not in careful_stack.screen
