"""MCP's own conformance suite, with our tool-runner as the client under test."""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from clients.rig.programs import NODE, NPM, ROOT, require_installed

pytestmark = [pytest.mark.clients, pytest.mark.installed]

_SUITE = NPM / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
_CLIENT = Path(__file__).parent / "rig" / "tool_runner_client.py"
_ENDS_WITHIN = 60.0

# All that its revisions ask of a client, but two kinds: authorization (a token comes with the
# request, and no browser is here to fetch one) and elicitation (nobody can be asked in mid-call).
SCENARIOS = [
    ("2025-06-18", "initialize"),
    ("2025-06-18", "tools_call"),
    ("2025-11-25", "initialize"),
    ("2025-11-25", "tools_call"),
    ("2025-11-25", "sse-retry"),
    ("2025-11-25", "json-schema-2020-12-preservation"),
    ("2026-07-28", "tools_call"),
    ("2026-07-28", "request-metadata"),
    ("2026-07-28", "http-standard-headers"),
    ("2026-07-28", "http-custom-headers"),
    ("2026-07-28", "http-invalid-tool-headers"),
    ("2026-07-28", "json-schema-ref-no-deref"),
    ("2026-07-28", "json-schema-2020-12-preservation"),
]
ASKS_IN_MID_CALL = {
    "sep-2322-client-request-state-echoed",
    "sep-2322-client-jsonrpc-id-different",
    "sep-2322-client-no-state-omitted",
}


async def checks(revision: str, scenario: str, folder: Path) -> tuple[int, list[dict[str, Any]]]:
    """Run one scenario; gives its exit code, and what it checked."""
    require_installed(_SUITE)
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        str(_SUITE),
        *("client", "--scenario", scenario, "--spec-version", revision, "-o", str(folder)),
        *("--command", f"{sys.executable} {_CLIENT}"),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_ENDS_WITHIN):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = await asyncio.to_thread(_found, folder)
    assert len(found) == 1, printed.decode()
    return process.returncode or 0, found[0]


def _found(folder: Path) -> list[list[dict[str, Any]]]:
    return [json.loads(path.read_bytes()) for path in folder.rglob("checks.json")]


@pytest.mark.parametrize(("revision", "scenario"), SCENARIOS)
async def test_the_tool_runner_conforms(revision: str, scenario: str, tmp_path: Path) -> None:
    code, found = await checks(revision, scenario, tmp_path)
    by_status = Counter(check["status"] for check in found)
    assert (code, by_status["FAILURE"], by_status["WARNING"]) == (0, 0, 0), found
    assert by_status["SUCCESS"] > 0


async def test_what_a_server_asks_in_mid_call_is_all_that_is_not_answered(tmp_path: Path) -> None:
    code, found = await checks("2026-07-28", "sep-2322-client-request-state", tmp_path)
    assert code != 0
    assert {check["id"] for check in found if check["status"] == "FAILURE"} == ASKS_IN_MID_CALL
