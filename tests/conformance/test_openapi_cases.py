"""Requests made up from the OpenAPI document: no fault of ours, nothing that it does not say.

`OPENAPI_CASES=5000 pytest tests/conformance/test_openapi_cases.py` tries that many and more.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from e2e.conftest import running
from e2e.rig.stack import Stack
from scripted_backend import running_backend
from turnwire_gateway.openapi.document import OPERATIONS
from turnwire_testing.ports import free_port

_HERE = Path(__file__).parent
_PROGRAM = Path(sys.executable).with_name("schemathesis")
_FEWEST = 3000
"""With three examples of each operation, the fewest, so many cases are tried and some more."""
_CASES = int(os.environ.get("OPENAPI_CASES", _FEWEST))
_SEED = os.environ.get("OPENAPI_SEED", "1")
_SHARE = 30
"""Of so many cases about one is a further example of each operation; the rest are always tried."""


@pytest.fixture
def stack(tmp_path: Path) -> Generator[Stack]:
    """A stack of its own: what is tried here is not tidy."""
    backend_url = f"http://127.0.0.1:{free_port()}/v1"
    yield from running(Stack(tmp_path / "data", backend_url=backend_url))


@pytest.mark.timeout(max(180, _CASES // 5))
async def test_no_request_that_can_be_made_up_finds_a_fault(stack: Stack) -> None:
    examples = max(3, (_CASES - _FEWEST) // _SHARE)
    port = int(stack.environment["TURNWIRE_BACKEND_URL"].split(":")[2].removesuffix("/v1"))
    async with running_backend(port=port):
        told = await _tried(stack, "--max-examples", str(examples), "--seed", _SEED)
    assert _number(r"(\d+) generated", told) >= _CASES, told
    assert _number(r"Operations: +(\d+) selected", told) == len(OPERATIONS), told
    assert _number(r"Fuzzing .*\s+✅ (\d+) passed", told) == len(OPERATIONS), told


def _number(pattern: str, told: str) -> int:
    """Read a number of the program's; what it does not tell is 0."""
    found = re.search(pattern, told)
    return int(found[1]) if found else 0


async def _tried(stack: Stack, *options: str) -> str:
    """Run the program against a stack; what it finds makes the test fail, in its own words."""
    url = stack.url.removesuffix("/v1")
    command = (_PROGRAM, "--config-file", _HERE / "schemathesis.toml", "--no-color", "run")
    run = await asyncio.create_subprocess_exec(
        *command,
        f"{url}/openapi.json",
        *("--header", f"Authorization: {stack.bearer['Authorization']}"),
        *options,
        # It keeps notes of its own where it runs.
        cwd=stack.data.parent,
        env={**os.environ, "PYTHONPATH": str(_HERE.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await run.communicate()
    told = said.decode(errors="replace")
    assert run.returncode == 0, told + stack.logs()
    return told
